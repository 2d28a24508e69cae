"""Whether values are what a scheme draws: their measured moments against the theoretical ones."""

from math import inf, isfinite, sqrt
from typing import NamedTuple

import numpy as np

from paramctl.arrays import read
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.edits.draws import Draw, Plan
from paramctl.slices import split
from paramctl.widening import FLOAT8

SIGMAS = 6.0  # standard errors: one in 10^9 honest draws is farther off
MANTISSA = {
    "bfloat16": 7,
    "float16": 10,
    **{name: 7 - exponent_bits for name, (exponent_bits, *_) in FLOAT8.items()},
}
"""The bits behind the point of a float; 23 where values are stored as they are drawn."""

BLOCK = 1 << 20  # elements that are measured at a time


class Moments(NamedTuple):
    """Of values: the mean, and the second and fourth moments about the theoretical mean."""

    numel: int
    mean: float
    variance: float
    fourth: float


class Deviation(NamedTuple):
    """A parameter whose values are not what its scheme draws, or not even finite."""

    name: str
    scheme: str
    theory: tuple[float, float] | None
    measured: tuple[float, float]

    def __str__(self) -> str:
        if self.theory is None:
            return f"'{self.name}' has values that are not finite, by {self.scheme}"
        (mean, std), (measured_mean, measured_std) = self.theory, self.measured
        return (
            f"'{self.name}' has mean {measured_mean:.6g} and std {measured_std:.6g}; "
            f"{self.scheme} has {mean:.6g} and {std:.6g}"
        )


def find_deviations(checkpoint: Checkpoint, plan: Plan) -> list[Deviation]:
    """Compare mean and std of all that was drawn with the theory, as far as there is one."""
    found = []
    for draw in plan.draws:
        entry = checkpoint.entries[draw.names[0]]
        found.append(_compare(entry, draw))
        if entry.storage:
            entry.storage.source.release()  # a matrix that was computed as a whole
    return [deviation for deviation in found if deviation]


def _compare(entry: Entry, draw: Draw) -> Deviation | None:
    mean, std = draw.distribution.mean, draw.distribution.std
    if not entry.numel:
        return None
    moments = measure(entry, mean or 0.0)
    if mean is None or std is None:
        if isfinite(moments.variance):
            return None
        return Deviation(entry.name, str(draw.rule.scheme), None, (moments.mean, inf))
    if _mean_agrees(moments, mean, std, entry) and _variance_agrees(moments, mean, std, entry):
        return None
    own_variance = moments.variance - (moments.mean - mean) ** 2
    measured = (moments.mean, sqrt(max(own_variance, 0.0)))
    return Deviation(entry.name, str(draw.rule.scheme), (mean, std), measured)


def measure(entry: Entry, centre: float) -> Moments:
    """Return an entry's moments about `centre`, in one pass over its blocks, in float64."""
    count, first, second, fourth = entry.numel, 0.0, 0.0, 0.0
    for block in split(entry, BLOCK):
        distances = read(block).astype(np.float64).ravel() - centre
        squares = distances * distances
        with np.errstate(invalid="ignore"):  # infinities of both signs
            first += float(distances.sum())
        second += float(squares.sum())
        fourth += float(squares @ squares)
    return Moments(count, centre + first / count, second / count, fourth / count)


def _mean_agrees(moments: Moments, mean: float, std: float, entry: Entry) -> bool:
    error = sqrt(max(moments.variance, std**2) / moments.numel)
    return abs(moments.mean - mean) <= SIGMAS * error + _rounding(entry) * (abs(mean) + std)


def _variance_agrees(moments: Moments, mean: float, std: float, entry: Entry) -> bool:
    """Allow for the error of a normal's variance at least, and for the chi-squared tail of few.

    The fourth moment is more than the variance of the squares, but that of few cannot be measured.
    """
    error = sqrt(max(moments.fourth, 3 * std**4) / moments.numel)
    room = SIGMAS * error + SIGMAS**2 * std**2 / moments.numel if std else 0.0
    room += _rounding(entry) * (abs(mean) + std) ** 2
    return abs(moments.variance - std**2) <= room < inf


def _rounding(entry: Entry) -> float:
    """Return by how much storing a value may change it: half a unit in the last place of 1."""
    return 2.0 ** -(1 + MANTISSA.get(entry.dtype.name, 23))
