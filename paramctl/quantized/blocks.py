"""Blocks of 32 values, which have one scale."""

from collections.abc import Callable
from functools import partial

import numpy as np

from paramctl.quantized.packing import LEAST, SCALE, Field, Packing, floats, join, spread
from paramctl.widening import Array

LEVELS = np.array(  # ggml's kvalues_iq4nl
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], "i1"
)
DOUBLED_FLOAT4 = np.array(  # twice the values of e2m1: OCP MX 1.0, section 5.3.3
    [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], "i1"
)


def _nibbles(blocks: Array) -> Array:
    return spread(blocks["packed"], 4, 16)


def _nibbles_and_bits(blocks: Array) -> Array:
    """Return 32 numbers of five bits, the highest of which are stored together."""
    bits = blocks["bits"].astype("<u4")[:, None].view("u1")
    return join(_nibbles(blocks), np.unpackbits(bits, axis=1, bitorder="little"), 4)


def _levels(levels: Array) -> Callable[[Array], Array]:
    return lambda blocks: levels.take(_nibbles(blocks))


def _half_power(blocks: Array) -> Array:
    """Return the scale of values that are doubled: a power of two, of which 255 is one too."""
    return np.asarray(np.ldexp(np.float32(1), blocks["exponent"].astype("i4") - 128)[:, None])


_LEASTS = partial(floats, field="least")
_BITS: Field = ("bits", "u4")
_PACKED: Field = ("packed", "u1", 16)
BLOCKS = {
    "Q4_0": Packing([SCALE, _PACKED], _nibbles, 8),
    "Q4_1": Packing([SCALE, LEAST, _PACKED], _nibbles, leasts=_LEASTS),
    "Q5_0": Packing([SCALE, _BITS, _PACKED], _nibbles_and_bits, 16),
    "Q5_1": Packing([SCALE, LEAST, _BITS, _PACKED], _nibbles_and_bits, leasts=_LEASTS),
    "Q8_0": Packing([SCALE, ("integers", "i1", 32)], lambda blocks: blocks["integers"]),
    "IQ4_NL": Packing([SCALE, _PACKED], _levels(LEVELS)),
    "MXFP4": Packing([("exponent", "u1"), _PACKED], _levels(DOUBLED_FLOAT4), scales=_half_power),
}
