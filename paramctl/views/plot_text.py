"""Plots for a terminal: side by side as far as there is room."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.text import Text

from paramctl.stats.heatmaps import HeatMap
from paramctl.views.charts import COLORS, chart_lines
from paramctl.views.heat_text import HEIGHT, heat_lines
from paramctl.views.plots import Plot, Size
from paramctl.views.strokes import Strokes

LEAST = 38  # characters of a plot that has others beside it
MOST = 100
GAP = 2
AXES = 7  # characters that a count and its axis take


def plot_width(count: int, width: int) -> int:
    """Return how wide each of so many plots is on a terminal."""
    beside = max(1, min(count, (width + GAP) // (LEAST + GAP)))
    return max(min((width + GAP) // beside - GAP, MOST), 1)


def choose_size(width: int, *, in_halves: bool) -> Size:
    """Return what of a plot of this width can be seen, of two rows of cells in a line or one."""
    return Size(max(width - AXES, 1), 2 * HEIGHT if in_halves else HEIGHT, width)


def lay_out(
    plots: Sequence[Plot], models: Sequence[str], width: int, strokes: Strokes, *, use_color: bool
) -> Iterator[Text]:
    """Yield the lines of plots on a terminal of this width; `models` are what they are called."""
    if len(models) > 1:
        is_heat = isinstance(plots[0].drawn, HeatMap)
        legend = _tell_difference(models) if is_heat else _tell_colors(models)
        legend.truncate(width)
        yield legend
        yield Text()
    each = plot_width(len(plots), width)
    beside = max((width + GAP) // (each + GAP), 1)
    for first in range(0, len(plots), beside):
        if first:
            yield Text()
        row = [
            list(_lines(plot, each, strokes, use_color=use_color))
            for plot in plots[first : first + beside]
        ]
        for parts in zip_longest(*row, fillvalue=Text()):
            yield _join(parts, each)


def _tell_difference(models: Sequence[str]) -> Text:
    ours, theirs = models
    return Text(f"{theirs} minus {ours}")


def _tell_colors(models: Sequence[str]) -> Text:
    (ours, theirs), (our_color, their_color) = models, COLORS
    return Text.assemble("above ", (ours, our_color), ", below ", (theirs, their_color))


def _lines(plot: Plot, width: int, strokes: Strokes, *, use_color: bool) -> Iterator[Text]:
    if isinstance(plot.drawn, HeatMap):
        return heat_lines(plot, plot.drawn, width, strokes, use_color=use_color)
    return chart_lines(plot, width, strokes)


def _join(parts: Sequence[Text], width: int) -> Text:
    """Put lines beside each other."""
    line = Text()
    for place, part in enumerate(parts):
        line.append_text(part)
        if place + 1 < len(parts):
            line.append(" " * max((place + 1) * (width + GAP) - line.cell_len, 0))
    line.rstrip()
    return line
