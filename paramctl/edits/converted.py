"""The bytes of a parameter in another type, rounded where they are read."""

from paramctl.arrays import blocks
from paramctl.checkpoint import Entry
from paramctl.dtypes import DType
from paramctl.edits.computed import Computed
from paramctl.narrowing import count_overflows, largest, narrow
from paramctl.slices import Box, select


class Converted(Computed):
    """A tensor's elements in another type.

    `overflows` are the finite values read so far that the type has no place for: the corner of a
    box -> how many.
    """

    def __init__(self, old: Entry, dtype: DType) -> None:
        super().__init__(old._replace(dtype=dtype), (old,))
        self.overflows: dict[tuple[int, ...], int] = {}
        self._old = old
        self._may_overflow = largest(old.dtype) > largest(dtype)

    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""
        data, overflows = bytearray(), 0
        for values in blocks(select(self._old, box)):
            elements = narrow(values, self.entry.dtype)
            if self._may_overflow:
                overflows += count_overflows(values, elements, self.entry.dtype)
            data += elements.tobytes()
        if overflows:
            self.overflows[tuple(side.start for side in box)] = overflows
        return bytes(data)
