"""The bytes of a parameter that are computed where they are read, a box of it at a time."""

from abc import abstractmethod
from collections.abc import Collection

from paramctl.checkpoint import Entry
from paramctl.derived import Derived, read_units
from paramctl.slices import Box, boxes


class Computed(Derived):
    """A tensor's elements, little-endian and row-major; `operands` are what they are made of."""

    def __init__(self, entry: Entry, operands: Collection[Entry]) -> None:
        self.entry = entry._replace(layout="strided", strides=None, offset=0)
        storages = (operand.storage for operand in operands)
        super().__init__(entry.name, self.entry.nbytes, (each.source for each in storages if each))

    @abstractmethod
    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""

    def _read(self, offset: int, length: int) -> bytes:
        return read_units(offset, length, self.entry.dtype.bits // 8, self._elements)

    def _elements(self, first: int, count: int) -> bytes:
        return b"".join(map(self.compute, boxes(self.entry.shape, first, count)))
