"""Quantized values of ggml: blocks of small integers with scales, as the floats they stand for.

Source: ggml/src/ggml-common.h and ggml-quants.c, `dequantize_row_q4_0` and those behind it.
"""

import numpy as np

from paramctl.checkpoint import Entry, Storage
from paramctl.derived import Derived, read_units
from paramctl.doors import Spelling, Words
from paramctl.dtypes import BY_NAME, DType
from paramctl.quantized.blocks import BLOCKS
from paramctl.quantized.superblocks import SUPERBLOCKS

FLOAT = BY_NAME["float32"]
PACKINGS = BLOCKS | SUPERBLOCKS


def dequantized(entry: Entry) -> Entry:
    """Return a quantized entry, or a part of one, as float32; any other as it is.

    Its blocks are read and computed when the values are asked for.
    """
    if entry.dtype.name not in PACKINGS or entry.storage is None:
        return entry
    source = Dequantized(entry)
    return entry._replace(dtype=FLOAT, storage=Storage.whole(source))


def way_to_numbers(dtype: DType) -> Words:
    """Say what makes numbers of the values of a quantized type, nothing where it is another."""
    cast = Spelling("paramctl convert --dtype float32", "cast('float32')")
    return (cast, " makes numbers of its values") if dtype.name in PACKINGS else ""


class Dequantized(Derived):
    """The values of a quantized entry's storage, as little-endian float32."""

    def __init__(self, entry: Entry) -> None:
        assert entry.storage is not None  # noqa: S101 (for the type checker: its caller looks)
        self._storage = entry.storage
        self._packing = PACKINGS[entry.dtype.name]
        self._blocks = np.dtype(self._packing.fields).newbyteorder(
            ">" if entry.storage.big_endian else "<"
        )
        self._width = entry.dtype.block * 4  # bytes that a block becomes
        source = entry.storage.source
        size = entry.storage.nbytes // self._blocks.itemsize * self._width
        super().__init__(source.name, size, [source])

    def _read(self, offset: int, length: int) -> bytes:
        return read_units(offset, length, self._width, self._unpack)

    def _unpack(self, first: int, count: int) -> bytes:
        """Return the values of some blocks."""
        size = self._blocks.itemsize
        data = self._storage.source.read(self._storage.offset + first * size, count * size)
        values = self._packing.values(np.frombuffer(data, self._blocks))
        return values.astype("<f4", copy=False).tobytes()
