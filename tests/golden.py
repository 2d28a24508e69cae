"""Values that shall never change, by their hashes; as a program, it prints those of a device."""

import sys
from hashlib import sha256
from math import inf
from typing import Any, NamedTuple

import numpy as np

from paramctl.init.distributions import Constant, Distribution, Normal, TruncNormal, Uniform
from paramctl.init.streams import Stream


class Golden(NamedTuple):
    """The parameter of a seed, what it is drawn from, and the hash of its values."""

    seed: int
    name: str
    numel: int
    distribution: Distribution
    sha256: str

    def stream(self, device: str = "cpu") -> Stream:
        """Return its random numbers."""
        return Stream(self.seed, self.name, device=device)

    def sample(self, device: str = "cpu") -> Any:
        """Return its values, as an array of numpy."""
        values = self.distribution.sample(self.stream(device), 0, self.numel)
        return values if device == "cpu" else values.cpu().numpy()


GOLDEN = [
    Golden(
        0,
        "0.weight",
        100 * 784,
        Normal(0.0, 1.0),
        "d91efd016fd99052db7f658ee5e7375187861a2ff45eafbc957cf11a07768790",
    ),
    Golden(
        0,
        "0.bias",
        300,
        Normal(0.0, 1.0),
        "7604874fe4746c528d6e3d153bcd2629155b4c1547e37510cbca33dbc5e60bb5",
    ),
    Golden(
        1,
        "0.weight",
        100 * 784,
        Normal(0.0, 1.0),
        "840cb2cfb460aae0c7f2499a8cda02efd1963f39fccfca36e881c14902bf0117",
    ),
    Golden(
        2**64,
        "transformer.h.0.attn.c_attn.weight",
        768 * 100,
        Normal(0.5, 0.02),
        "3eaf829ab93bb23d8e354662cf635b63bf51649a4adb418ac30711d6c305934b",
    ),
    Golden(
        42,
        "größe",
        1,
        Normal(0.0, 1e-41),
        "69fcc1d0d46cbe385dbe4e645ccc9793cf353d22ec191f192b1a87d1fa2224af",
    ),
    Golden(
        0,
        "0.weight",
        100 * 784,
        Uniform(0.0, 1.0),
        "50a97da489116e6f2fc25894ceec2c8a779f4252bd1a718114ff9b623b681645",
    ),
    Golden(
        7,
        "conv.weight",
        64 * 3 * 7 * 7,
        Uniform(-0.0825, 0.0825),
        "8974aec0c36464911e3dafd1f3fadf324d5c64331d989c165470c126980d3430",
    ),
    Golden(
        7,
        "conv.weight",
        70_001,
        Uniform(1.0, 1.0000002),
        "5815b529dc83a6c197a772b98f58770c97ef79016a2c95a4548f922e9524677c",
    ),
    Golden(
        0,
        "0.weight",
        100 * 784,
        TruncNormal(0.0, 1.0, -2.0, 2.0),
        "b777f10d32889cbf0c36cb7ee16060e1ea5f5a1f981fb91b2f8236252e8835ed",
    ),
    Golden(
        3,
        "pos_embed",
        197 * 384,
        TruncNormal(0.0, 0.02, -2.0, 2.0),
        "1f11959f7bc9db06d483ed195a9a54b6af3ab1c52b27d2b5a21a578a1a0d6fd6",
    ),
    Golden(
        3,
        "far",
        70_000,
        TruncNormal(-1.0, 0.1, 1.0, inf),
        "2a9333d18f274179943f6eef735a8314f13f6faa5582c9a6c86808e0242b6431",
    ),
    Golden(
        3,
        "narrow",
        70_000,
        TruncNormal(0.0, 1.0, -0.5, 0.1),
        "0a5d718c5edc8d37b74fdf61017cf19ca2e588864d6de7d7c95a446de80a66f4",
    ),
    Golden(
        3,
        "tenths",
        17,
        Constant(0.1),
        "2f590bbe903e65d0e35a1bb8b256f850e5612c46fa88020004823628b0f7da82",
    ),
]


def digest(values: Any) -> str:
    """Return the hash of the values, little-endian."""
    return sha256(values.astype(np.dtype("<f4")).tobytes()).hexdigest()


if __name__ == "__main__":
    print(*(digest(golden.sample(sys.argv[1])) for golden in GOLDEN))  # noqa: T201 (a program)
