"""Histograms of characters, several lines high."""

from math import isqrt

import numpy as np

from paramctl.stats.bins import Bins
from paramctl.views.sparks import UNICODE_BARS
from paramctl.widening import Array

HEIGHT = 5  # lines
FEWEST = 8  # bars
EIGHTHS = " " + UNICODE_BARS


def draw_histogram(sample: Array, low: float, high: float, width: int) -> list[str]:
    """Return lines of bars that show how many of the values are where from `low` to `high`.

    A bar that stands for any value at all is an eighth of a line high at least. Few values have
    few bars, wider ones.
    """
    bars = min(width, max(FEWEST, 2 * isqrt(sample.size)))
    counts = Bins.between(low, high, bars).count_values(sample)
    heights = np.ceil(counts * (8 * HEIGHT / max(1, counts.max()))).astype(int).tolist()
    widths = np.diff(np.arange(bars + 1) * width // bars).tolist()
    return [
        "".join(
            EIGHTHS[min(max(height - 8 * line, 0), 8)] * cells
            for height, cells in zip(heights, widths, strict=True)
        )
        for line in reversed(range(HEIGHT))
    ]
