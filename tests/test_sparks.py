"""Sparklines: bars between the least and the largest value."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramctl.views.sparks import ASCII_BARS, UNICODE_BARS, WIDTH, spark


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([7, 0], "█▁"),
        ([3, 3, 3], "▁▁▁"),
        ([0, nan, None, inf, 1], "▁   █"),
        ([nan], " "),
        ([], ""),
    ],
)
def test_bars_are_between_the_least_and_the_largest(values: list[float | None], bars: str) -> None:
    assert spark(values, UNICODE_BARS) == bars


def test_ascii_has_as_many_bars() -> None:
    assert len(ASCII_BARS) == len(UNICODE_BARS)
    assert spark(range(8), ASCII_BARS) == ASCII_BARS


def test_of_many_values_the_first_and_the_last_are_among_those_shown() -> None:
    values = [9.0, *[0.0] * 1000, 9.0]
    shown = spark(values, UNICODE_BARS)
    assert len(shown) == WIDTH
    assert (shown[0], shown[-1], set(shown[1:-1])) == ("█", "█", {"▁"})


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=100))
def test_any_numbers_make_bars(values: list[float | None]) -> None:
    shown = spark(values, UNICODE_BARS)
    assert len(shown) == min(len(values), WIDTH)
    assert set(shown) <= {*UNICODE_BARS, " "}
