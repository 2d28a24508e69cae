"""Charts in characters: columns of bars, on one scale where two models are compared."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.text import Text

from paramctl.stats.histograms import Histogram
from paramctl.views.clipping import clip, cut
from paramctl.views.palettes import OURS, THEIRS
from paramctl.views.plots import Plot, Spectrum, number
from paramctl.views.strokes import Strokes
from paramctl.widening import Array

HEIGHT = 6  # lines of bars
COLORS = tuple(f"rgb({r},{g},{b})" for r, g, b in (OURS, THEIRS))
COUNT_UNITS = ("", "k", "M", "G", "T")
MIN_NAME = 10  # cells of a name that are left of it where its type is long


class _Scale(NamedTuple):
    """What stands at the axes: at the top, and below at both ends."""

    top: str
    left: str
    right: str


def title(plot: Plot, width: int, ellipsis: str) -> Text:
    """Return the line above a plot: its name and its type."""
    room = max(width - len(plot.type) - 2, MIN_NAME)
    line = Text.assemble((clip(plot.name, room, ellipsis) or "''", "bold"), f"  {plot.type}")
    return Text(cut(line.plain, width, ellipsis), spans=line.spans)


def chart_lines(plot: Plot, width: int, strokes: Strokes) -> Iterator[Text]:
    """Yield the lines of a histogram or a spectrum, of at most `width` cells."""
    yield title(plot, width, strokes.ellipsis)
    numbers, scale = _read(plot)
    margin = len(scale.top) + len(strokes.axis)
    columns = [_fit(each, width - margin) for each in numbers]
    most = max((float(each.max()) for each in columns if each.size), default=0.0)
    for facts, heights, color in zip(plot.facts, columns, COLORS, strict=False):
        yield Text(cut(facts, width, strokes.ellipsis), "dim")
        if heights.size:
            label = scale.top + strokes.axis
            for bars in _draw(heights / (most or 1.0), strokes.parts):
                yield Text.assemble(label, (bars, color))
                label = " " * len(scale.top) + strokes.axis
    length = max((each.size for each in columns), default=0)
    if length:
        yield Text(f"{'0':>{len(scale.top)}}{strokes.corner}{strokes.line * length}")
        right = max(length - len(scale.left), len(scale.right) + 1)
        ends = " " * margin + f"{scale.left}{scale.right:>{right}}"
        yield Text(cut(ends, width, strokes.ellipsis))


def _read(plot: Plot) -> tuple[Sequence[Array], _Scale]:
    """Return the numbers of each model, and the scale that they share."""
    match plot.drawn:
        case Histogram(edges, counts) if edges.size:
            most = max(int(each.max()) for each in counts)
            return counts, _Scale(_short(most), number(edges[0]), number(edges[-1]))
        case Spectrum(values):
            largest, length = max(float(each[0]) for each in values), max(map(len, values))
            return values, _Scale(number(largest), "1", str(length) if length > 1 else "")
    return [np.empty(0)] * len(plot.facts), _Scale("", "", "")


def _short(count: int) -> str:
    """Write a number of at most five characters."""
    unit = 0
    value = float(count)
    while value >= 9999.5 and unit < len(COUNT_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 1 if unit and value < 99.95 else 0
    return f"{value:.{digits}f}{COUNT_UNITS[unit]}"


def _fit(numbers: Array, cells: int) -> Array:
    """Return a number for each cell: of more of them the largest, or each several times."""
    if numbers.size <= cells:
        return np.repeat(numbers, cells // max(numbers.size, 1))
    starts = np.arange(cells) * numbers.size // cells
    return np.asarray(np.maximum.reduceat(numbers, starts))


def _draw(heights: Array, parts: str) -> Iterator[str]:
    """Yield lines of bars, whose heights are at most 1; what is more than nothing is seen."""
    steps = np.rint(heights * HEIGHT * len(parts)).astype(np.int64)
    steps = np.where(heights > 0, np.maximum(steps, 1), 0)
    marks = f" {parts}"
    for line in reversed(range(HEIGHT)):
        levels = np.clip(steps - line * len(parts), 0, len(parts))
        yield "".join(marks[level] for level in levels.tolist())
