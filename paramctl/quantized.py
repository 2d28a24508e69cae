"""Quantized values of ggml: blocks of small integers with a scale, as the floats they stand for.

Source: ggml/src/ggml-common.h and ggml-quants.c, `dequantize_row_q4_0` and those behind it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.sources import Derived
from paramctl.widening import Array

FLOAT = BY_NAME["float32"]


def _nibbles(blocks: Array) -> Array:
    """Return 32 numbers of four bits: the low halves of the bytes, then the high ones."""
    packed: Array = blocks["packed"]
    return np.concatenate([packed & 15, packed >> 4], axis=1)


def _nibbles_and_bits(blocks: Array) -> Array:
    """Return 32 numbers of five bits, the highest of which are stored together."""
    bits = blocks["bits"][:, None] >> np.arange(32, dtype="u4")
    return np.asarray(_nibbles(blocks) | (bits & 1).astype("u1") << 4)


class Packing(NamedTuple):
    """How a block is laid out, how its integers are got, and which of them stands for 0.

    A value is `scale * (integer - zero) + least`; most blocks have no `least`.
    """

    fields: list[tuple[str, str] | tuple[str, str, int]]
    unpack: Callable[[Array], Array]
    zero: int = 0

    def values(self, blocks: Array) -> Array:
        """Return the values of blocks, a row for each, computed in float32 as ggml does."""
        with np.errstate(over="ignore", invalid="ignore"):  # a scale may be infinite or NaN
            integers = self.unpack(blocks).astype("f4") - np.float32(self.zero)
            values = blocks["scale"].astype("f4")[:, None] * integers
            if "least" in (blocks.dtype.names or ()):
                values += blocks["least"].astype("f4")[:, None]
            return np.asarray(values)


_SCALE, _LEAST, _BITS, _PACKED = (
    ("scale", "f2"),
    ("least", "f2"),
    ("bits", "u4"),
    ("packed", "u1", 16),
)
PACKINGS = {
    "Q4_0": Packing([_SCALE, _PACKED], _nibbles, 8),
    "Q4_1": Packing([_SCALE, _LEAST, _PACKED], _nibbles),
    "Q5_0": Packing([_SCALE, _BITS, _PACKED], _nibbles_and_bits, 16),
    "Q5_1": Packing([_SCALE, _LEAST, _BITS, _PACKED], _nibbles_and_bits),
    "Q8_0": Packing([_SCALE, ("integers", "i1", 32)], lambda blocks: blocks["integers"]),
}


def dequantized(entry: Entry) -> Entry:
    """Return a quantized entry, or a part of one, as float32; any other as it is.

    Its blocks are read and computed when the values are asked for.
    """
    if entry.dtype.name not in PACKINGS or entry.storage is None:
        return entry
    source = Dequantized(entry)
    return entry._replace(dtype=FLOAT, storage=Storage(source, 0, source.size))


class Dequantized(Derived):
    """The values of a quantized entry's storage, as little-endian float32."""

    def __init__(self, entry: Entry) -> None:
        assert entry.storage is not None  # noqa: S101 (for the type checker: its caller looks)
        self._storage = entry.storage
        self._packing = PACKINGS[entry.dtype.name]
        self._blocks = np.dtype(self._packing.fields).newbyteorder(
            ">" if entry.storage.big_endian else "<"
        )
        self._row = entry.dtype.block * 4  # bytes that a block becomes
        source = entry.storage.source
        size = entry.storage.nbytes // self._blocks.itemsize * self._row
        super().__init__(source.name, size, [source])

    def _read(self, offset: int, length: int) -> bytes:
        first, end = offset // self._row, -(-(offset + length) // self._row)
        size = self._blocks.itemsize
        data = self._storage.source.read(self._storage.offset + first * size, (end - first) * size)
        values = self._packing.values(np.frombuffer(data, self._blocks))
        begin = offset - first * self._row
        return values.astype("<f4", copy=False).tobytes()[begin : begin + length]
