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
        "d0b0c7731f6b7ef269a27c037e661ab28150c1978a860aedbc731d54812a8534",
    ),
    Golden(
        0,
        "0.bias",
        300,
        Normal(0.0, 1.0),
        "40a5fcc54d0ebd35286130a461c49bb3834c69010d7c3847e358b3f04445a8aa",
    ),
    Golden(
        1,
        "0.weight",
        100 * 784,
        Normal(0.0, 1.0),
        "7d4a28c200fc37a787333a893191273bb117ae67d85186acad397c852fd6f68a",
    ),
    Golden(
        2**64,
        "transformer.h.0.attn.c_attn.weight",
        768 * 100,
        Normal(0.5, 0.02),
        "ea93c4f8a93e9b9614e8489c26cc6ceeb332be2ccfd87f145d3d41cab73e5f15",
    ),
    Golden(
        42,
        "größe",
        1,
        Normal(0.0, 1e-41),
        "6efe6f9703c639723c54deed962e8cf6c625e57eeb4a2e8907d3c72d87352a89",
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
        "4a68db230dba30a5a91c930a59cba3ba926c6e0e17a26adef3750a495f63956c",
    ),
    Golden(
        3,
        "pos_embed",
        197 * 384,
        TruncNormal(0.0, 0.02, -2.0, 2.0),
        "ddbeb3e31bb779af76119be4e728efbd5f3b8245995cdf03e23f84e9f6c3ef31",
    ),
    Golden(
        3,
        "far",
        70_000,
        TruncNormal(-1.0, 0.1, 1.0, inf),
        "09204a5cb9ae39e22782b04147f817ec42a479ab681279bbaeb9cdd0b14df3c9",
    ),
    Golden(
        3,
        "narrow",
        70_000,
        TruncNormal(0.0, 1.0, -0.5, 0.1),
        "83647e755a88c5d76a39f63c7e9c2b6f85ae07bcb4dc17042699da177a10ccfe",
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
