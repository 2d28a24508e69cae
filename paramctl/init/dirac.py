"""Convolutions that pass their inputs on."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from paramctl.init.whole import Whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class Dirac(Whole):
    """A 1 in the middle of the kernel from input `i` of each group to its output `i`."""

    shape: tuple[int, ...]
    groups: int

    @property
    def draws(self) -> int:
        """None."""
        return 0

    @property
    def mean(self) -> float:
        """The fraction of ones."""
        return self.groups * self._kept / max(prod(self.shape), 1)

    @property
    def std(self) -> float:
        """That of zeros and ones."""
        return sqrt(self.mean - self.mean**2)

    @property
    def _kept(self) -> int:
        """The inputs of a group that are passed on."""
        return min(self.shape[0] // self.groups, self.shape[1])

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":  # noqa: ARG002 (it is exact)
        """Return the kernels."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        kernels: npt.NDArray[np.float32] = np.zeros(self.shape, np.float32)
        if kernels.size:
            outputs = np.arange(self.groups)[:, None] * (self.shape[0] // self.groups)
            inputs = np.arange(self._kept)
            ones: Any = (outputs + inputs, inputs, *(size // 2 for size in self.shape[2:]))
            kernels[ones] = 1
        return kernels
