"""Whether values are what a scheme draws: their measured moments against the theoretical ones."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from paramctl.arrays import read
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.edits.draws import Draw, Plan
from paramctl.slices import split

SIGMAS = 6.0  # standard errors: one in 10^9 honest draws is farther off
ROUNDING = 2.0**-7  # of a value, stored in 16 bits or less
BLOCK = 1 << 20  # elements that are measured at a time


class Moments(NamedTuple):
    """Of values about the theoretical mean: the mean, the variance, and the variance of squares."""

    numel: int
    mean: float
    variance: float
    spread: float


class Deviation(NamedTuple):
    """A parameter whose values are not what its scheme draws."""

    name: str
    scheme: str
    theory: tuple[float, float]
    measured: tuple[float, float]

    def __str__(self) -> str:
        (mean, std), (measured_mean, measured_std) = self.theory, self.measured
        return (
            f"'{self.name}' has mean {measured_mean:.6g} and std {measured_std:.6g}; "
            f"{self.scheme} has {mean:.6g} and {std:.6g}"
        )


def find_deviations(checkpoint: Checkpoint, plan: Plan) -> list[Deviation]:
    """Compare mean and std of all that was drawn with the theory, as far as there is one."""
    found = [_compare(checkpoint[draw.names[0]], draw) for draw in plan.draws]
    return [deviation for deviation in found if deviation]


def _compare(entry: Entry, draw: Draw) -> Deviation | None:
    mean, std = draw.distribution.mean, draw.distribution.std
    if mean is None or std is None or not entry.numel:
        return None
    moments = measure(entry, mean)
    if _mean_agrees(moments, mean, std, entry) and _variance_agrees(moments, mean, std, entry):
        return None
    measured = (moments.mean, sqrt(moments.variance))
    return Deviation(entry.name, str(draw.rule.scheme), (mean, std), measured)


def measure(entry: Entry, centre: float) -> Moments:
    """Return an entry's moments about `centre`, in one pass over its blocks, in float64."""
    count, first, second, fourth = entry.numel, 0.0, 0.0, 0.0
    for block in split(entry, BLOCK):
        distances = read(block).astype(np.float64).ravel() - centre
        squares = distances * distances
        first += float(distances.sum())
        second += float(squares.sum())
        fourth += float(squares @ squares)
    variance = second / count
    return Moments(count, centre + first / count, variance, fourth / count - variance**2)


def _mean_agrees(moments: Moments, mean: float, std: float, entry: Entry) -> bool:
    error = sqrt(max(moments.variance, std**2) / moments.numel)
    return abs(moments.mean - mean) <= SIGMAS * error + _rounding(entry) * (abs(mean) + std)


def _variance_agrees(moments: Moments, mean: float, std: float, entry: Entry) -> bool:
    """Allow for the error of a normal's variance at least, and for the chi-squared tail of few."""
    error = sqrt(max(moments.spread, 2 * std**4) / moments.numel)
    room = SIGMAS * error + SIGMAS**2 * std**2 / moments.numel
    return abs(moments.variance - std**2) <= room + _rounding(entry) * (abs(mean) + std) ** 2


def _rounding(entry: Entry) -> float:
    return ROUNDING if entry.dtype.bits <= 16 else 2.0**-22
