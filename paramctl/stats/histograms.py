"""Histograms: how many values lie in each of evenly spaced bins, exactly, in two passes."""

from collections.abc import Sequence
from math import ulp
from sys import float_info
from typing import NamedTuple, Self

import numpy as np

from paramctl.arrays import value_type
from paramctl.passes import Group, Progress, find_all
from paramctl.stats.moments import Moments
from paramctl.stats.reals import RealMoments, as_real
from paramctl.widening import Array

ULPS = 4  # of a bin's width at least: edges that are closer are not told apart
WHOLE = 1 << 52  # whole numbers up to here have halves between them
LARGEST = float_info.max
SCALE = 1 / 8  # of values that are so large that what is computed of their edges overflows


class Histogram(NamedTuple):
    """The counts of values between edges, for each entry of a group in the same bins.

    As in numpy, a value on an edge is in the bin behind it, the last bin has both of its edges.
    Where nothing is finite there are no bins.
    """

    edges: Array
    counts: tuple[Array, ...]
    moments: tuple[Moments, ...]


class Bins(NamedTuple):
    """So many bins of one width from `low` to `high`, which are of values times `scale`."""

    low: float
    high: float
    number: int
    scale: float = 1.0

    @property
    def edges(self) -> Array:
        """Where they begin, and where the last one ends."""
        return np.linspace(self.low, self.high, self.number + 1) / self.scale


def find_histograms(groups: Sequence[Group], most: int, progress: Progress) -> list[Histogram]:
    """Return a histogram of at most so many bins for each group of entries, of any shapes."""
    entries = [(entry,) for group in groups for entry in group]
    moments = find_all(entries, lambda place: RealMoments(entries[place][0].numel), progress)
    found = iter(moments)
    of_groups = [[next(found) for _ in group] for group in groups]
    bins = [
        choose_bins(each, most, is_whole=_is_whole(group))
        for group, each in zip(groups, of_groups, strict=True)
    ]
    spread = [each for group, each in zip(groups, bins, strict=True) for _ in group]
    counted = iter(find_all(entries, lambda place: _Counts(spread[place]), progress))
    return [
        Histogram(
            each.edges if each else np.empty(0),
            tuple(next(counted).counts for _ in of_group),
            tuple(of_group),
        )
        for each, of_group in zip(bins, of_groups, strict=True)
    ]


def choose_bins(moments: Sequence[Moments], most: int, *, is_whole: bool) -> Bins | None:
    """Return bins that hold all finite values; None where there is none.

    Those of whole numbers are as wide as a whole number and have their middles on them, so that
    none holds more of them than another.
    """
    lows = [each.low for each in moments if each.low is not None]
    highs = [each.high for each in moments if each.high is not None]
    if not lows:
        return None
    low, high = min(lows), max(highs)
    if is_whole and max(abs(low), abs(high)) < WHOLE:
        span = int(high) - int(low) + 1
        width = -(-span // most)
        number = -(-span // width)
        return Bins(low - 0.5, low - 0.5 + number * width, number)
    return _spread(float(low), float(high), most)


def _spread(low: float, high: float, most: int) -> Bins:
    """Return bins from the least value to the largest, or around values that are all but one."""
    scale = SCALE if max(abs(low), abs(high)) > LARGEST * SCALE else 1.0
    low, high = low * scale, high * scale
    largest = max(abs(low), abs(high))
    least = most * ULPS * ulp(largest)
    if high - low < least:
        middle, reach = (low + high) / 2, max(largest / 4, least) if largest else 0.5
        low = max(middle - reach, -LARGEST * SCALE)
        high = min(middle + reach, LARGEST * SCALE)
    return Bins(low, high, most, scale)


def _is_whole(group: Group) -> bool:
    return all(value_type(entry).kind in "biu" for entry in group)


class _Counts:
    """How many values there are in each bin."""

    def __init__(self, bins: Bins | None) -> None:
        self._bins = bins
        self.counts: Array = np.zeros(bins.number if bins else 0, np.int64)

    def add(self, *blocks: Array) -> None:
        """Look at a block."""
        if not self._bins:
            return
        low, high, number, scale = self._bins
        for block in blocks:
            values = as_real(block)
            if scale != 1:
                values *= scale
            self.counts += np.histogram(values, number, (low, high))[0]

    def merge(self, later: Self) -> None:
        """Take in what was counted in the blocks behind."""
        self.counts += later.counts
