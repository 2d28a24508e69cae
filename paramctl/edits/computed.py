"""The bytes of a parameter that are computed where they are read, a box of it at a time."""

from abc import abstractmethod
from collections.abc import Collection

from paramctl.checkpoint import Entry
from paramctl.derived import Derived
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
        item = self.entry.dtype.bits // 8
        first, end = offset // item, -(-(offset + length) // item)
        data = b"".join(map(self.compute, boxes(self.entry.shape, first, end - first)))
        begin = offset - first * item
        return data[begin : begin + length]
