"""Histograms: how many values lie in each of evenly spaced bins, exactly, in two passes."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from paramctl.passes import Group, Progress, find_all
from paramctl.stats.bins import Bins
from paramctl.stats.moments import Moments
from paramctl.stats.reals import RealMoments, as_real
from paramctl.widening import Array

WHOLE = 1 << 52  # whole numbers up to here have halves between them


class Histogram(NamedTuple):
    """The counts of values between edges, for each entry of a group in the same bins.

    Where nothing is finite there are no bins.
    """

    edges: Array
    counts: tuple[Array, ...]
    moments: tuple[Moments, ...]


def find_histograms(groups: Sequence[Group], most: int, progress: Progress) -> list[Histogram]:
    """Return a histogram of at most so many bins for each group of entries, of any shapes."""
    entries = [(entry,) for group in groups for entry in group]
    moments = find_all(entries, lambda place: RealMoments(entries[place][0].numel), progress)
    found = iter(moments)
    of_groups = [[next(found) for _ in group] for group in groups]
    bins = [choose_bins(each, most) for each in of_groups]
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


def choose_bins(moments: Sequence[Moments], most: int) -> Bins | None:
    """Return bins that hold all finite values; None where there is none.

    Those of whole numbers are as wide as a whole number and have their middles on them, so that
    none holds more of them than another.
    """
    lows = [each.low for each in moments if each.low is not None]
    highs = [each.high for each in moments if each.high is not None]
    if not lows:
        return None
    low, high = min(lows), max(highs)
    is_whole = all(isinstance(each, int) for each in (*lows, *highs))
    if is_whole and max(abs(low), abs(high)) < WHOLE:
        span = int(high) - int(low) + 1
        width = -(-span // most)
        number = -(-span // width)
        return Bins(low - 0.5, low - 0.5 + number * width, number)
    return Bins.between(float(low), float(high), most)


class _Counts:
    """How many values there are in each bin."""

    def __init__(self, bins: Bins | None) -> None:
        self._bins = bins
        self.counts: Array = np.zeros(bins.number if bins else 0, np.int64)

    def add(self, *blocks: Array) -> None:
        """Look at a block."""
        if self._bins:
            for block in blocks:
                values = as_real(block) if block.dtype.kind == "c" else block
                self.counts += self._bins.count_values(values)

    def merge(self, later: Self) -> None:
        """Take in what was counted in the blocks behind."""
        self.counts += later.counts
