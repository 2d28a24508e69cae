"""Heat maps in characters: two cells of colour in each, or shades where there is no colour."""

from collections.abc import Iterator
from math import isnan
from typing import NamedTuple

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

from paramctl.stats.heatmaps import HeatMap
from paramctl.views.charts import title
from paramctl.views.clipping import cut
from paramctl.views.palettes import BAD, RGB, Palette
from paramctl.views.plots import Plot, number
from paramctl.views.strokes import Strokes
from paramctl.widening import Array

NOT_FINITE = "N"
HEIGHT = 24  # lines at most
LEGEND = 16  # characters of the scale
MOST_TIMES = 4  # lines that a row of a small matrix takes


def heat_lines(
    plot: Plot, heat: HeatMap, width: int, strokes: Strokes, *, use_color: bool
) -> Iterator[Text]:
    """Yield the lines of a heat map, of at most `width` characters."""
    yield title(plot, width, strokes.ellipsis)
    yield from (Text(cut(facts, width, strokes.ellipsis), "dim") for facts in plot.facts)
    if not heat.means.size:
        yield Text("no values", "dim")
        return
    palette = Palette.of(heat.means)
    if use_color and strokes.half:
        lines, scale, mark = _draw_colors(heat.means, width, palette, strokes)
    else:
        lines, scale, mark = _draw_shades(heat.means, width, palette, strokes)
    yield from lines
    legend = Text.assemble(f"{number(palette.low)} ", scale, f" {number(palette.high)}")
    if np.isnan(heat.means).any():
        legend = Text.assemble(legend, "  ", mark, " not finite")
    legend.truncate(width)
    yield legend


class _Drawn(NamedTuple):
    """The lines of cells, the scale of their colours, and the mark of what is not finite."""

    lines: list[Text]
    scale: Text
    mark: Text


def _draw_colors(means: Array, width: int, palette: Palette, strokes: Strokes) -> _Drawn:
    cells = _stretch(means, width, 2 * HEIGHT, 1)
    ramp = np.linspace(0, 1, LEGEND)
    steps = palette.low * (1 - ramp) + palette.high * ramp
    return _Drawn(
        [_halves(cells[row : row + 2], palette, strokes) for row in range(0, len(cells), 2)],
        _halves(steps[np.newaxis], palette, strokes),
        _halves(np.full((2, 2), np.nan), palette, strokes),
    )


def _draw_shades(means: Array, width: int, palette: Palette, strokes: Strokes) -> _Drawn:
    cells = _stretch(means, width, HEIGHT, 2)
    lines = [Text(_shade(row, palette, strokes.shades)) for row in cells]
    return _Drawn(lines, Text(strokes.shades), Text(NOT_FINITE))


def _stretch(means: Array, width: int, lines: int, aspect: int) -> Array:
    """Repeat the cells of a small matrix; `aspect` times as often in a row as in a column."""
    rows, columns = means.shape
    times = max(1, min(width // (aspect * columns), lines // rows, MOST_TIMES))
    across = times * aspect if times * aspect * columns <= width else times
    return means.repeat(times, axis=0).repeat(across, axis=1)


def _halves(pair: Array, palette: Palette, strokes: Strokes) -> Text:
    """Return a line of two rows of cells; of one, the line's lower half is left as it is."""
    line = Text()
    for values in pair.T.tolist():
        color, *below = (BAD if isnan(value) else palette.color(value) for value in values)
        style = Style.from_color(_rich(color), _rich(below[0]) if below else None)
        line.append(strokes.half, style)
    return line


def _rich(color: RGB) -> Color:
    return Color.from_rgb(*color)


def _shade(row: Array, palette: Palette, shades: str) -> str:
    last = len(shades) - 1
    return "".join(
        NOT_FINITE if isnan(value) else shades[round(palette.place(value) * last)]
        for value in row.tolist()
    )
