"""Make the `.keras` and `.h5` files beside this one, as Keras writes them.

    pip install keras==3.15.1 torch==2.13.0 h5py==3.16.0 && python tests/files/make_keras.py

They are kept, since Keras is too large to be installed for tests: one net, trained a step, in each
of Keras's three formats, and the weights of layers that hold others. It prints what Keras calls
these, which tests/test_keras.py has.
"""

import os
from pathlib import Path

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

tokens = keras.Input((8,), dtype="int32")
hidden = keras.layers.Embedding(9, 6)(tokens)
hidden = keras.layers.Conv1D(4, 3, use_bias=False)(hidden)
hidden = keras.layers.MultiHeadAttention(2, 3)(hidden, hidden)
hidden = keras.layers.Bidirectional(keras.layers.SimpleRNN(2, return_sequences=True))(hidden)
hidden = keras.layers.GRU(3)(hidden)
model = keras.Model(tokens, hidden)
model.save_weights(HERE / "layers.weights.h5")
print(*(weight.path for layer in model.layers for weight in layer.weights), sep="\n")  # noqa: T201 (the test has it)
