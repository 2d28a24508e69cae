"""Sparklines: a row of bars that shows how a number moves."""

from collections.abc import Sequence
from math import isfinite

UNICODE_BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.:-=+*#"
WIDTH = 24  # bars at most
BLANK = " "  # where there is no number


def spark(values: Sequence[float | None], bars: str) -> str:
    """Return bars between the least and the largest value; of many values, evenly chosen ones."""
    chosen = _thin(values)
    finite = [value for value in chosen if value is not None and isfinite(value)]
    low, high = (min(finite) / 2, max(finite) / 2) if finite else (0.0, 0.0)
    span = (high - low) or 1.0  # halves: the difference of two floats may be none
    return "".join(
        BLANK
        if value is None or not isfinite(value)
        else bars[round((value / 2 - low) / span * (len(bars) - 1))]
        for value in chosen
    )


def _thin(values: Sequence[float | None]) -> list[float | None]:
    """Keep the first, the last and what lies evenly between."""
    if len(values) <= WIDTH:
        return list(values)
    return [values[round(place * (len(values) - 1) / (WIDTH - 1))] for place in range(WIDTH)]
