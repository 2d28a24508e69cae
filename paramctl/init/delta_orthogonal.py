"""Convolutions that are an orthogonal matrix at one place of their kernels."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from paramctl.init.orthogonal import Orthogonal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class DeltaOrthogonal(Orthogonal):
    """An orthogonal matrix in the middle of the kernel, 0 elsewhere."""

    @property
    def std(self) -> float:
        """That of the matrix, thinned out by the places that are 0."""
        return self._middle.std / sqrt(max(prod(self.shape[2:]), 1))

    @property
    def _middle(self) -> Orthogonal:
        return Orthogonal(self.shape[:2], self.gain)

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":
        """Return the kernels."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        kernels: npt.NDArray[np.float32] = np.zeros(self.shape, np.float32)
        if kernels.size:
            middle: Any = (..., *((size - 1) // 2 for size in self.shape[2:]))
            kernels[middle] = self._middle.values(stream)
        return kernels
