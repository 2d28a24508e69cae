"""Several tensors side by side in one: the fused projections of attention."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from paramctl.init.distributions import Distribution
from paramctl.init.whole import Whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class Stacked(Whole):
    """`count` tensors of one distribution and `shape` along an axis; each has its own draws."""

    part: Distribution
    shape: tuple[int, ...]
    count: int
    axis: int

    @property
    def draws(self) -> int:
        """Those of all parts."""
        return self.count * self.part.draws

    @property
    def mean(self) -> float | None:
        """That of a part."""
        return self.part.mean

    @property
    def std(self) -> float | None:
        """That of a part."""
        return self.part.std

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":
        """Return the parts side by side."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        streams = [stream.skip(place * self.part.draws) for place in range(self.count)]
        numel = prod(self.shape)
        parts = [self.part.sample(each, 0, numel).reshape(self.shape) for each in streams]
        return np.concatenate(parts, self.axis)
