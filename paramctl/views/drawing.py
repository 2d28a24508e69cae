"""A plot on axes of matplotlib's."""

from functools import cache
from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np

from paramctl.stats.heatmaps import HeatMap
from paramctl.stats.histograms import Histogram
from paramctl.views.palettes import BAD, OURS, RGB, THEIRS, Palette
from paramctl.views.plots import Plot, Spectrum
from paramctl.widening import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

FONT = "DejaVu Sans"
COLORS = (OURS, THEIRS)
EXTREME = 100  # powers of ten, beyond which numbers are too large or small for matplotlib
LEAST = -307  # the same, of the least that has all digits
TICKS = 5
MARK, MARKED = 3, 64  # points of a singular value's mark; more of them have none
BAR = 0.1  # inches of a heat map's scale


def hexadecimal(color: RGB) -> str:
    """Write a colour as in HTML."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def show(text: str) -> str:
    """Return text with what the font lacks written as escapes."""
    known = _characters()
    return "".join(
        each if ord(each) in known else each.encode("unicode_escape").decode() for each in text
    )


@cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 (an extra, and slow)

    return frozenset(get_font(findfont(FONT)).get_charmap())


def draw_plot(axes: "Axes", plot: Plot) -> None:
    """Draw a plot."""
    match plot.drawn:
        case Histogram(edges) if edges.size:
            _draw_histogram(axes, plot.drawn)
        case HeatMap(means) if means.size:
            _draw_heat_map(axes, plot.drawn)
        case Spectrum():
            _draw_spectrum(axes, plot.drawn)
        case _:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, "nothing to draw", ha="center", va="center", color="#666666")


def _draw_histogram(axes: "Axes", histogram: Histogram) -> None:
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415 (an extra, and slow)

    edges, unit = _scale(histogram.edges)
    for place, (counts, color) in enumerate(zip(histogram.counts, COLORS, strict=False)):
        axes.stairs(
            counts,
            edges,
            fill=not place,
            color=hexadecimal(color),
            alpha=0.6 if len(histogram.counts) > 1 and not place else 1,
            linewidth=1.2,
        )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(unit)
    _place_ticks(axes.xaxis)
    _place_ticks(axes.yaxis, is_whole=True)
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _draw_spectrum(axes: "Axes", spectrum: Spectrum) -> None:
    longest = max(map(len, spectrum.values))
    unit = _unit(np.concatenate(spectrum.values))
    for values, color in zip(spectrum.values, COLORS, strict=False):
        ranks = np.arange(1, values.size + 1)
        axes.plot(
            ranks,
            values / unit,
            color=hexadecimal(color),
            linewidth=1.4,
            marker="o",
            markersize=MARK if longest <= MARKED else 0,
        )
    axes.set_xlim(0.5, longest + 0.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(_name_unit(unit))
    axes.yaxis.set_major_formatter("{x:.4g}")
    _place_ticks(axes.xaxis, is_whole=True)
    _place_ticks(axes.yaxis)


def _draw_heat_map(axes: "Axes", heat: HeatMap) -> None:
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 (an extra, and slow)

    means, unit = _scale(heat.means)
    palette = Palette.of(means)
    colors = LinearSegmentedColormap.from_list("", [hexadecimal(each) for each in palette.colors])
    image = axes.imshow(
        means,
        cmap=colors.with_extremes(bad=hexadecimal(BAD)),
        vmin=palette.low,
        vmax=palette.high,
        aspect="auto",
        interpolation="nearest",
        extent=(0, float(heat.columns[-1]), float(heat.rows[-1]), 0),
    )
    axes.grid(visible=False)
    inch = axes.figure.dpi / axes.bbox.width  # of the axes' width
    bar = axes.inset_axes((1 + inch * BAR, 0, inch * BAR, 1))
    axes.figure.colorbar(image, cax=bar, label=unit)
    bar.grid(visible=False)
    _place_ticks(axes.xaxis, is_whole=True)
    _place_ticks(axes.yaxis, is_whole=True)
    if len(means) == 1:
        axes.set_yticks([])


def _place_ticks(axis: "Axis", *, is_whole: bool = False) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 (an extra, and slow)

    axis.set_major_locator(MaxNLocator(TICKS, integer=is_whole))


def _scale(values: Array) -> tuple[Array, str]:
    """Return values in a unit that leaves them neither too large nor too small, and its name."""
    unit = _unit(values)
    return values / unit, _name_unit(unit)


def _unit(values: Array) -> float:
    sizes = np.abs(values[np.isfinite(values)])
    largest = float(sizes.max(initial=0.0))
    power = floor(log10(largest)) if largest else 0
    return float(f"1e{max(power, LEAST)}") if abs(power) > EXTREME else 1.0


def _name_unit(unit: float) -> str:
    return "" if unit == 1 else f"x {unit:.0e}"
