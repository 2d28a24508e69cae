"""Grids: runs of bits at regular distances, and whether two of them have a bit in common."""

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

MAX_WORK = 1 << 16  # of all questions on one file, in steps of some microseconds


class Grid(NamedTuple):
    """Runs of `width` bits, from `first` on at every sum of multiples of the steps.

    A step is a stride and the number of runs along it; neither is negative.
    """

    first: int
    width: int
    steps: tuple[tuple[int, int], ...]


class Window(NamedTuple):
    """The numbers from `low` to `high`, both included."""

    low: int
    high: int


class Term(NamedTuple):
    """The multiples of a stride, and what the terms after it add up to.

    The terms from this one on add up to multiples of `divisor`.
    """

    stride: int
    multiples: Window
    after: Window
    divisor: int


class Meetings:
    """Answers to the question whether two grids meet, as long as the work lasts."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self._left = work

    def meet(self, one: Grid, other: Grid) -> bool:
        """Whether two grids have a bit in common; False too when there is no work left to tell.

        A run of each meets if the distance of their beginnings, which is a sum of multiples of the
        strides, falls into a window. The strides' greatest common divisor often rules that out;
        else the multiples are tried, largest stride first, so that few of them are in reach.
        """
        if self._left <= 0:
            return False
        self._left -= len(one.steps) + len(other.steps)
        terms = _terms(one, other)
        apart = other.first - one.first
        trials = [iter((Window(apart - one.width + 1, apart + other.width - 1),))]
        while trials and self._left > 0:
            self._left -= 1
            window = next(trials[-1], None)
            if window is None:
                trials.pop()
            elif len(trials) <= len(terms):
                trials.append(_narrow(terms[len(trials) - 1], window))
            elif window.low <= 0 <= window.high:
                return True
        return False


def _terms(one: Grid, other: Grid) -> list[Term]:
    """Return what the beginnings of two grids' runs differ by, largest stride first."""
    least: dict[int, int] = {}
    most: dict[int, int] = {}
    for steps, ends, sign in ((one.steps, most, 1), (other.steps, least, -1)):
        for stride, count in steps:
            ends[stride] = ends.get(stride, 0) + sign * (count - 1)
    terms: list[Term] = []
    after, divisor = Window(0, 0), 0
    for stride in sorted(least.keys() | most.keys()):
        multiples = Window(least.get(stride, 0), most.get(stride, 0))
        if stride and multiples != (0, 0):
            divisor = gcd(divisor, stride)
            terms.append(Term(stride, multiples, after, divisor))
            after = Window(after.low + stride * multiples.low, after.high + stride * multiples.high)
    return terms[::-1]


def _narrow(term: Term, window: Window) -> Iterator[Window]:
    """Yield what is left of the window for the terms after this one, by each of its multiples."""
    stride, multiples, after, divisor = term
    if _round_up(window.low, divisor) * divisor > window.high:
        return
    first = max(multiples.low, _round_up(window.low - after.high, stride))
    last = min(multiples.high, (window.high - after.low) // stride)
    for multiple in range(first, last + 1):
        yield Window(window.low - multiple * stride, window.high - multiple * stride)


def _round_up(number: int, divisor: int) -> int:
    return -(-number // divisor)
