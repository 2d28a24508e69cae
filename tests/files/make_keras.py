"""Make the `.keras` and `.h5` files beside this one, as Keras writes them.

    pip install keras==3.15.1 torch==2.13.0 h5py==3.16.0 && python tests/files/make_keras.py

They are kept, since Keras is too large to be installed for tests: one net, trained a step, in each
of Keras's three formats.
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
