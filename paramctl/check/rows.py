"""Rows of zeros, found block by block."""

from collections import Counter
from typing import Self

import numpy as np

from paramctl.widening import Array


class ZeroRows:
    """The rows, along the first dimension, that are zeros throughout.

    `length` is how many values a row has. A block holds whole rows or is a piece of one, as
    `slices.split` cuts.
    """

    def __init__(self, length: int) -> None:
        """Begin with none."""
        self.length = length
        self._count = 0
        self._first: int | None = None
        self._pieces: list[tuple[int, int]] = []  # where pieces of zeros begin, and their lengths

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count + len(self._long_rows())

    @property
    def first(self) -> int | None:
        """The number of the first."""
        return min(
            (*self._long_rows(), *([] if self._first is None else [self._first])), default=None
        )

    def add(self, start: int, magnitudes: Array) -> None:
        """Look at a block, which begins at the value of this number."""
        if magnitudes.size < self.length:
            if not magnitudes.any():
                self._pieces.append((start, magnitudes.size))
            return
        zeros = _zero_rows(magnitudes.reshape(-1, self.length))
        if zeros.size:
            self._join(zeros.size, start // self.length + int(zeros[0]))

    def merge(self, start: int, later: Self) -> None:
        """Take in what was found in the blocks behind, which begin at the value of this number."""
        self._pieces += [(start + begin, size) for begin, size in later._pieces]
        if later._first is not None:
            self._join(later._count, start // self.length + later._first)

    def _join(self, count: int, first: int) -> None:
        self._count += count
        self._first = first if self._first is None else self._first

    def _long_rows(self) -> list[int]:
        """Return the rows that are made of pieces of zeros only."""
        if not self._pieces:
            return []
        zeros: Counter[int] = Counter()
        for start, size in self._pieces:
            zeros[start // self.length] += size
        return [row for row, size in zeros.items() if size == self.length]


def _zero_rows(rows: Array) -> Array:
    """Return the numbers of the rows that are zeros; few columns rule out most."""
    length = rows.shape[1]
    found: Array = np.flatnonzero(rows[:, 0] == 0)
    for column in (length // 2, length - 1):
        found = found[rows[found, column] == 0]
    return found[~rows[found].any(axis=1)] if found.size else found
