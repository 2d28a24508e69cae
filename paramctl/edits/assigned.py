"""The bytes of a parameter of which a region is given new values, computed where they are read."""

from collections.abc import Callable, Collection

import numpy as np

from paramctl.arrays import raw
from paramctl.checkpoint import Entry
from paramctl.edits.regions import Region
from paramctl.narrowing import narrow, value_type
from paramctl.slices import Box, boxes, select
from paramctl.sources import Source
from paramctl.widening import Array


class Assigned(Source):
    """A tensor's elements, little-endian and row-major.

    `compute` returns the new values for a box of the region, counted from the region's corner; the
    values that it reads are those of `operands`.
    """

    def __init__(
        self,
        old: Entry,
        region: Region,
        compute: Callable[[Box], Array],
        operands: Collection[Entry],
    ) -> None:
        self.name = old.name
        self.size = old.nbytes
        self._old = old
        self._region = region
        self._compute = compute
        self._is_whole = region.shape == old.shape
        storages = (entry.storage for entry in (old, *operands))
        self._bases = list({id(each.source): each.source for each in storages if each}.values())
        self.depth = 1 + max(depth_of(base) for base in self._bases)
        self.sequential = any(base.sequential for base in self._bases)
        self._stored = narrow(np.empty(0, value_type(old.dtype)), old.dtype).dtype

    def _read(self, offset: int, length: int) -> bytes:
        item = self._stored.itemsize
        first, end = offset // item, -(-(offset + length) // item)
        data = b"".join(
            self._elements(box).tobytes() for box in boxes(self._old.shape, first, end - first)
        )
        begin = offset - first * item
        return data[begin : begin + length]

    def release(self) -> None:
        """Let go of what it reads."""
        for base in self._bases:
            base.release()

    def check_unchanged(self) -> None:
        """Raise FileError if what it reads has changed."""
        for base in self._bases:
            base.check_unchanged()

    def _elements(self, box: Box) -> Array:
        """Return the stored elements of a box of the tensor."""
        share = self._region.share_of(box)
        if share and self._is_whole:
            return narrow(self._compute(share[1]), self._old.dtype)
        part = select(self._old, box)
        data = bytearray().join(raw(part))
        elements = np.frombuffer(data, self._stored).reshape(part.shape)
        if share:
            in_box, own = share
            elements[in_box] = narrow(self._compute(own), self._old.dtype)
        return elements


def depth_of(source: Source) -> int:
    """Return how many assignments stand upon one another in a source."""
    return source.depth if isinstance(source, Assigned) else 0
