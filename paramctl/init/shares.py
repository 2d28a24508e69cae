"""The normal distribution function in Python's floats: how much of it lies where."""

from math import exp, isfinite, pi, sqrt
from typing import NamedTuple

ROOT = sqrt(2 * pi)
TERMS = 200  # of the series and of the fraction: enough for float64 on either side of -1.5
FLAT = 1e-3  # by which the density may change in an interval that counts as flat


class Interval(NamedTuple):
    """A part of the standard normal distribution, by its ends; these may be infinite."""

    low: float
    high: float

    @property
    def share(self) -> float:
        """How much of the distribution it holds."""
        return share_below(self.high) - share_below(self.low)

    @property
    def is_flat(self) -> bool:
        """Whether it is so narrow that the density hardly changes in it, and differences lie."""
        return (self.high - self.low) * max(1.0, abs(self.low), abs(self.high)) < FLAT

    @property
    def mean(self) -> float:
        """The mean of the distribution cut to it (Johnson, Kotz and Balakrishnan 1994, 10.1)."""
        if self.is_flat:
            return (self.low + self.high) / 2
        return (_density(self.low) - _density(self.high)) / self.share

    @property
    def std(self) -> float:
        """The standard deviation of the distribution cut to it (same place)."""
        if self.is_flat:
            return (self.high - self.low) / sqrt(12)
        square = 1 + (_moment(self.low) - _moment(self.high)) / self.share
        return sqrt(max(square - self.mean**2, 0.0))

    def mirrored(self) -> "Interval":
        """Return its mirror image at 0."""
        return Interval(-self.high, -self.low)


def share_below(x: float) -> float:
    """Return how much of the standard normal distribution lies below x.

    By operations that are the same everywhere, which `math.erfc` is not: near 0 the density times
    x + x^3/3 + x^5/(3 5) + ... (Abramowitz and Stegun 26.2.11), in the tail the density over
    Laplace's continued fraction -x + 1/(-x + 2/(-x + 3/...)) (26.2.14).
    """
    from decimal import Context, Decimal  # noqa: PLC0415 (it takes 3 ms to import)

    if x > 0:
        return 1 - share_below(-x)
    density = float(Context(prec=30).exp(Decimal(-x * x / 2))) / ROOT
    if x > -1.5:
        term = total = x
        for odd in range(3, TERMS, 2):
            term *= x * x / odd
            total += term
        return 0.5 + density * total
    fraction = 0.0
    for number in range(TERMS, 0, -1):
        fraction = number / (fraction - x)
    return density / (fraction - x)


def _density(x: float) -> float:
    return exp(-x * x / 2) / ROOT


def _moment(x: float) -> float:
    """Return x times the density, which vanishes at infinity."""
    return x * _density(x) if isfinite(x) else 0.0
