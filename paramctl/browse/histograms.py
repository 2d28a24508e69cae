"""Histograms of characters, several lines high."""

from math import isqrt

import numpy as np

from paramctl.stats.bins import Bins
from paramctl.views.sparks import UNICODE_BARS
from paramctl.widening import Array

HEIGHT = 5  # lines
FEWEST = 8  # bars
EIGHTHS = " " + UNICODE_BARS


def most_bars(count: int, width: int) -> int:
    """Return how many bars so many values may have: few have few, wider ones."""
    return min(width, max(FEWEST, 2 * isqrt(count)))


def draw_histogram(sample: Array, bins: Bins, width: int) -> list[str]:
    """Return lines of bars that show how many of the values are in each bin.

    A bar that stands for any value at all is an eighth of a line high at least.
    """
    counts = bins.count_values(sample)
    heights = np.ceil(counts * (8 * HEIGHT / max(1, counts.max()))).astype(int).tolist()
    widths = np.diff(np.arange(bins.number + 1) * width // bins.number).tolist()
    return [
        "".join(
            EIGHTHS[min(max(height - 8 * line, 0), 8)] * cells
            for height, cells in zip(heights, widths, strict=True)
        )
        for line in reversed(range(HEIGHT))
    ]
