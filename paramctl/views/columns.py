"""Columns that fit a terminal: what tells least gives way, then the middle of names."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.style import Style

from paramctl.views.clipping import HEAD, clip

MIN_LABEL, MIN_SHARE = 28, 3 / 8  # cells, and of the width: labels get both before columns do
MAX_SHARE = 3 / 4  # of the width, for labels that look alike where they are clipped to less
HEADS = (HEAD, 16)  # how labels are clipped: less of the beginning where else two look alike
MAX_COMPARED = 1000  # labels
GAP = "  "
_NUMBER = re.compile(r"[0-9]+")

Labels = Collection[tuple[str, str]]  # guides and labels
DIM, PLAIN, BOLD = Style(dim=True), Style(), Style(bold=True)


class Column(NamedTuple):
    """How a column is shown; those of low `rank` stay where the terminal is narrow.

    One with `least` is first clipped, down to so many cells. One that `flows`, the last of a
    table, is as wide as it can: its longer texts stand where their row is empty, else below it.
    """

    heading: str
    style: Style
    rank: int
    right: bool = False
    least: int = 0
    flows: bool = False


class Row(NamedTuple):
    """A line: guides, a label, the texts of columns by their names, those that are `faint` dim.

    What it has in the columns `told` stands below it where these are left out, as do the lines
    `below`.
    """

    guides: str
    label: str
    cells: Mapping[str, str]
    style: Style = PLAIN
    faint: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


class Fit(NamedTuple):
    """How wide labels and columns are, and how labels are clipped."""

    label: int
    head: int
    widths: Mapping[str, int]


def fit_columns(
    rows: Sequence[Row],
    columns: Mapping[str, Column],
    label: str,
    width: int | None,
    ellipsis: str,
) -> Fit:
    """Clip columns and leave some out, the least telling first, until the labels have room.

    `label` is the heading of the labels.
    """
    widths = _full_widths(rows, columns)
    full = max(cell_len(label), *(cell_len(row.guides + row.label) for row in rows))
    if width is None or full + width_of(widths) <= width:
        return Fit(full, HEAD, widths)
    labels = {(row.guides, row.label) for row in rows[:MAX_COMPARED]}
    least = _least_label(labels, full, width, ellipsis)
    widths = next(
        fitted
        for tried in _narrower(rows, columns, widths)
        if (fitted := _leave_out(tried, columns, width - least)).keys() >= _flowing(tried, columns)
    )
    room = max(1, min(full, width - width_of(widths)))
    head = next((head for head in HEADS if _tell_apart(labels, room, head, ellipsis)), HEAD)
    return Fit(room, head, widths)


def _full_widths(rows: Sequence[Row], columns: Mapping[str, Column]) -> dict[str, int]:
    """Return the width of every column that has anything in it."""
    widths = {name: max(cell_len(row.cells.get(name, "")) for row in rows) for name in columns}
    return {name: max(width, len(columns[name].heading)) for name, width in widths.items() if width}


def width_of(widths: Mapping[str, int]) -> int:
    """Return how wide columns are together, with the gaps before them."""
    return sum(len(GAP) + width for width in widths.values())


def _flowing(widths: Mapping[str, int], columns: Mapping[str, Column]) -> set[str]:
    return {name for name in widths if columns[name].flows}


def _narrower(
    rows: Sequence[Row], columns: Mapping[str, Column], widths: Mapping[str, int]
) -> Iterator[dict[str, int]]:
    """Yield widths, ever less for a column that flows: for half of its texts at least, or none."""
    for name in _flowing(widths, columns):
        lengths = sorted(cell_len(row.cells[name]) for row in rows if row.cells.get(name))
        for length in dict.fromkeys(reversed(lengths[len(lengths) // 2 :])):
            yield {**widths, name: length}
    yield {name: length for name, length in widths.items() if not columns[name].flows}


def _leave_out(
    widths: Mapping[str, int], columns: Mapping[str, Column], room: int
) -> dict[str, int]:
    """Return the columns that fit, of those with `least` as much as does."""
    fitted = dict(widths)
    for name, column in columns.items():
        if column.least and name in fitted:
            excess = max(0, width_of(fitted) - room)
            fitted[name] = max(min(column.least, fitted[name]), fitted[name] - excess)
    for name in sorted(fitted, key=lambda name: -columns[name].rank):
        if width_of(fitted) <= room:
            break
        del fitted[name]
    return fitted


def _least_label(labels: Labels, full: int, width: int, ellipsis: str) -> int:
    """Return the least width at which labels can be told apart."""
    most = min(full, int(width * MAX_SHARE))
    least = min(most, MIN_LABEL, int(width * MIN_SHARE))
    for room in range(least, most):
        if any(_tell_apart(labels, room, head, ellipsis) for head in HEADS):
            return room
    return most


def _tell_apart(labels: Labels, room: int, head: int, ellipsis: str) -> bool:
    """Whether labels differ still, and keep all of their numbers, where they are clipped."""
    seen = set()
    for guides, label in labels:
        clipped = clip(label, room - cell_len(guides), ellipsis, head)
        if (guides, clipped) in seen or _NUMBER.findall(clipped) != _NUMBER.findall(label):
            return False
        seen.add((guides, clipped))
    return True
