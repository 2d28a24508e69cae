"""Super-blocks of 256 values: K-quants, whose scales are quantized as well, and what is like them.

A group of 16 or 32 values has a scale of 4 to 8 bits, which is a multiple of the block's own.
"""

import numpy as np

from paramctl.quantized.blocks import LEVELS
from paramctl.quantized.packing import LEAST, SCALE, Field, Packing, join, scaled, spread
from paramctl.widening import Array

POWERS = np.array([1, 3, 9, 27, 81], "u1")[:, None]


def _six_bits(blocks: Array, first: str, others: Array) -> Array:
    """Return eight numbers of six bits, the scales or the leasts of Q4_K and Q5_K.

    Four lie in the low bits of the bytes of `first`, above them the two high bits of four others.
    """
    return np.concatenate([blocks[first] & 63, blocks[first] >> 2 & 48 | others], axis=1)


def _scales_of_six_bits(blocks: Array) -> Array:
    return scaled(blocks, "scale", _six_bits(blocks, "scales", blocks["others"] & 15))


def _leasts_of_six_bits(blocks: Array) -> Array:
    return -scaled(blocks, "least", _six_bits(blocks, "leasts", blocks["others"] >> 4))


def _signed_scales_of_six_bits(blocks: Array) -> Array:
    """Return the sixteen scales of Q3_K, whose two high bits are stored together."""
    scales = join(spread(blocks["scales"], 4, 8), spread(blocks["high_scales"], 2, 4), 4)
    return scaled(blocks, "scale", scales.view("i1") - np.int8(32))


def _scales_of_pairs(blocks: Array) -> Array:
    """Return the eight scales of IQ4_XS, whose two high bits are stored together."""
    high = blocks["high_scales"].astype("<u2")[:, None].view("u1")
    scales = join(spread(blocks["scales"], 4, 1), spread(high, 2, 1), 4)
    return scaled(blocks, "scale", scales.view("i1") - np.int8(32))


def _ternary_digits(blocks: Array) -> Array:
    """Return the numbers of TQ1_0: the first digits, base 3, of bytes that are fractions of 256.

    A digit is the whole part of three times what those before it have left.
    """
    packed, counts = [blocks[name] for name in ("packed", "more", "rest")], (5, 5, 4)
    fractions = [
        (bytes_[:, None] * POWERS[:count]).reshape(len(blocks), bytes_.shape[1] * count)
        for bytes_, count in zip(packed, counts, strict=True)
    ]
    return (np.concatenate(fractions, axis=1).astype("u2") * 3 >> 8).astype("u1")


_HALVES: Field = ("packed", "u1", 128)
_QUARTERS: Field = ("packed", "u1", 64)
_BITS: Field = ("bits", "u1", 32)
_SIX_BITS: list[Field] = [
    SCALE,
    LEAST,
    ("scales", "u1", 4),
    ("leasts", "u1", 4),
    ("others", "u1", 4),
]

SUPERBLOCKS = {
    "Q2_K": Packing(
        [("scales", "u1", 16), _QUARTERS, SCALE, LEAST],
        lambda blocks: spread(blocks["packed"], 2, 32),
        scales=lambda blocks: scaled(blocks, "scale", blocks["scales"] & 15),
        leasts=lambda blocks: -scaled(blocks, "least", blocks["scales"] >> 4),
    ),
    "Q3_K": Packing(
        [_BITS, _QUARTERS, ("scales", "u1", 8), ("high_scales", "u1", 4), SCALE],
        lambda blocks: join(spread(blocks["packed"], 2, 32), spread(blocks["bits"], 1, 32), 2),
        4,
        _signed_scales_of_six_bits,
    ),
    "Q4_K": Packing(
        [*_SIX_BITS, _HALVES],
        lambda blocks: spread(blocks["packed"], 4, 32),
        scales=_scales_of_six_bits,
        leasts=_leasts_of_six_bits,
    ),
    "Q5_K": Packing(
        [*_SIX_BITS, _BITS, _HALVES],
        lambda blocks: join(spread(blocks["packed"], 4, 32), spread(blocks["bits"], 1, 32), 4),
        scales=_scales_of_six_bits,
        leasts=_leasts_of_six_bits,
    ),
    "Q6_K": Packing(
        [_HALVES, ("bits", "u1", 64), ("scales", "i1", 16), SCALE],
        lambda blocks: join(spread(blocks["packed"], 4, 64), spread(blocks["bits"], 2, 32), 4),
        32,
        lambda blocks: scaled(blocks, "scale", blocks["scales"]),
    ),
    "IQ4_XS": Packing(
        [SCALE, ("high_scales", "u2"), ("scales", "u1", 4), _HALVES],
        lambda blocks: LEVELS.take(spread(blocks["packed"], 4, 16)),
        scales=_scales_of_pairs,
    ),
    "TQ1_0": Packing(
        [("packed", "u1", 32), ("more", "u1", 16), ("rest", "u1", 4), SCALE], _ternary_digits, 1
    ),
    "TQ2_0": Packing([_QUARTERS, SCALE], lambda blocks: spread(blocks["packed"], 2, 32), 1),
}
