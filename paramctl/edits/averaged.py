"""The mean of a parameter along one dimension, computed when it is first read."""

from collections.abc import Iterator
from math import prod
from threading import Lock

import numpy as np

from paramctl.arrays import read
from paramctl.checkpoint import Entry
from paramctl.edits.computed import Computed
from paramctl.narrowing import narrow
from paramctl.slices import Box, boxes, select, shape_of
from paramctl.widening import Array

BLOCK = 1 << 17  # elements that are in memory at a time


class Averaged(Computed):
    """The means of a parameter's values along dimension `axis`, which has size 1; in its own type.

    What rounding takes from each addition is added up too (Ogita, Rump and Oishi, "Accurate sum
    and dot product", 2005, algorithm 4.1), so a mean is off by a unit in the last place of float64
    at most, before it is rounded to the type.
    """

    def __init__(self, entry: Entry, axis: int) -> None:
        shape = (*entry.shape[:axis], 1, *entry.shape[axis + 1 :])
        super().__init__(entry._replace(shape=shape), (entry,))
        self._values = entry
        self._axis = axis
        self._lock = Lock()
        self._kept: Array | None = None

    def compute(self, box: Box) -> bytes:
        """Return the means of a box."""
        with self._lock:
            if self._kept is None:
                means = _means(self._values, self._axis).reshape(self.entry.shape)
                self._kept = narrow(means, self.entry.dtype)
            return self._kept[box].tobytes()


class _Sums:
    """The sums of rows, and next to them what rounding has taken from these."""

    def __init__(self, width: int) -> None:
        self.high: Array = np.zeros(width)
        self.low: Array = np.zeros(width)

    def add(self, rows: Array) -> None:
        """Add rows up, two halves at a time."""
        while len(rows):
            if len(rows) % 2:
                self.high, error = _add(self.high, rows[-1])
                self.low += error
            half = len(rows) // 2
            rows, errors = _add(rows[:half], rows[half : 2 * half])
            self.low += errors.sum(axis=0)

    def means(self, count: int) -> Array:
        """Return the sums over a count; infinite ones have no rounding."""
        return np.where(np.isfinite(self.high), self.high + self.low, self.high) / count


def _add(a: Array, b: Array) -> tuple[Array, Array]:
    """Return sums and their rounding errors (Knuth, TAOCP 2, 4.2.2, theorem B)."""
    total = a + b
    rest = total - a
    return total, (a - (total - rest)) + (b - rest)


def _means(entry: Entry, axis: int) -> Array:
    """Return the means, a row for each of all the dimensions but one."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate(list(_parts(entry, axis)))


def _parts(entry: Entry, axis: int) -> Iterator[Array]:
    """Yield the means in their order."""
    if not axis:
        rest = entry.shape[1:]
        for start in range(0, prod(rest), BLOCK):
            for box in boxes(rest, start, min(BLOCK, prod(rest) - start)):
                yield _means_of_rows(entry, box)
        return
    inner = prod(entry.shape[1:])
    rows = BLOCK // inner
    for start in range(0, entry.shape[0], max(1, rows)):
        if rows:
            values = read(select(entry, (slice(start, start + rows),))).astype(np.float64)
            values = np.moveaxis(values, axis, 0).reshape(entry.shape[axis], -1)
            sums = _Sums(values.shape[1])
            sums.add(values)
            yield sums.means(len(values))
        else:
            yield from _parts(select(entry, (start,)), axis - 1)


def _means_of_rows(entry: Entry, box: Box) -> Array:
    """Return the means along the first dimension, in a box of the others."""
    size = entry.shape[0]
    width = prod(shape_of(box))
    rows = max(1, BLOCK // width)
    sums = _Sums(width)
    for start in range(0, size, rows):
        part = select(entry, (slice(start, start + rows), *box))
        sums.add(read(part).astype(np.float64).reshape(-1, width))
    return sums.means(size)
