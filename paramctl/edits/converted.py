"""The bytes of a parameter in another type, rounded where they are read."""

import numpy as np

from paramctl.arrays import raw
from paramctl.checkpoint import Entry
from paramctl.conversion import Conversion
from paramctl.dtypes import DType
from paramctl.edits.computed import Computed
from paramctl.quantized import dequantized
from paramctl.slices import Box, select


class Converted(Computed):
    """A tensor's elements in another type.

    `overflows` are the finite values read so far that the type has no place for: the corner of a
    box -> how many.
    """

    def __init__(self, old: Entry, dtype: DType) -> None:
        super().__init__(old._replace(dtype=dtype), (old,))
        self.overflows: dict[tuple[int, ...], int] = {}
        self._old = dequantized(old)
        self._conversion = Conversion(self._old.dtype, dtype)

    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""
        part = select(self._old, box)
        converted = np.empty(part.numel, self._conversion.stored)
        position = overflows = 0
        for block in raw(part):
            elements = np.frombuffer(block, self._conversion.read)
            end = position + elements.size
            converted[position:end] = self._conversion.convert(elements)
            overflows += self._conversion.count_overflows(elements, converted[position:end])
            position = end
        if overflows:
            self.overflows[tuple(side.start for side in box)] = overflows
        return converted.tobytes()
