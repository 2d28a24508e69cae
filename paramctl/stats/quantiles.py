"""Exact quantiles of any number of values in little memory: digits are counted, nothing is sorted.

Numbers are in the order of their bits, read as unsigned integers once the sign is seen to. Each
pass tells one more digit of the values that are looked for, as a radix sort would.
"""

from collections.abc import Sequence
from math import ceil, floor, isfinite, nan
from typing import Any, Self

import numpy as np

from paramctl.arrays import value_type
from paramctl.checkpoint import Entry
from paramctl.passes import Progress, find_all
from paramctl.widening import Array

DIGIT = 11  # bits: a 32-bit number takes three passes
BATCH = 1000  # entries that are counted together

Sought = dict[int, tuple[int, int]]
"""Of a value: its rank -> the digits known of it, and its rank among those that have them."""


def find_quantiles(
    entries: Sequence[Entry], counts: Sequence[int], fractions: Sequence[float], progress: Progress
) -> list[list[float]]:
    """Return for each entry the quantiles at these fractions, linear between ranks as numpy's are.

    `counts` are those of the finite values, which they are of; NaN where there is none.
    """
    found: list[list[float]] = []
    for start in range(0, len(entries), BATCH):
        some = slice(start, start + BATCH)
        values = _find_ranks(entries[some], [_ranks(n, fractions) for n in counts[some]], progress)
        found += [
            [_between(each, n, fraction) for fraction in fractions]
            for each, n in zip(values, counts[some], strict=True)
        ]
    return found


def _ranks(count: int, fractions: Sequence[float]) -> set[int]:
    places = [fraction * (count - 1) for fraction in fractions]
    return {rank for place in places for rank in (floor(place), ceil(place)) if count}


def _between(values: dict[int, float], count: int, fraction: float) -> float:
    if not count:
        return nan
    place = fraction * (count - 1)
    low, high, share = values[floor(place)], values[ceil(place)], place - floor(place)
    if not isfinite(high - low):
        return low * (1 - share) + high * share
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)


def _find_ranks(
    entries: Sequence[Entry], ranks: Sequence[set[int]], progress: Progress
) -> list[dict[int, float]]:
    """Return for each entry the values of these ranks."""
    dtypes = [value_type(entry) for entry in entries]
    sought: list[Sought] = [{rank: (0, rank) for rank in each} for each in ranks]
    for known in range(0, max((8 * dtype.itemsize for dtype in dtypes), default=0), DIGIT):
        open_places = [
            place
            for place, dtype in enumerate(dtypes)
            if sought[place] and known < 8 * dtype.itemsize
        ]

        def begin(number: int, known: int = known, places: list[int] = open_places) -> _Digits:
            place = places[number]
            prefixes = {digits for digits, _ in sought[place].values()}
            return _Digits(prefixes, known, 8 * dtypes[place].itemsize)

        groups = [(entries[place],) for place in open_places]
        for place, digits in zip(open_places, find_all(groups, begin, progress), strict=True):
            sought[place] = {rank: digits.refine(*at) for rank, at in sought[place].items()}
    return [
        {rank: _value(digits, dtype) for rank, (digits, _) in each.items()}
        for each, dtype in zip(sought, dtypes, strict=True)
    ]


class _Digits:
    """How often each next digit follows the digits that are known, in a pass."""

    def __init__(self, prefixes: set[int], known: int, bits: int) -> None:
        self._left = bits - known
        self._width = min(DIGIT, self._left)
        self._counts = {prefix: np.zeros(1 << self._width, np.int64) for prefix in prefixes}

    def add(self, *blocks: Array) -> None:
        """Look at a block."""
        keys = _keys(blocks[0])
        behind = self._left - self._width
        for prefix in self._counts:
            alike = keys if self._left == 8 * keys.itemsize else keys[keys >> self._left == prefix]
            digits = (alike >> behind) & ((1 << self._width) - 1)
            self._counts[prefix] += np.bincount(digits.astype(np.int64), minlength=1 << self._width)

    def merge(self, later: Self) -> None:
        """Take in what was counted in the blocks behind."""
        for prefix, counts in later._counts.items():
            self._counts[prefix] += counts

    def refine(self, prefix: int, rank: int) -> tuple[int, int]:
        """Return a value's digits, one more of them, and its rank among those that have them."""
        ends = self._counts[prefix].cumsum()
        digit = int(np.searchsorted(ends, rank, side="right"))
        return (prefix << self._width) + digit, rank - (int(ends[digit - 1]) if digit else 0)


def _keys(block: Array) -> Array:
    """Return unsigned integers in the order of the finite values."""
    bits: Any = f"u{block.itemsize}"
    sign: Array = np.array(1 << (8 * block.itemsize - 1), bits)
    if block.dtype.kind == "f":
        finite: Array = block[np.isfinite(block)].view(bits)
        return np.where(finite & sign, np.invert(finite), finite | sign)
    stored: Array = block.view(bits)
    return np.bitwise_xor(stored, sign) if block.dtype.kind == "i" else stored


def _value(key: int, dtype: np.dtype[Any]) -> float:
    """Return the number that has a key."""
    bits = 8 * dtype.itemsize
    sign = 1 << (bits - 1)
    if dtype.kind == "f":
        stored = key ^ sign if key & sign else key ^ ((1 << bits) - 1)
        return float(np.array(stored, f"u{dtype.itemsize}").view(dtype)) + 0.0  # no -0
    return float(key - sign if dtype.kind == "i" else key)
