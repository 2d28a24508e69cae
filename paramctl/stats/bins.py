"""Bins of one width, and how many values lie in each: as numpy's histogram, in less time."""

from math import isfinite, ulp
from sys import float_info
from typing import NamedTuple, Self

import numpy as np

from paramctl.widening import Array

ULPS = 4  # of a bin's width at least: edges that are closer are not told apart
LARGEST = float_info.max
SCALE = 1 / 8  # of values that are so large that what is computed of their edges overflows
CHUNK = 1 << 14  # values that are looked at together: they stay in the cache of a core


class Bins(NamedTuple):
    """So many bins of one width from `low` to `high`, which are of values times `scale`.

    As in numpy, a value on an edge is in the bin behind it, the last bin has both of its edges.
    """

    low: float
    high: float
    number: int
    scale: float = 1.0

    @classmethod
    def between(cls, low: float, high: float, number: int) -> Self:
        """Return bins from the least value to the largest, or around those that are all but one."""
        scale = SCALE if max(abs(low), abs(high)) > LARGEST * SCALE else 1.0
        low, high = low * scale, high * scale
        largest = max(abs(low), abs(high))
        least = number * ULPS * ulp(largest)
        if high - low < least:
            middle, reach = (low + high) / 2, max(largest / 4, least) if largest else 0.5
            low = max(middle - reach, -LARGEST * SCALE)
            high = min(middle + reach, LARGEST * SCALE)
        return cls(low, high, number, scale)

    @property
    def edges(self) -> Array:
        """Where they begin, and where the last one ends."""
        return self._scaled_edges() / self.scale

    @np.errstate(over="ignore", invalid="ignore")  # of infinities, which are left out
    def count_values(self, values: Array) -> Array:
        """Return how many values are in each; those that are not finite are in none."""
        edges, counts = self._scaled_edges(), np.zeros(self.number + 1, np.int64)
        for start in range(0, values.size, CHUNK):
            chunk = values[start : start + CHUNK].astype(np.float64)
            chunk *= self.scale
            counts += np.bincount(self._find(chunk, edges), minlength=counts.size)
        counts[-2] += counts[-1]  # what is on the last edge
        return counts[:-1]

    def _scaled_edges(self) -> Array:
        return np.linspace(self.low, self.high, self.number + 1)

    def _find(self, values: Array, edges: Array) -> Array:
        """Return the bins of values: those near an edge, for which rounding decides, by the edges.

        What is computed is off by some units in the last place of the largest value and of the
        number of bins.
        """
        width = (self.high - self.low) / self.number
        exact = values - self.low
        exact /= width  # its inverse may be more than float64 holds
        if not isfinite(float(exact.sum())):
            finite = np.isfinite(exact)
            values, exact = values[finite], exact[finite]
        places: Array = exact.astype(np.intp)
        exact -= np.rint(exact)
        blur = 8 * ulp(max(-self.low, self.high)) / width
        near = np.flatnonzero(np.abs(exact, out=exact) <= blur + self.number * ulp(4.0))
        places[near] = np.searchsorted(edges, values[near], side="right") - 1
        return places
