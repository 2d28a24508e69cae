"""How the parameters of two models differ, for people: a line each, marked and coloured."""

from collections.abc import Iterable, Sequence
from math import floor

from rich.console import Console
from rich.style import Style

from paramctl.diff.comparison import Change, Parameter
from paramctl.diff.values import Difference
from paramctl.dtypes import UNKNOWN
from paramctl.views.columns import DIM, PLAIN, Column, Row
from paramctl.views.diffs import NONE, notes_of, place_of
from paramctl.views.escaping import escape
from paramctl.views.tables import print_rows
from paramctl.views.units import format_number

GREEN, RED, YELLOW, CYAN = (Style(color=name) for name in ("green", "red", "yellow", "cyan"))
MARKS: dict[Change, tuple[str, Style]] = {
    "equal": ("=", DIM),
    "changed": ("~", YELLOW),
    "added": ("+", GREEN),
    "removed": ("-", RED),
    "renamed": (">", CYAN),
    "uncompared": ("?", YELLOW),
}
COLUMNS = {
    "shape": Column("shape", PLAIN, 0),
    "dtype": Column("dtype", PLAIN, 5),
    "largest": Column("max diff", PLAIN, 1, right=True),
    "place": Column("at", PLAIN, 8),
    "relative": Column("max rel", PLAIN, 7, right=True),
    "distance": Column("rel L2", PLAIN, 3, right=True),
    "cosine": Column("cosine", PLAIN, 6, right=True),
    "equal": Column("equal", PLAIN, 4, right=True),
}
WHERE_TYPES_DIFFER = COLUMNS | {"dtype": Column("dtype", PLAIN, 2)}


def print_table(
    console: Console, parameters: Sequence[Parameter], width: int | None, arrow: str
) -> None:
    """Print a line for each parameter, and below it what does not fit into columns."""
    types_differ = any("dtype" in parameter.differs for parameter in parameters)
    columns = WHERE_TYPES_DIFFER if types_differ else COLUMNS
    print_rows(console, [_row(parameter, arrow) for parameter in parameters], columns, width)


def _row(parameter: Parameter, arrow: str) -> Row:
    known = [e for e in (parameter.a, parameter.b) if e and e.dtype is not UNKNOWN]
    mark, style = MARKS[parameter.change]

    def both(texts: Iterable[str]) -> str:
        return f" {arrow} ".join(dict.fromkeys(texts))

    cells = {
        "shape": both(str(list(entry.shape)) for entry in known),
        "dtype": both(entry.dtype.name for entry in known),
    }
    if parameter.outcome.difference:
        cells |= _numbers(parameter, parameter.outcome.difference)
    below = tuple(map(escape, notes_of(parameter)))
    label = f"{mark} " + (escape(parameter.name) or "''")
    return Row("", label, cells, style, told=parameter.differs, below=below)


def _numbers(parameter: Parameter, difference: Difference) -> dict[str, str]:
    """Return the columns of numbers; of what is the same throughout there is nothing to say."""
    if not difference.count:
        return {}
    share = {"equal": _share(difference.share_equal)}
    if difference.place is None and difference.is_equal:
        return share
    place = place_of(parameter)
    return share | {
        "largest": format_number(difference.largest, NONE),
        "place": "" if place is None else str(list(place)),
        "relative": format_number(difference.relative, NONE),
        "distance": format_number(difference.distance, NONE),
        "cosine": _cosine(difference.cosine),
    }


def _cosine(cosine: float | None) -> str:
    """Write a cosine, rounded down: 1 is that of one direction, but for what float64 rounds off."""
    return NONE if cosine is None else f"{floor(cosine * 1e6 + 1e-6) / 1e6:.6f}"


def _share(share: float) -> str:
    """Write a share in percent, rounded down: 100% is all, and 0% none."""
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{floor(share * 1000) / 10:g}%"
