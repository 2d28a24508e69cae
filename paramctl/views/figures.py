"""Plots as pictures: PNG, SVG or PDF, the same bytes in every run."""

import io
from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from paramctl.stats.heatmaps import HeatMap
from paramctl.views.clipping import clip
from paramctl.views.drawing import draw_plot, hexadecimal, show
from paramctl.views.matplotlib import our_style
from paramctl.views.palettes import OURS, THEIRS
from paramctl.views.plots import Plot, Size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = Size(64, 512, 512)
METADATA: dict[str, dict[str, Any]] = {  # the program's name, and no time
    "png": {"Software": "paramctl"},
    "svg": {"Creator": "paramctl", "Date": None},
    "pdf": {"Creator": "paramctl", "Producer": "paramctl", "CreationDate": None},
}
BESIDE = 4  # plots in a row
WIDTH, HEIGHT, HEAT_HEIGHT = 3.0, 2.2, 2.9  # inches of a plot, and all around it
SINGLE = 1.6  # times that, of one alone
LEFT, RIGHT, HEAT_RIGHT, BOTTOM = 0.5, 0.15, 0.75, 0.4  # inches of it beside its axes
TITLE, LINE = 0.45, 0.15  # the same above them; for each line of facts
GAP = 0.05  # the same, below the title
LEGEND = 0.3  # inches above all plots, where there are two models
CHARACTERS = 12  # of a title in an inch
DPI = 160


def draw(plots: Sequence[Plot], models: Sequence[str], form: str) -> bytes:
    """Return the picture of plots in one of the formats; `models` are what they are called.

    Raises:
        UsageError: matplotlib is not installed.
    """
    with our_style():
        figure = _compose(plots, models)
        out = io.BytesIO()
        figure.savefig(out, format=form, dpi=DPI, metadata=METADATA[form])
    return out.getvalue()


def _compose(plots: Sequence[Plot], models: Sequence[str]) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 (an extra, and slow)

    is_heat = isinstance(plots[0].drawn, HeatMap)
    times = SINGLE if len(plots) == 1 else 1.0
    width, height = WIDTH * times, (HEAT_HEIGHT if is_heat else HEIGHT) * times
    above = LEGEND if len(models) > 1 else 0.0
    columns = _columns(len(plots))
    rows = ceil(len(plots) / columns)
    figure = Figure((columns * width, rows * height + above))
    for place, plot in enumerate(plots):
        row, column = divmod(place, columns)
        corner = (column * width, (rows - row - 1) * height)
        axes = _place_axes(figure, corner, (width, height), plot)
        _write_title(axes, plot, width)
        draw_plot(axes, plot)
    if above:
        _write_legend(figure, models, is_heat=is_heat)
    return figure


def _columns(count: int) -> int:
    """Return how many plots stand in a row: as many as there are rows, up to a number."""
    return min(ceil(sqrt(count)), BESIDE)


def _place_axes(
    figure: "Figure", corner: tuple[float, float], size: tuple[float, float], plot: Plot
) -> "Axes":
    """Make room for a plot; the corner is the lower left one, in inches."""
    (x, y), (width, height) = corner, size
    total_width, total_height = map(float, figure.get_size_inches())
    right = HEAT_RIGHT if isinstance(plot.drawn, HeatMap) else RIGHT
    top = TITLE + LINE * len(plot.facts)
    return figure.add_axes(
        (
            (x + LEFT) / total_width,
            (y + BOTTOM) / total_height,
            (width - LEFT - right) / total_width,
            (height - BOTTOM - top) / total_height,
        )
    )


def _write_title(axes: "Axes", plot: Plot, width: float) -> None:
    """Write the name, and below it the type and a line of facts for each model."""
    room = int((width - LEFT / 2) * CHARACTERS)
    above = 72 * LINE * (len(plot.facts) + 1)  # points
    axes.set_title(show(clip(plot.name, room) or "''"), pad=above + 72 * GAP)
    lines = [plot.type, *plot.facts]
    for place, line in enumerate(lines):
        color = hexadecimal((OURS, THEIRS)[place - 1]) if place and len(lines) > 2 else "#666666"
        axes.annotate(
            show(line),
            (0, 1),
            (0, above - 72 * LINE * (place + 0.7)),
            xycoords="axes fraction",
            textcoords="offset points",
            color=color,
            fontsize=7,
        )


def _write_legend(figure: "Figure", models: Sequence[str], *, is_heat: bool) -> None:
    """Say above all plots which model has which colour, or which is taken from which."""
    from matplotlib.patches import Patch  # noqa: PLC0415 (an extra, and slow)

    ours, theirs = map(show, models)
    width, height = map(float, figure.get_size_inches())
    place = (LEFT / width, 1 - LEGEND / height / 2)
    if is_heat:
        figure.text(*place, f"{theirs}  minus  {ours}")
        return
    patches = [Patch(color=hexadecimal(color)) for color in (OURS, THEIRS)]
    names = [ours, theirs]
    figure.legend(
        patches,
        names,
        loc="center left",
        bbox_to_anchor=place,
        ncols=2,
        borderpad=0,
        borderaxespad=0,
    )
