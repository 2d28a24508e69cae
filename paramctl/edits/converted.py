"""The bytes of a parameter in another type, rounded where they are read."""

from paramctl.arrays import blocks
from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import DType
from paramctl.narrowing import count_overflows, largest, narrow
from paramctl.slices import boxes, select
from paramctl.sources import Source


class Converted(Source):
    """A tensor's elements in another type, little-endian and row-major.

    `overflows` are the finite values read so far that the type has no place for: where a range of
    bytes begins -> how many.
    """

    def __init__(self, old: Entry, storage: Storage, dtype: DType) -> None:
        self.name = old.name
        self.size = old.numel * dtype.bits // 8
        self.sequential = storage.source.sequential
        self.overflows: dict[int, int] = {}
        self._old = old
        self._base = storage.source
        self._dtype = dtype
        self._may_overflow = largest(old.dtype) > largest(dtype)

    def _read(self, offset: int, length: int) -> bytes:
        item = self._dtype.bits // 8
        first, end = offset // item, -(-(offset + length) // item)
        data, overflows = bytearray(), 0
        for box in boxes(self._old.shape, first, end - first):
            for values in blocks(select(self._old, box)):
                elements = narrow(values, self._dtype)
                if self._may_overflow:
                    overflows += count_overflows(values, elements, self._dtype)
                data += elements.tobytes()
        if overflows:
            self.overflows[offset] = overflows
        begin = offset - first * item
        return bytes(data[begin : begin + length])

    def release(self) -> None:
        """Let go of what it reads."""
        self._base.release()

    def check_unchanged(self) -> None:
        """Raise FileError if what it reads has changed."""
        self._base.check_unchanged()
