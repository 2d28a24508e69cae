"""The bytes of a parameter in another type, rounded where they are read."""

from paramctl.arrays import elements
from paramctl.checkpoint import Entry
from paramctl.conversion import Conversion
from paramctl.dtypes import DType
from paramctl.edits.computed import Computed
from paramctl.quantized import dequantized
from paramctl.slices import Box, flatten, select


class Converted(Computed):
    """A tensor's elements in another type.

    `overflows` are the finite values read so far that the type has no place for: the corner of a
    box -> how many.
    """

    def __init__(self, old: Entry, dtype: DType) -> None:
        self._old = flatten(dequantized(old))
        super().__init__(self._old._replace(dtype=dtype), (old,))
        self.overflows: dict[tuple[int, ...], int] = {}
        self._conversion = Conversion(self._old.dtype, dtype)

    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""
        converted, overflows = [], 0
        for block in elements(select(self._old, box)):
            converted.append(self._conversion.convert(block))
            overflows += self._conversion.count_overflows(block, converted[-1])
        if overflows:
            self.overflows[tuple(side.start for side in box)] = overflows
        return b"".join(part.data for part in converted)
