"""The colours of plots: told apart by people who are colour-blind, too."""

from typing import NamedTuple

import numpy as np

from paramctl.widening import Array

RGB = tuple[int, int, int]

OURS: RGB = (0, 114, 178)  # blue and vermilion of Okabe and Ito's "Color Universal Design", 2008
THEIRS: RGB = (213, 94, 0)
BAD: RGB = (240, 228, 66)  # yellow, where a value is no number
DIVERGING: tuple[RGB, ...] = (  # ColorBrewer's RdBu, turned: blue, nearly white, red
    *((5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240)),
    (247, 247, 247),
    *((253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31)),
)
SEQUENTIAL: tuple[RGB, ...] = (  # ColorBrewer's Blues
    *((247, 251, 255), (222, 235, 247), (198, 219, 239), (158, 202, 225), (107, 174, 214)),
    *((66, 146, 198), (33, 113, 181), (8, 81, 156), (8, 48, 107)),
)


class Palette(NamedTuple):
    """The numbers that have the first and the last colour, and the colours between."""

    low: float
    high: float
    colors: tuple[RGB, ...]

    @classmethod
    def of(cls, values: Array) -> "Palette":
        """Return colours for values: on both sides of zero if they are, with zero in the middle."""
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        if low < 0 < high or low == high == 0:
            largest = max(-low, high) or 1.0
            return cls(-largest, largest, DIVERGING)
        return cls(low, high, SEQUENTIAL)

    def place(self, value: float) -> float:
        """Return where a number lies between the ends, from 0 to 1."""
        span = self.high / 2 - self.low / 2  # halves: the difference of two floats may be none
        return (value / 2 - self.low / 2) / span if span else 0.5

    def color(self, value: float) -> RGB:
        """Return a number's colour, between the two next ones."""
        at = self.place(value) * (len(self.colors) - 1)
        first = min(int(at), len(self.colors) - 2)
        pairs = zip(self.colors[first], self.colors[first + 1], strict=True)
        red, green, blue = (round(a + (b - a) * (at - first)) for a, b in pairs)
        return red, green, blue
