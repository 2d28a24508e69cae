"""Orthogonal matrices."""

from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING

from paramctl.init.distributions import Normal
from paramctl.init.whole import Whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class Orthogonal(Whole):
    """Orthonormal rows, or columns if there are fewer of them, times `gain`.

    Uniform among all such matrices: the Q of a normal matrix, signs taken so that R has a positive
    diagonal (Mezzadri 2007, arXiv:math-ph/0609050). The dimensions from the second on are one.
    LAPACK factorises in float64 and the result is rounded to float32: what differs between its
    builds, and with the number of its threads, is a few units in the last place of a float64.
    """

    shape: tuple[int, ...]
    gain: float

    @property
    def draws(self) -> int:
        """One."""
        return 1

    @property
    def mean(self) -> float:
        """0, over all such matrices."""
        return 0.0

    @property
    def std(self) -> float:
        """A row, or a column, has the length `gain`."""
        rows, columns = self._matrix
        return self.gain / sqrt(max(rows, columns, 1))

    @property
    def _matrix(self) -> tuple[int, int]:
        return self.shape[0], prod(self.shape[1:])

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":
        """Return the matrix, in its own shape."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        rows, columns = self._matrix
        normal = Normal(0.0, 1.0).sample(stream, 0, rows * columns).astype(np.float64)
        tall = normal.reshape(rows, columns).T if rows < columns else normal.reshape(rows, columns)
        factors = np.linalg.qr(tall)
        orthonormal = factors.Q * np.copysign(1, np.diag(factors.R)) * self.gain
        matrix = orthonormal.T if rows < columns else orthonormal
        return matrix.astype(np.float32).reshape(self.shape)
