"""What casts do to stored elements, and which values are too large for their new type."""

import math
from functools import cache

import numpy as np

from paramctl.dtypes import DType
from paramctl.narrowing import FNUZ_NAN, narrow
from paramctl.widening import Array, widen

SMALL = 16  # bits of a type whose values are so few that what becomes of each is looked up
SATURATING = "float8_e4m3fn"


class Conversion:
    """How elements of `old` become elements of `new`, both of floating-point numbers."""

    def __init__(self, old: DType, new: DType) -> None:
        self.old, self.new = old, new
        self._largest = largest(new)
        self._lacks_infinity = has_infinity(old) and not has_infinity(new)
        self._may_overflow = largest(old) > self._largest or self._lacks_infinity

    def convert(self, elements: Array) -> Array:
        """Return the elements of `new` nearest to those of `old`, as `narrow` does."""
        if self.old.bits > SMALL:
            return narrow(elements, self.new)
        return _table(self.old, self.new).take(_bits(elements))

    def find_overflows(self, elements: Array, converted: Array) -> Array:
        """Return the places of elements too large for `new`, which became `converted`.

        They are infinite there, NaN, or the largest number there is. Infinities are too large for
        a type that has none.
        """
        if not self._may_overflow or not _reaches(converted, self.new):
            return np.empty(0, "i8")
        values = widen(elements, self.old)
        too_large = np.abs(values) > self._largest
        if not self._lacks_infinity:
            too_large &= np.isfinite(values)
        if self.new.name != SATURATING:
            too_large &= ~np.isfinite(widen(converted, self.new))
        return np.flatnonzero(too_large)


@cache
def largest(dtype: DType) -> float:
    """Return the largest finite number of a type."""
    if dtype.bits > SMALL:
        return float(np.finfo(dtype.numpy).max)
    values = widen(_all_elements(dtype), dtype)
    return float(values[np.isfinite(values)].max())


@cache
def has_infinity(dtype: DType) -> bool:
    """Whether there is an infinity among the numbers of a type."""
    return dtype.bits > SMALL or bool(np.isinf(widen(_all_elements(dtype), dtype)).any())


@cache
def holds_number(dtype: DType, number: float) -> bool:
    """Whether a type has a number close to this one, not an infinity or zero in its place."""
    if not math.isfinite(number):
        return math.isnan(number) or has_infinity(dtype)
    if dtype.name == SATURATING and abs(number) > largest(dtype):
        return False
    stored = widen(narrow(np.array([number], "f8"), dtype), dtype)[0]
    return bool(np.isfinite(stored)) and float(abs(stored)) >= abs(number) / 2


def _all_elements(dtype: DType) -> Array:
    """Return all elements of a small type."""
    codes = np.arange(1 << dtype.bits, dtype=f"<u{dtype.bits // 8}")
    return codes.view(dtype.numpy) if dtype.numpy else codes


@cache
def _table(old: DType, new: DType) -> Array:
    """Return what becomes of each element of a small type."""
    return narrow(widen(_all_elements(old), old), new)


@cache
def _bits_of_largest(dtype: DType) -> int:
    """Return the bits of the largest finite number of a type."""
    return int(_bits(narrow(np.array([largest(dtype)]), dtype))[0])


def _reaches(converted: Array, dtype: DType) -> bool:
    """Whether there is NaN, an infinity or the largest number of a type among its elements."""
    bits = _bits(converted)
    if dtype.name.endswith("fnuz"):
        return bool((bits == FNUZ_NAN).any())
    sizes = bits & ((1 << dtype.bits - 1) - 1)
    return bool(sizes.max(initial=0) >= _bits_of_largest(dtype))


def _bits(elements: Array) -> Array:
    return elements.view(f"<u{elements.itemsize}")
