from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
from devices import DEVICES, off
from scipy import stats  # type: ignore[import-untyped]
from scipy.special import ndtr  # type: ignore[import-untyped]

from paramctl.errors import UsageError
from paramctl.init.distributions import Constant, Distribution, Normal, TruncNormal, Uniform
from paramctl.init.streams import Stream

COUNT = 10**6
UNIFORMS = [Uniform(0.0, 1.0), Uniform(-0.0825, 0.0825), Uniform(5.0, 10.0), Uniform(-1e-30, 3e-30)]
NORMALS = [Normal(0.0, 1.0), Normal(0.0, 0.02), Normal(3.0, 0.5)]
NARROW = TruncNormal(0.0, 1.0, 0.5, 0.5005)
TRUNCATED = [
    TruncNormal(0.0, 1.0, -2.0, 2.0),
    TruncNormal(0.0, 0.02, -2.0, 2.0),
    TruncNormal(0.5, 0.25, 0.0, 0.6),
    TruncNormal(0.0, 1.0, 1.0, 3.0),
    TruncNormal(0.0, 1.0, -9.0, -8.0),
    TruncNormal(0.0, 1.0, 30.0, 31.0),
    TruncNormal(1.0, 2.0, 0.0, inf),
    NARROW,
]
ALL = [*UNIFORMS, *NORMALS, *TRUNCATED]


def cumulated(distribution: Distribution) -> Callable[[Any], Any]:
    """Return the distribution function; of the upper tail, by the lower one."""
    match distribution:
        case Uniform(low, high):
            return lambda x: (x - low) / (high - low)
        case Normal(location, scale):
            return lambda x: ndtr((x - location) / scale)
        case TruncNormal(location, scale, a, b) if a > location:
            mirrored = cumulated(TruncNormal(-location, scale, -b, -a))
            return lambda x: 1 - mirrored(-x)
        case TruncNormal(location, scale, a, b):
            below, above = ndtr((a - location) / scale), ndtr((b - location) / scale)
            return lambda x: (ndtr((x - location) / scale) - below) / (above - below)
    raise AssertionError


def scipys(distribution: Distribution) -> Any:
    match distribution:
        case Uniform(low, high):
            return stats.uniform(low, high - low)
        case Normal(location, scale):
            return stats.norm(location, scale)
        case TruncNormal(location, scale, a, b):
            ends = ((end - location) / scale for end in (a, b))
            return stats.truncnorm(*ends, location, scale)
    raise AssertionError


@pytest.mark.parametrize("distribution", ALL, ids=str)
def test_values_are_distributed_as_they_say(distribution: Distribution) -> None:
    values = distribution.sample(Stream(1, "w"), 0, COUNT).astype(float)
    mean, std = distribution.mean, distribution.std
    assert mean is not None
    assert std is not None
    deviations = (values - mean) / std
    assert abs(deviations.mean()) * sqrt(COUNT) < 5
    spread = sqrt((deviations**4).mean() - 1)
    assert abs((deviations**2).mean() - 1) * sqrt(COUNT) < 5 * spread
    assert stats.kstest(values, cumulated(distribution)).pvalue > 1e-4


@pytest.mark.parametrize("distribution", ALL, ids=str)
def test_mean_and_std_are_scipys(distribution: Distribution) -> None:
    expected = scipys(distribution)
    near = 1e-3 if distribution is NARROW else 1e-6  # scipy's own are no better
    assert distribution.mean == pytest.approx(expected.mean(), abs=near * expected.std())
    assert distribution.std == pytest.approx(expected.std(), rel=near)


@pytest.mark.parametrize("distribution", [*UNIFORMS, *TRUNCATED], ids=str)
def test_values_stay_inside(distribution: Uniform | TruncNormal) -> None:
    match distribution:
        case Uniform(low, high):
            low = np.nextafter(np.float32(low), np.float32(-inf))
        case TruncNormal(_, _, low, high):
            pass
    values = distribution.sample(Stream(2, "w"), 0, COUNT)
    assert np.all((low < values) & (values < np.float64(high)))


class Words(Stream):
    """A stream of the outermost words."""

    def chunks(self, start: int, count: int) -> Iterator[tuple[slice, Any]]:
        """Yield them at once."""
        ends = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], np.uint32)
        yield slice(0, count), ends[start : start + count]


@pytest.mark.parametrize(
    ("distribution", "low", "high"),
    [
        (Uniform(0.0, 1.0), 0.0, 1 - 2**-24),
        (Uniform(1.0, 1.0000002), 1.0, 1.0000001),
        (Uniform(1.0, 1.0 + 1e-12), 1.0, 1.0),
        (Uniform(-1e-45, 1e-45), -1e-45, 0.0),
        (Normal(0.0, 1.0), -6.337958, 6.337958),
        (TruncNormal(0.0, 1.0, -2.0, 2.0), np.nextafter(np.float32(-2), 0), 1.9999999),
        (TruncNormal(0.0, 1.0, 0.1, 0.2), 0.10000001, np.nextafter(np.float32(0.2), 0)),
        (TruncNormal(0.0, 1.0, -inf, inf), -6.337958, 6.337958),
        (TruncNormal(0.0, 1.0, 30.0, inf), np.nextafter(np.float32(30), 31), 30.752209),
    ],
    ids=str,
)
def test_the_outermost_words_stay_inside(
    distribution: Distribution, low: float, high: float
) -> None:
    values = distribution.sample(Words(0, ""), 0, 6)
    assert (min(values), max(values)) == (np.float32(low), np.float32(high))


@pytest.mark.parametrize("interval", [(37.0, 38.0), (-inf, -40.0), (1.0, 1.0), (1.0, 1.0 + 1e-16)])
def test_an_interval_without_a_share_is_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="next to nothing of a normal distribution of mean 0"):
        TruncNormal(0.0, 1.0, *interval)


def test_an_interval_without_a_float32_is_refused() -> None:
    distribution = TruncNormal(0.0, 1.0, 1.0, 1.0 + 1e-9)
    with pytest.raises(UsageError, match=r"no float32 lies between 1\.0 and 1\.000000001"):
        distribution.sample(Stream(0, "w"), 0, 1)


def test_names_seeds_and_draws_are_not_correlated() -> None:
    others = [Stream(0, "w"), Stream(0, "w2"), Stream(1, "w"), Stream(0, "w", 1), Stream(0, "v")]
    values = [Normal(0.0, 1.0).sample(stream, 0, COUNT) for stream in others]
    correlations = np.corrcoef(values) - np.eye(len(values))
    assert abs(correlations).max() * sqrt(COUNT) < 5
    for one, other in pairwise(values):
        blocks = [
            {values[i : i + 16].tobytes() for i in range(0, COUNT, 16)} for values in (one, other)
        ]
        assert blocks[0].isdisjoint(blocks[1])


@pytest.mark.parametrize("lag", [1, 2, 7, 8])
def test_neighbours_are_not_correlated(lag: int) -> None:
    values = Normal(0.0, 1.0).sample(Stream(0, "w"), 0, COUNT)
    assert abs(np.corrcoef(values[lag:], values[:-lag])[0, 1]) * sqrt(COUNT) < 5


@pytest.mark.parametrize("device", DEVICES)
def test_a_constant_takes_no_draw(device: str) -> None:
    constant = Constant(0.1)
    assert constant.draws == 0
    assert np.array_equal(
        off(constant.sample(Stream(0, "w", device=device), 3, 4)), [np.float32(0.1)] * 4
    )
    assert (constant.mean, constant.std) == (0.1, 0.0)
