"""How far the values of two parameters are apart, in one pass over both."""

from typing import Self

import numpy as np

from paramctl.widening import Array


class Difference:
    """The largest distance of two values at the same place, and how many differ.

    Two NaN are equal; of a NaN and a number there is no distance, they only differ.
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self.count = 0

    def add(self, *blocks: Array) -> None:
        """Look at a block of each."""
        first, second = blocks
        differ = (first != second) & ((first == first) | (second == second))  # noqa: PLR0124 (NaN)
        self.count += int(np.count_nonzero(differ))
        with np.errstate(over="ignore"):
            apart = np.abs(first[differ].astype(np.float64) - second[differ].astype(np.float64))
        known = apart[~np.isnan(apart)]
        if known.size:
            self.largest = max(self.largest, float(known.max()))

    def merge(self, later: Self) -> None:
        """Take in what was found in the blocks behind."""
        self.largest = max(self.largest, later.largest)
        self.count += later.count
