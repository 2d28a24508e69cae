"""The bytes of a parameter of which a region is given new values, computed where they are read."""

from collections.abc import Callable, Collection

import numpy as np

from paramctl.arrays import elements
from paramctl.checkpoint import Entry
from paramctl.edits.computed import Computed
from paramctl.edits.regions import Region
from paramctl.narrowing import narrow
from paramctl.slices import Box, select
from paramctl.sources import Source
from paramctl.widening import Array


class Assigned(Computed):
    """A tensor with a region of new values.

    `compute_new` returns them for a box of the region, counted from the region's corner; the values
    that it reads are those of `operands`.
    """

    def __init__(
        self,
        old: Entry,
        region: Region,
        compute_new: Callable[[Box], Array],
        operands: Collection[Entry],
    ) -> None:
        super().__init__(old, (old, *operands))
        self._old = old
        self._region = region
        self._compute_new = compute_new
        self._is_whole = region.shape == old.shape
        self.depth = 1 + max(depth_of(base) for base in self.bases)

    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""
        dtype = self.entry.dtype
        share = self._region.share_of(box)
        if share and self._is_whole:
            return narrow(self._compute_new(share[1]), dtype).tobytes()
        part = select(self._old, box)
        stored = np.concatenate(list(elements(part))).reshape(part.shape)
        if share:
            in_box, own = share
            stored[in_box] = narrow(self._compute_new(own), dtype)
        return stored.tobytes()


def depth_of(source: Source) -> int:
    """Return how many assignments stand upon one another in a source."""
    return source.depth if isinstance(source, Assigned) else 0
