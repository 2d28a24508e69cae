"""The bytes of a parameter of another shape: the old elements where there are some, else new."""

from collections.abc import Iterator

import numpy as np

from paramctl.arrays import raw
from paramctl.checkpoint import Entry
from paramctl.edits.computed import Computed
from paramctl.slices import Box, select, shape_of, within


class Resized(Computed):
    """A tensor that keeps the elements of `old` at their indices, bit by bit.

    The others are those of `filling`, which has the new shape; without one, no dimension grows.
    """

    def __init__(self, resized: Entry, old: Entry, filling: Entry | None) -> None:
        super().__init__(resized, (old, filling) if filling else (old,))
        self._old = old
        self._filling = filling
        self._stored = np.dtype(f"V{resized.dtype.bits // 8}")

    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""
        elements = np.empty(shape_of(box), self._stored)
        corner = [side.start for side in box]
        for entry, part in self._parts(box):
            data = b"".join(raw(select(entry, part)))
            place = elements[within(part, corner)]
            place[...] = np.frombuffer(data, self._stored).reshape(place.shape)
        return elements.tobytes()

    def _parts(self, box: Box) -> Iterator[tuple[Entry, Box]]:
        """Cut a box into new parts, one for each dimension that grows, and the old rest."""
        rest = list(box)
        for axis, (side, size) in enumerate(zip(box, self._old.shape, strict=True)):
            if self._filling and side.stop > size:
                new = slice(max(side.start, size), side.stop)
                yield self._filling, (*rest[:axis], new, *box[axis + 1 :])
                if side.start >= size:
                    return
                rest[axis] = slice(side.start, size)
        yield self._old, tuple(rest)
