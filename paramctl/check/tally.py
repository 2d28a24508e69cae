"""What there is among the values of a parameter, counted in one pass over their bits."""

from typing import Self

import numpy as np

from paramctl.check.floats import Float
from paramctl.check.kinds import Kind
from paramctl.check.rows import ZeroRows
from paramctl.widening import Array

PRIME = 0x9E37_79B9_7F4A_7C15  # any odd number: blocks in another order print otherwise
WORD = (1 << 64) - 1


class Tally:
    """Counts of special values, and the number of the first of each kind.

    `fingerprint` is the same where all bits are: it tells most of those apart that are not equal.
    """

    def __init__(self, form: Float, row_length: int) -> None:
        """Begin with nothing; rows have so many values, 0 where nobody asks for rows of zeros."""
        self._form = form
        self._only: int | None = None
        self._powers = 1
        self.rows = ZeroRows(row_length) if row_length else None
        self.numel = self.zeros = self.negative_infinities = self.fingerprint = 0
        self._is_one = True
        self.counts: dict[Kind, int] = {}
        self.firsts: dict[Kind, int] = {}

    @property
    def is_constant(self) -> bool:
        """Whether there are several values, all of them one number; -0 is 0."""
        return self.numel > 1 and (self._is_one or self.zeros == self.numel)

    @property
    def is_mask(self) -> bool:
        """Whether it is zeros and minus infinities, as what is added to scores of attention."""
        return 0 < self.negative_infinities == self.numel - self.zeros < self.numel

    def add(self, *blocks: Array) -> None:
        """Look at a block of bits."""
        (bits,) = blocks
        magnitudes = self._form.magnitudes(bits)
        if self._is_one:
            first, last = int(bits[0]), int(bits[-1])
            self._compare(first, is_one=first == last and bool((bits == first).all()))
        self._count_large(bits, magnitudes)
        self._count(Kind.DENORMAL, self._form.denormals(magnitudes))
        zeros = magnitudes.size - int(np.count_nonzero(magnitudes))
        if self.rows and zeros >= min(self.rows.length, magnitudes.size):
            self.rows.add(self.numel, magnitudes)
        self.zeros += zeros
        self._print(_sum(bits), PRIME)
        self.numel += bits.size

    def merge(self, later: Self) -> None:
        """Take in what was found in the blocks behind."""
        if not later.numel:
            return
        for kind, count in later.counts.items():
            self._note(kind, count, later.firsts[kind])
        if self.rows and later.rows:
            self.rows.merge(self.numel, later.rows)
        if later._only is not None:
            self._compare(later._only, is_one=later._is_one)
        self._print(later.fingerprint, later._powers)
        self.zeros += later.zeros
        self.negative_infinities += later.negative_infinities
        self.numel += later.numel

    def _count_large(self, bits: Array, magnitudes: Array) -> None:
        """Count what is not finite, or not in float16; there is none in most blocks."""
        form = self._form
        if int(magnitudes.max()) <= min(form.half, form.finite):
            return
        infinite = form.infinities(magnitudes)
        self._count(Kind.NAN, form.nans(magnitudes))
        self._count(Kind.INF, infinite)
        self._count(Kind.BEYOND_FP16, form.beyond_half(magnitudes))
        self.negative_infinities += int(np.count_nonzero(infinite & (bits != magnitudes)))

    def _count(self, kind: Kind, which: Array) -> None:
        if count := int(np.count_nonzero(which)):
            self._note(kind, count, int(which.argmax()))

    def _note(self, kind: Kind, count: int, first: int) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + count
        self.firsts.setdefault(kind, self.numel + first)

    def _compare(self, only: int, *, is_one: bool) -> None:
        """Take in values that begin with this one, and may all be the same."""
        if self._only is None:
            self._only = only
        self._is_one = self._is_one and is_one and self._only == only

    def _print(self, fingerprint: int, powers: int) -> None:
        self.fingerprint = (self.fingerprint * powers + fingerprint) & WORD
        self._powers = (self._powers * powers) & WORD


def _sum(bits: Array) -> int:
    """Return the sum of all bits, in words of 64, which numpy adds up fastest."""
    whole = bits.size - bits.size % (8 // bits.itemsize)
    words = int(bits[:whole].view(np.uint64).sum(dtype=np.uint64))
    rest = int(bits[whole:].sum(dtype=np.uint64)) if whole < bits.size else 0
    return (words + rest) & WORD
