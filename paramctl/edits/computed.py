"""The bytes of a parameter that are computed where they are read, a box of it at a time."""

from abc import abstractmethod
from collections.abc import Collection

from paramctl.checkpoint import Entry
from paramctl.slices import Box, boxes
from paramctl.sources import Source


class Computed(Source):
    """A tensor's elements, little-endian and row-major; `operands` are what they are made of."""

    def __init__(self, entry: Entry, operands: Collection[Entry]) -> None:
        self.name = entry.name
        self.entry = entry._replace(layout="strided", strides=None, offset=0)
        self.size = self.entry.nbytes
        storages = (operand.storage for operand in operands)
        self.bases = list({id(each.source): each.source for each in storages if each}.values())
        self.sequential = any(base.sequential for base in self.bases)

    @abstractmethod
    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""

    def _read(self, offset: int, length: int) -> bytes:
        item = self.entry.dtype.bits // 8
        first, end = offset // item, -(-(offset + length) // item)
        data = b"".join(map(self.compute, boxes(self.entry.shape, first, end - first)))
        begin = offset - first * item
        return data[begin : begin + length]

    def release(self) -> None:
        """Let go of what it reads."""
        for base in self.bases:
            base.release()

    def check_unchanged(self) -> None:
        """Raise FileError if what it reads has changed."""
        for base in self.bases:
            base.check_unchanged()
