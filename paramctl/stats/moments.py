"""Mean, spread, extremes and counts of values, in one pass, accurate to float64."""

from math import hypot, inf, isfinite, sqrt
from typing import Self

import numpy as np

from paramctl.widening import Array

SMALL = 1e-280  # squares that are less have lost digits, or are zero
SAMPLE = 4096  # values of a parameter that are kept for its histogram


class Moments:
    """What values come to; NaN and infinities are counted, and left out of all the rest.

    `low` and `high` are whole where all values are, and None where none is finite. The blocks'
    means and spreads are put together by Chan, Golub and LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", 1979.
    """

    def __init__(self, numel: int) -> None:
        """Begin with nothing; `numel` values are to come, from which a sample is kept."""
        self._step = max(1, numel // SAMPLE)
        self._samples: list[Array] = []
        self.count = self.nans = self.infinities = self.zeros = 0
        self.mean = self._std = 0.0
        self.low: float | None = None
        self.high: float | None = None

    def __repr__(self) -> str:
        numbers = {"mean": self.mean, "std": self._std, "low": self.low, "high": self.high}
        counts = {"zeros": self.zeros, "nans": self.nans, "infinities": self.infinities}
        told = [f"{name} {value:.4g}" for name, value in numbers.items() if self.count]
        told += [f"{name} {count:,}" for name, count in counts.items() if count]
        return f"<{', '.join([f'Moments of {self.numel:,} values', *told])}>"

    @property
    def numel(self) -> int:
        """All values, finite or not."""
        return self.count + self.nans + self.infinities

    @property
    def std(self) -> float | None:
        """The standard deviation of the values themselves, not an estimate from a sample."""
        return self._std if self.count else None

    @property
    def norm(self) -> float:
        """The root of the sum of squares, L2."""
        return sqrt(self.count) * hypot(self._std, self.mean)

    @property
    def largest(self) -> float | None:
        """The largest absolute value."""
        return None if self.low is None or self.high is None else max(abs(self.low), self.high)

    @property
    def sample(self) -> Array:
        """Finite values that stand for all, evenly taken."""
        return np.concatenate(self._samples) if self._samples else np.empty(0)

    @np.errstate(over="ignore", invalid="ignore")  # squares beyond 10^308, infinities of both signs
    def add(self, *blocks: Array) -> None:
        """Look at a block."""
        (block,) = blocks
        values = block.astype(np.float64)
        total = float(values.sum())
        if not isfinite(total):
            block, values = self._without_others(block, values)
            total = float(values.sum())
        if not values.size:
            return
        low, high = block.min().item() + 0, block.max().item() + 0  # no -0
        mean = total / values.size if isfinite(total) else float((values / values.size).sum())
        mean = _clamp(mean, low, high)
        values -= mean
        values *= values  # no dot product: BLAS has threads of its own, in the way of ours
        variance = float(values.sum()) / values.size
        is_whole = SMALL < variance < inf
        self._stretch(low, high)
        self._join(block.size, mean, sqrt(variance) if is_whole else _find_std(block, mean))
        self.zeros += block.size - int(np.count_nonzero(block))
        self._samples.append(block[:: self._step].astype(np.float64))

    def merge(self, later: Self) -> None:
        """Take in what was found in the blocks behind."""
        self.nans += later.nans
        self.infinities += later.infinities
        self.zeros += later.zeros
        self._samples += later._samples
        if later.low is not None and later.high is not None:
            self._stretch(later.low, later.high)
            self._join(later.count, later.mean, later._std)

    def _join(self, count: int, mean: float, std: float) -> None:
        """Take in values with this mean and spread, the extremes being known.

        No step is larger than the values are.
        """
        share, rest = count / (self.count + count), self.count / (self.count + count)
        half_apart = mean / 2 - self.mean / 2
        between = half_apart * (2 * sqrt(share * rest))
        self._std = hypot(self._std * sqrt(rest), std * sqrt(share), between)
        mean = self.mean + half_apart * share + half_apart * share
        self.mean = _clamp(mean, self.low, self.high)
        self.count += count

    def _stretch(self, low: float, high: float) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def _without_others(self, block: Array, values: Array) -> tuple[Array, Array]:
        """Count what is not finite, and return the rest."""
        finite = np.isfinite(values)
        nans = int(np.isnan(values).sum())
        self.nans += nans
        self.infinities += values.size - int(finite.sum()) - nans
        return block[finite], values[finite]


def _clamp(mean: float, low: float | None, high: float | None) -> float:
    """Return the mean, which roundings may have moved beyond the extremes, even to infinity."""
    return mean if low is None or high is None else min(max(mean, float(low)), float(high))


def _find_std(block: Array, mean: float) -> float:
    """Return the spread of values the squares of whose distances float64 does not hold."""
    halves = block.astype(np.float64) / 2 - mean / 2
    largest = float(np.abs(halves).max())
    return largest * sqrt(float(np.square(halves / largest).mean())) * 2 if largest else 0.0
