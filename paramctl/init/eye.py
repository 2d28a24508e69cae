"""The identity matrix."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING

from paramctl.init.whole import Whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class Eye(Whole):
    """1 on the diagonal of a matrix, 0 elsewhere."""

    shape: tuple[int, ...]

    @property
    def draws(self) -> int:
        """None."""
        return 0

    @property
    def mean(self) -> float:
        """The fraction of ones."""
        return min(self.shape) / max(prod(self.shape), 1)

    @property
    def std(self) -> float:
        """That of zeros and ones."""
        return sqrt(self.mean - self.mean**2)

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":  # noqa: ARG002 (it is exact)
        """Return the matrix."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        return np.eye(*self.shape, dtype=np.float32)
