"""Rows in columns that fit a terminal: what tells least gives way, then the middle of names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from paramctl.views.clipping import clip, cut, ellipsis_of
from paramctl.views.separators import UNICODE_ELLIPSIS

MIN_LABEL = 24  # cells; narrower, and columns are left out
GAP = "  "
BATCH = 500  # lines handed to Rich at a time

DIM, PLAIN, BOLD = Style(dim=True), Style(), Style(bold=True)


class Column(NamedTuple):
    """How a column is shown; those of low `rank` stay where the terminal is narrow.

    One with `least` is first shortened, down to so many cells, as `shorten` does it.
    """

    heading: str
    style: Style
    rank: int
    right: bool = False
    least: int = 0
    shorten: Callable[[str, int, str], str] = clip


class Row(NamedTuple):
    """A line: guides, a label, the texts of columns by their names, those that are `faint` dim.

    The lines `below` it are cut where they are too long.
    """

    guides: str
    label: str
    cells: Mapping[str, str]
    style: Style = PLAIN
    faint: frozenset[str] = frozenset()
    below: tuple[str, ...] = ()


def print_rows(
    console: Console, rows: Sequence[Row], columns: Mapping[str, Column], width: int | None
) -> None:
    """Print rows and their headings, at most `width` cells wide; None for as wide as they are."""
    lines = lay_out(rows, columns, width, ellipsis=ellipsis_of(console))
    while batch := list(chain.from_iterable(islice(lines, BATCH))):
        console.print(Segments(batch), soft_wrap=True, end="")


def lay_out(
    rows: Sequence[Row],
    columns: Mapping[str, Column],
    width: int | None,
    label: str = "",
    ellipsis: str = UNICODE_ELLIPSIS,
) -> Iterator[list[Segment]]:
    """Yield the lines; the first one is of the headings, if there is any, `label` among them."""
    if not rows:
        return
    widths = _column_widths(rows, columns)
    label_width = max(cell_len(label), *(cell_len(row.guides + row.label) for row in rows))
    if width is not None:
        label_width = _fit(widths, label_width, width, columns)
    if label or any(columns[name].heading for name in widths):
        heading = clip(label, label_width, ellipsis).ljust(label_width)
        yield list(_header(heading, widths, columns))
    for row in rows:
        yield list(_segments(row, widths, label_width, columns, ellipsis))
        for text in row.below:
            shown = text if width is None else cut(text, width, ellipsis)
            yield [Segment(shown, DIM), Segment.line()]


def _column_widths(rows: Sequence[Row], columns: Mapping[str, Column]) -> dict[str, int]:
    """Return the width of every column that has anything in it."""
    widths = {name: max(cell_len(row.cells.get(name, "")) for row in rows) for name in columns}
    return {name: max(width, len(columns[name].heading)) for name, width in widths.items() if width}


def _fit(
    widths: dict[str, int], label_width: int, width: int, columns: Mapping[str, Column]
) -> int:
    """Clip columns and leave some out, the least telling first, until the label has room.

    Returns the label's width.
    """
    wanted = min(label_width, MIN_LABEL)
    for name, column in columns.items():
        if column.least and name in widths:
            excess = max(0, wanted + _width(widths) - width)
            widths[name] = max(min(column.least, widths[name]), widths[name] - excess)
    for name in sorted(widths, key=lambda name: -columns[name].rank):
        if wanted + _width(widths) <= width:
            break
        del widths[name]
    return max(1, min(label_width, width - _width(widths)))


def _width(widths: dict[str, int]) -> int:
    return sum(len(GAP) + width for width in widths.values())


def _header(label: str, widths: dict[str, int], columns: Mapping[str, Column]) -> Iterator[Segment]:
    line = label + "".join(
        GAP
        + (columns[name].heading.rjust(width) if columns[name].right else columns[name].heading)
        + " " * (0 if columns[name].right else width - len(columns[name].heading))
        for name, width in widths.items()
    )
    yield Segment(line.rstrip(), DIM)
    yield Segment.line()


def _segments(
    row: Row,
    widths: dict[str, int],
    label_width: int,
    columns: Mapping[str, Column],
    ellipsis: str,
) -> Iterator[Segment]:
    room = label_width - cell_len(row.guides)
    yield Segment(row.guides, DIM)
    yield Segment(clip(row.label, room, ellipsis), row.style)
    padding = room - cell_len(row.label)
    for name, width in widths.items():
        column = columns[name]
        text = column.shorten(row.cells.get(name, ""), width, ellipsis)
        blank = width - cell_len(text)
        left, right = (blank, 0) if column.right else (0, blank)
        padding = max(padding, 0) + len(GAP) + left
        if text:
            yield Segment(" " * padding + text, DIM if name in row.faint else column.style)
            padding = 0
        padding += right
    yield Segment.line()
