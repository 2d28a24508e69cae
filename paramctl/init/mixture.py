"""A mixture of distributions."""

from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING

from paramctl.init.distributions import Distribution
from paramctl.init.namespaces import Array, namespace

if TYPE_CHECKING:
    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class Mixture(Distribution):
    """Each element by one of `parts`, with a probability that is its weight.

    The first draw chooses: part `i` where the word lies from `thresholds[i]` on and below the next.
    The parts take the draws that follow, each its own.
    """

    weights: tuple[float, ...]
    parts: tuple[Distribution, ...]

    @property
    def draws(self) -> int:
        """One for the choice, and those of the parts."""
        return 1 + sum(part.draws for part in self.parts)

    @property
    def is_blockwise(self) -> bool:
        """Whether all parts are."""
        return all(part.is_blockwise for part in self.parts)

    @property
    def mean(self) -> float | None:
        """The weighted mean of the parts' means."""
        means = [part.mean for part in self.parts]
        return _weigh(self.weights, means)

    @property
    def std(self) -> float | None:
        """The square root of the mean of the squares, less the square of the mean."""
        squares = [_square(part) for part in self.parts]
        mean, square = self.mean, _weigh(self.weights, squares)
        return None if mean is None or square is None else sqrt(max(square - mean * mean, 0.0))

    @property
    def thresholds(self) -> tuple[int, ...]:
        """The first of the 2^32 words that choose each part."""
        total = sum(self.weights)
        sums = accumulate(self.weights[:-1], initial=0.0)
        return tuple(round(before / total * 2**32) for before in sums)

    def sample(self, stream: "Stream", start: int, count: int) -> Array:
        """Return `count` values from `start` on."""
        words = stream.words(start, count)
        if stream.device != "cpu":
            words = words.long() & 0xFFFFFFFF  # an int32 would compare as negative
        values, draw = stream.empty(count), 1
        for part, threshold in zip(self.parts, self.thresholds, strict=True):
            drawn = part.sample(stream.skip(draw), start, count)
            values = namespace(values).where(words >= threshold, drawn, values)
            draw += part.draws
        return values


def _weigh(weights: tuple[float, ...], values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    total = sum(weights)
    return sum(weight / total * value for weight, value in zip(weights, known, strict=True))


def _square(part: Distribution) -> float | None:
    """Return the mean of a distribution's squares."""
    return None if part.mean is None or part.std is None else part.std**2 + part.mean**2
