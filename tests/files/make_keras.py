"""Make the `.keras` and `.h5` files beside this one, as Keras writes them.

    pip install keras==3.15.1 torch==2.13.0 h5py==3.16.0 && python tests/files/make_keras.py

They are kept, since Keras is too large to be installed for tests: one net, trained a step, in each
of Keras's three formats, and in files of at most 56 bytes of values; the weights of layers that
hold others, of which it prints what Keras calls them, as tests/test_keras.py has it; and layers of
every kind as Keras fills them.
"""

import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

HERE = Path(__file__).parent

keras.utils.set_random_seed(0)
net = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(3, activation="relu", name="hidden"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(2, dtype="bfloat16"),
    ]
)
net.compile("sgd", "mse")
net.fit(np.zeros((4, 4)), np.zeros((4, 2)), verbose=0)
net.save(HERE / "net.keras")
net.save(HERE / "net.h5")
net.save_weights(HERE / "net.weights.h5")
net.save_weights(HERE / "keras_shards" / "net.weights.json", max_shard_size=56 / 2**30)

tokens = keras.Input((8,), dtype="int32")
hidden = keras.layers.Embedding(9, 6)(tokens)
hidden = keras.layers.Conv1D(4, 3, use_bias=False)(hidden)
hidden = keras.layers.MultiHeadAttention(2, 3)(hidden, hidden)
hidden = keras.layers.Bidirectional(keras.layers.SimpleRNN(2, return_sequences=True))(hidden)
hidden = keras.layers.GRU(3)(hidden)
model = keras.Model(tokens, hidden)
model.save_weights(HERE / "layers.weights.h5")
print(*(weight.path for layer in model.layers for weight in layer.weights), sep="\n")  # noqa: T201 (the test has it)

layers = keras.layers
tokens = keras.Input((3,), dtype="int32")
hidden = layers.Embedding(5, 4)(tokens)
hidden = layers.MultiHeadAttention(2, 3)(hidden, hidden)
hidden = layers.GroupQueryAttention(3, 2, 1)(hidden, hidden)
hidden = layers.EinsumDense("abc,cde->abde", (None, 2, 2), bias_axes="de")(hidden)
hidden = layers.Reshape((3, 4))(hidden)
hidden = layers.LayerNormalization(axis=[1, 2])(hidden)
hidden = layers.LayerNormalization(axis=[1, 2], center=False)(hidden)
hidden = layers.RMSNormalization(axis=[1, 2])(hidden)
hidden = layers.GroupNormalization(2, name="stem")(hidden)
hidden = layers.BatchNormalization()(hidden)
hidden = layers.BatchNormalization(scale=False)(hidden)
hidden = layers.PReLU()(hidden)
hidden = layers.SeparableConv1D(4, 2, padding="same")(hidden)
hidden = layers.Bidirectional(layers.GRU(2, return_sequences=True))(hidden)
hidden = layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(2)], return_sequences=True)(hidden)
hidden = layers.TimeDistributed(layers.Dense(4))(hidden)
hidden = layers.Reshape((3, 2, 2))(hidden)
hidden = layers.Conv2DTranspose(2, 2)(hidden)
hidden = layers.DepthwiseConv2D(2)(hidden)
fresh = keras.Model(tokens, layers.LSTM(2)(layers.Reshape((3, 4))(hidden)))
with ZipFile(HERE / "fresh.zip", "w", ZIP_DEFLATED) as archive:
    for file in (HERE / "fresh.keras", HERE / "fresh.h5", HERE / "fresh.weights.h5"):
        (fresh.save_weights if file.suffixes[0] == ".weights" else fresh.save)(file)
        archive.write(file, file.name)
        file.unlink()
