"""What a scheme makes of a parameter, and the distributions that draw each element by itself."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING

from paramctl.errors import ArgumentError
from paramctl.init.namespaces import Array, namespace
from paramctl.init.shares import Interval, share_below

if TYPE_CHECKING:
    from paramctl.init.streams import Stream

FLOAT32_MAX = (2 - 2**-23) * 2.0**127
LEAST_SHARE = 1e-290  # of a normal distribution: 2^-33 of less are no normal float64


class Distribution(ABC):
    """What a scheme makes of one parameter: float32 values by element.

    The value of an element depends on the stream and on its place alone, so parts may be sampled in
    any order and anywhere.
    """

    @property
    def draws(self) -> int:
        """How many draws of the stream it takes."""
        return 1

    @property
    def is_blockwise(self) -> bool:
        """Whether a part can be sampled by itself; else `sample` is asked for the whole tensor."""
        return True

    @property
    @abstractmethod
    def mean(self) -> float | None:
        """The theoretical mean; None where there is none to compare with."""

    @property
    @abstractmethod
    def std(self) -> float | None:
        """The theoretical standard deviation; None where there is none to compare with."""

    @abstractmethod
    def sample(self, stream: "Stream", start: int, count: int) -> Array:
        """Return the row-major elements `start` to `start + count`, on the stream's device."""


@dataclass(frozen=True)
class Constant(Distribution):
    """The same value everywhere."""

    value: float

    @property
    def draws(self) -> int:
        """None."""
        return 0

    @property
    def mean(self) -> float:
        """The value."""
        return self.value

    @property
    def std(self) -> float:
        """Zero."""
        return 0.0

    def sample(self, stream: "Stream", start: int, count: int) -> Array:  # noqa: ARG002 (all alike)
        """Return the value, `count` times."""
        values = stream.empty(count)
        values[:] = self.value
        return values


@dataclass(frozen=True)
class Uniform(Distribution):
    """low + (high - low) u, where u is a word's upper 24 bits as a fraction; never `high`."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """The middle."""
        return self.low + (self.high - self.low) / 2

    @property
    def std(self) -> float:
        """The width over the root of 12."""
        return (self.high - self.low) / sqrt(12)

    def sample(self, stream: "Stream", start: int, count: int) -> Array:
        """Return `count` values from `start` on."""
        from paramctl.init.uniforms import fill_uniforms  # noqa: PLC0415 (only to draw)

        low, width, highest = self._range()
        values = stream.empty(count)
        for place, words in stream.chunks(start, count):
            part = values[place]
            fill_uniforms(part, words)
            part *= width
            part += low
            if highest is not None:
                namespace(part).clip(part, low, highest, out=part)
        return values

    def _range(self) -> tuple[float, float, float | None]:
        """Return low and width in float32, and the highest value where rounding would pass it."""
        import numpy as np  # noqa: PLC0415 (only to draw)

        low, high = np.float32(self.low), np.float32(self.high)
        width = high - low
        top = low + width * np.float32(1 - 2.0**-24)
        highest = max(np.nextafter(high, np.float32(-inf)), low) if top >= high else None
        return float(low), float(width), highest


@dataclass(frozen=True)
class Normal(Distribution):
    """location + scale z, where z is the standard normal of a word (see `normals`)."""

    location: float
    scale: float

    @property
    def mean(self) -> float:
        """The location."""
        return self.location

    @property
    def std(self) -> float:
        """The scale."""
        return self.scale

    def sample(self, stream: "Stream", start: int, count: int) -> Array:
        """Return `count` values from `start` on."""
        from paramctl.init import normals  # noqa: PLC0415 (only to draw)

        values = stream.empty(count)
        scratch = stream.scratch(normals.SCRATCH)
        for place, words in stream.chunks(start, count):
            part = values[place]
            normals.fill_normals(part, words, scratch)
            part *= self.scale
            if self.location:
                part += self.location
        return values


@dataclass(frozen=True)
class TruncNormal(Distribution):
    """The normal distribution between a and b, by its inverse on a uniform share; never a or b.

    Where most of the interval lies above the location it is mirrored: float64 holds the shares of
    the lower tail to their last bits, and those of the upper one as differences from 1.

    Raises:
        ArgumentError: the interval is so far out that float64 does not hold its shares.
    """

    location: float
    scale: float
    a: float
    b: float

    def __post_init__(self) -> None:
        """Refuse an interval from which nothing can be drawn."""
        interval, _ = self._lower()
        if share_below(interval.high) < LEAST_SHARE or not interval.share:
            raise ArgumentError(
                f"from {self.a:g} to {self.b:g} lies next to nothing of a normal distribution"
                f" of mean {self.location:g} and std {self.scale:g}",
                *("a", "b", "mean", "std"),
            )

    @property
    def mean(self) -> float:
        """The mean of what is left."""
        interval, scale = self._lower()
        return self.location + scale * interval.mean

    @property
    def std(self) -> float:
        """The standard deviation of what is left."""
        return self.scale * self._lower()[0].std

    def sample(self, stream: "Stream", start: int, count: int) -> Array:
        """Return `count` values from `start` on."""
        from paramctl.init import normals  # noqa: PLC0415 (only to draw)

        interval, scale = self._lower()
        below, share = share_below(interval.low), interval.share
        lowest, highest = self._bounds()
        values = stream.empty(count)
        scratch = stream.scratch(normals.SCRATCH)
        for place, words in stream.chunks(start, count):
            part = values[place]
            normals.fill_cut_normals(part, words, below, share, scratch)
            part *= scale
            part += self.location
            namespace(part).clip(part, lowest, highest, out=part)
        return values

    def _lower(self) -> tuple[Interval, float]:
        """Return the interval in standard deviations, and these; both mirrored if need be."""
        ends = ((end - self.location) / self.scale for end in (self.a, self.b))
        interval = Interval(*ends)
        if sum(interval) > 0:
            return interval.mirrored(), -self.scale
        return interval, self.scale

    def _bounds(self) -> tuple[float, float]:
        """Return the first float32 above a and the last one below b."""
        import numpy as np  # noqa: PLC0415 (only to draw)

        ends = np.array([max(self.a, -FLOAT32_MAX), min(self.b, FLOAT32_MAX)])
        low, high = ends.astype(np.float32)
        lowest = np.nextafter(low, np.float32(inf)) if low <= self.a else low
        highest = np.nextafter(high, np.float32(-inf)) if high >= self.b else high
        if lowest > highest:
            raise ArgumentError(f"no float32 lies between {self.a} and {self.b}", "a", "b")
        return float(lowest), float(highest)
