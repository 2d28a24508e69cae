"""Values as real numbers in float64: of complex ones, how large they are."""

import numpy as np

from paramctl.stats.moments import Moments
from paramctl.widening import Array


def as_real(block: Array) -> Array:
    """Return the values, of complex ones the absolute ones, in a new array of float64."""
    if block.dtype.kind == "c":
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite
            return np.abs(block.astype(np.complex128))
    return block.astype(np.float64)


class RealMoments(Moments):
    """The moments of values as real numbers."""

    def add(self, *blocks: Array) -> None:
        """Look at a block."""
        super().add(*(as_real(block) if block.dtype.kind == "c" else block for block in blocks))
