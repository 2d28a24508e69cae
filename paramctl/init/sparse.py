"""Matrices with a fixed number of zeros in each column."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING

from paramctl.init.distributions import Normal
from paramctl.init.whole import Whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream

SORTED = 1 << 20  # words sorted at a time: their places take twice the memory of the words


@dataclass(frozen=True)
class Sparse(Whole):
    """`sparsity` of each column 0, rounded up to whole rows; the rest normal.

    The zeros stand in the rows with the smallest words of the first draw, which the second fills.
    """

    shape: tuple[int, ...]
    sparsity: float
    deviation: float

    @property
    def draws(self) -> int:
        """One for the places, one for the values."""
        return 2

    @property
    def mean(self) -> float:
        """0."""
        return 0.0

    @property
    def std(self) -> float:
        """That of the values, thinned out by the zeros."""
        return self.deviation * sqrt(1 - self._zeros / max(self.shape[0], 1))

    @property
    def _zeros(self) -> int:
        """The zeros in a column."""
        return ceil(self.sparsity * self.shape[0])

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":
        """Return the matrix."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        rows, columns = self.shape
        words = stream.words(0, rows * columns).reshape(rows, columns)
        normal = Normal(0.0, self.deviation).sample(stream.skip(1), 0, rows * columns)
        matrix: npt.NDArray[np.float32] = normal.reshape(rows, columns)
        step = max(1, SORTED // max(rows, 1))
        for left in range(0, columns, step):
            part = slice(left, left + step)
            chosen = np.argsort(words[:, part], axis=0, kind="stable")[: self._zeros]
            np.put_along_axis(matrix[:, part], chosen, 0, axis=0)
        return matrix
