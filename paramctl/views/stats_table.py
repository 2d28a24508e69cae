"""Statistics of parameters as a table for people, with histograms."""

from collections.abc import Sequence

from rich.console import Console
from rich.style import Style

from paramctl.stats.histograms import choose_bins
from paramctl.stats.measured import Measured
from paramctl.stats.moments import Moments
from paramctl.views.columns import BOLD, PLAIN, Column, Row
from paramctl.views.escaping import escape
from paramctl.views.sparks import spark
from paramctl.views.tables import print_rows
from paramctl.views.units import count_noun, format_number, format_share

BINS = 16  # of a histogram
WRONG, TIE, SHAPE, BARS = (Style(color=name) for name in ("red", "yellow", "green", "blue"))
COLUMNS = {
    "shape": Column("shape", SHAPE, 6),
    "mean": Column("mean", PLAIN, 2, right=True),
    "std": Column("std", PLAIN, 1, right=True),
    "min": Column("min", PLAIN, 4, right=True),
    "max": Column("max", PLAIN, 3, right=True),
    "norm": Column("norm", PLAIN, 9, right=True),
    "zeros": Column("zeros", PLAIN, 7, right=True),
    "nan": Column("nan", WRONG, 0, right=True),
    "inf": Column("inf", WRONG, 0, right=True),
    "bars": Column("histogram", BARS, 5),
    "note": Column("", TIE, 10, flows=True),
}


def print_stats(
    console: Console,
    measured: Sequence[Measured],
    fractions: Sequence[float],
    bars: str,
    width: int | None,
) -> None:
    """Print a row for each parameter or layer, at most `width` cells wide."""
    names = [f"q{fraction:.15g}" for fraction in fractions]
    quantiles = {name: Column(name, PLAIN, 2, right=True) for name in names}
    rows = [_row(each, names, bars) for each in measured]
    print_rows(console, rows, quantiles | COLUMNS, width)


def summary(measured: Sequence[Measured]) -> str:
    """Say how many values there are, and how many of them are no numbers; what is tied once."""
    moments = [each.moments for each in measured if each.moments and not each.tied]
    text = f"{count_noun(sum(each.numel for each in moments), 'value')}"
    counts = {
        "NaN": sum(each.nans for each in moments),
        "infinite": sum(each.infinities for each in moments),
    }
    return ", ".join([text, *(f"{count:,} {what}" for what, count in counts.items() if count)])


def _row(each: Measured, quantiles: Sequence[str], bars: str) -> Row:
    cells = {"shape": str(list(each.entry.shape))} if each.entry else {}
    cells["note"] = f"= {escape(each.tied)}" if each.tied else escape(each.why)
    if each.moments:
        cells |= _numbers(each.moments) | {"bars": _histogram(each.moments, bars)}
        values = map(format_number, each.quantiles)
        cells |= dict(zip(quantiles, values, strict=bool(each.entry)))
    faint = frozenset(COLUMNS) - {"note"} if each.tied else frozenset[str]()
    return Row("", escape(each.name) or "''", cells, PLAIN if each.entry else BOLD, faint)


def _numbers(moments: Moments) -> dict[str, str]:
    return {
        "mean": format_number(moments.mean if moments.count else None),
        "std": format_number(moments.std),
        "min": format_number(moments.low),
        "max": format_number(moments.high),
        "norm": format_number(moments.norm),
        "zeros": format_share(moments.zeros / moments.count) if moments.count else "",
        "nan": f"{moments.nans:,}" if moments.nans else "",
        "inf": f"{moments.infinities:,}" if moments.infinities else "",
    }


def _histogram(moments: Moments, bars: str) -> str:
    """Draw how the values lie between the least and the largest, by a sample of them."""
    bins = choose_bins([moments], BINS)
    if bins is None or moments.low == moments.high:
        return ""
    counts = bins.count_values(moments.sample)
    return spark([float(count) for count in counts], bars)
