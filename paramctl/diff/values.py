"""How the values of two parameters differ, in one pass, in float64; integers of 64 bits exactly."""

from math import inf, isfinite, isnan, sqrt
from typing import Any, NamedTuple, Self

import numpy as np

from paramctl.widening import Array

CHUNK = 1 << 13
"""Numbers that are looked at together: what is computed of them stays in the cache of a core.

And OpenBLAS multiplies so few without threads of its own, for which ours would wait.
"""


class Tolerance(NamedTuple):
    """How far apart two values may be and count as equal: |a - b| <= absolute + relative * |b|."""

    absolute: float = 0.0
    relative: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Whether both numbers are finite, and none is below 0."""
        return all(0 <= number < inf for number in self)


EXACT = Tolerance()


class Difference:
    """How values of B differ from those of A.

    NaN equals NaN, and an infinity the same infinity. Sums leave out where either is not finite.

    Attributes:
        count: how many there are.
        equal: how many are equal within the tolerance.
        nans: how many are NaN in one of the two only.
        largest: the largest absolute difference, NaN where one of the two is.
        place: where that is first, counted row by row; None where there is no difference.
    """

    def __init__(self, tolerance: Tolerance = EXACT) -> None:
        self._tolerance = tolerance
        self.count = self.equal = self.nans = 0
        self.largest = self._relative = 0.0
        self.place: int | None = None
        self._squares_a = self._squares_b = self._products = self._squares = 0.0

    def __repr__(self) -> str:
        return f"<Difference: {self.equal:,} of {self.count:,} equal, largest {self.largest:.4g}>"

    @property
    def is_equal(self) -> bool:
        """Whether all of them are equal within the tolerance."""
        return self.equal == self.count

    @property
    def share_equal(self) -> float:
        """The share that is equal."""
        return self.equal / self.count if self.count else 1.0

    @property
    def relative(self) -> float:
        """The largest difference as a share of the value in B, infinite where that is 0."""
        return self._relative if isfinite(self.largest) else self.largest

    @property
    def cosine(self) -> float | None:
        """The cosine of the angle between the two, as vectors; None where one is zero."""
        norms = sqrt(self._squares_a) * sqrt(self._squares_b)
        if not norms or not isfinite(norms):
            return None
        return max(-1.0, min(1.0, self._products / norms)) if self._squares else 1.0

    @property
    def distance(self) -> float | None:
        """The L2 norm of the difference over that of B; infinite where B is zero and A is not."""
        if not self._squares:
            return 0.0
        if not isfinite(self._squares):
            return None
        return sqrt(self._squares / self._squares_b) if self._squares_b else inf

    def add(self, *blocks: Array) -> None:
        """Look at a block of each."""
        a, b = map(_simplify, blocks)
        step = CHUNK // 2 if "c" in (a.dtype.kind, b.dtype.kind) else CHUNK
        with np.errstate(all="ignore"):
            for start in range(0, a.size, step):
                self._look_at(a[start : start + step], b[start : start + step])

    def merge(self, later: Self) -> None:
        """Take in what was found in the values behind."""
        if later.place is not None:
            self._stretch(later.largest, self.count + later.place)
        self._relative = max(self._relative, later._relative)
        self.count += later.count
        self.equal += later.equal
        self.nans += later.nans
        self._squares_a += later._squares_a
        self._squares_b += later._squares_b
        self._products += later._products
        self._squares += later._squares

    def _look_at(self, a: Array, b: Array) -> None:
        same = _is_equal(a, b)
        equal = int(np.count_nonzero(same))
        if equal == a.size:
            self._look_at_same(a)
        elif a.dtype.kind == "c" or b.dtype.kind == "c":
            self._look_at_complex(a, b, same)
        else:
            self._look_at_other(a, b, same)
        self.count += a.size

    def _look_at_same(self, values: Array) -> None:
        """Add up values that are the same in both."""
        self.equal += values.size
        wide = _as_reals(values)
        squares = float(wide @ wide)
        if not isfinite(squares):
            wide = wide[np.isfinite(wide)]
            squares = float(wide @ wide)
        self._squares_a += squares
        self._squares_b += squares
        self._products += squares

    def _look_at_other(self, a: Array, b: Array, same: Array) -> None:
        wide_a, wide_b = _as_reals(a), _as_reals(b)
        apart = _distances(a, b, wide_a, wide_b)
        squares = float(apart @ apart)
        if isfinite(squares):
            self._add_up(wide_a, wide_b, squares)
            self._compare(same, apart, np.abs(wide_b, out=wide_b))
        else:
            self._look_at_strange(wide_a, wide_b, same, apart)

    def _look_at_complex(self, a: Array, b: Array, same: Array) -> None:
        a, b = a.astype(np.complex128), b.astype(np.complex128)
        self._look_at_strange(a, b, same, np.abs(a - b))

    def _look_at_strange(self, a: Array, b: Array, same: Array, apart: Array) -> None:
        """Look at values some of which may not be finite."""
        nan_a, nan_b = np.isnan(a), np.isnan(b)
        same = same | (nan_a & nan_b)
        lonely = nan_a ^ nan_b
        self.nans += int(np.count_nonzero(lonely))
        apart[same] = 0.0
        finite = np.isfinite(a) & np.isfinite(b)
        near = apart[finite]
        self._add_up(_as_reals(a[finite]), _as_reals(b[finite]), float(near @ near))
        self._compare(same, apart, np.abs(b), reachable=finite)

    def _add_up(self, a: Array, b: Array, squares: float) -> None:
        self._squares_a += float(a @ a)
        self._squares_b += float(b @ b)
        self._products += float(a @ b)
        self._squares += squares

    def _compare(
        self, same: Array, apart: Array, size: Array, *, reachable: Array | None = None
    ) -> None:
        """Take in distances; `size` is that of B, `reachable` says where there is a tolerance."""
        if any(self._tolerance):
            near = apart <= self._tolerance.absolute + self._tolerance.relative * size
            same = same | (near if reachable is None else near & reachable)
        self.equal += int(np.count_nonzero(same))
        place = int(apart.argmax())  # of the first NaN, if there is one
        self._stretch(float(apart[place]), self.count + place)
        shares = np.divide(apart, size, out=size)
        self._relative = max(self._relative, float(np.fmax.reduce(shares, initial=0.0)))

    def _stretch(self, distance: float, place: int) -> None:
        """Take in a distance that is perhaps the largest; nothing is larger than NaN."""
        if not isnan(self.largest) and (distance > self.largest or isnan(distance)):
            self.largest, self.place = distance, place


def _simplify(block: Array) -> Array:
    """Return values of a type that is quick to compare."""
    return block.astype(np.float32) if block.dtype == np.float16 else block


def _as_reals(values: Array) -> Array:
    """Return a copy in float64, complex numbers as two."""
    if values.dtype.kind == "c":
        return np.asarray(values.astype(np.complex128).view(np.float64))
    return values.astype(np.float64)


def _is_equal(a: Array, b: Array) -> Array:
    """Say which numbers are equal, an integer and a float only where they are the same number."""
    same: Array = a == b  # numpy compares these in float64
    for whole, other in ((a, b), (b, a)):
        if _is_long(whole) and other.dtype.kind == "f":
            same &= _rests(whole, whole.astype(np.float64)) == 0
    return same


def _distances(a: Array, b: Array, wide_a: Array, wide_b: Array) -> Array:
    """Return the distances of two arrays, exact for integers of 64 bits too."""
    if a.dtype == b.dtype and _is_long(a):
        unsigned: Any = np.uint64
        high, low = np.maximum(a, b), np.minimum(a, b)
        exact: Array = high.astype(unsigned) - low.astype(unsigned)
        return exact.astype(np.float64)
    apart: Array = np.subtract(wide_a, wide_b)
    if _is_long(a):
        apart += _rests(a, wide_a)
    if _is_long(b):
        apart -= _rests(b, wide_b)
    np.abs(apart, out=apart)
    return apart


def _is_long(values: Array) -> bool:
    return values.dtype.kind in "iu" and values.itemsize == 8


def _rests(whole: Array, wide: Array) -> Array:
    """Return what integers of 64 bits are more than their float64."""
    largest = np.nextafter(float(np.iinfo(whole.dtype).max), 0)  # that is such an integer again
    near = np.minimum(wide, largest)
    rests: Array = (whole - near.astype(whole.dtype)).view(np.int64) - (wide - near)
    return rests
