"""The tree table on a terminal: one line a parameter or layer, in columns that fit its width."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from paramctl.views.clipping import clip, cut
from paramctl.views.escaping import escape
from paramctl.views.tree import Line
from paramctl.views.units import format_bytes

MIN_LABEL = 24  # cells; narrower, and columns are left out
GAP = "  "
BATCH = 500  # lines handed to Rich at a time

DIM, NAME, LAYER = Style(dim=True), Style(), Style(bold=True)
TIE, TYPE, SHAPE = Style(color="yellow"), Style(color="cyan"), Style(color="green")


class Cells(NamedTuple):
    """A line's columns as text; the label is guides and name."""

    guides: str
    label: str
    type: str
    shape: str
    dtype: str
    values: str
    size: str
    note: str


class Column(NamedTuple):
    """How a column is shown; those of low `rank` stay where the terminal is narrow.

    One with `least` is first clipped, down to so many cells.
    """

    heading: str
    style: Style
    rank: int
    right: bool = False
    least: int = 0


COLUMNS = {
    "type": Column("type", TYPE, 3, least=12),
    "shape": Column("shape", SHAPE, 0),
    "dtype": Column("dtype", NAME, 1),
    "values": Column("values", NAME, 5, right=True),
    "size": Column("size", NAME, 4, right=True),
    "note": Column("", TIE, 2, least=16),
}
CHANGES = {  # of what is about to change the notes tell most
    "shape": COLUMNS["shape"],
    "dtype": COLUMNS["dtype"],
    "values": COLUMNS["values"],
    "note": Column("", TIE, 0, least=40),
}


def print_lines(
    console: Console,
    lines: Iterable[Line],
    width: int | None,
    columns: Mapping[str, Column] = COLUMNS,
) -> None:
    """Print the lines in columns, at most `width` cells wide; None for as wide as they are."""
    table = [_cells(line) for line in lines]
    if not table:
        return
    widths = _column_widths(table, columns)
    label_width = max(cell_len(row.guides + row.label) for row in table)
    if width is not None:
        label_width = _fit(widths, label_width, width, columns)
    if any(columns[name].heading for name in widths):
        header = [Segment(" " * label_width), *_header(widths, columns), Segment.line()]
        console.print(Segments(header), soft_wrap=True, end="")
    for start in range(0, len(table), BATCH):
        segments = [
            segment
            for row in table[start : start + BATCH]
            for segment in _segments(row, widths, label_width, columns)
        ]
        console.print(Segments(segments), soft_wrap=True, end="")


def _cells(line: Line) -> Cells:
    row = line.row
    times = f"  x{line.times:,}" if line.times > 1 else ""
    values = "" if line.numel is None else f"{line.numel:,}"
    size = "" if line.nbytes is None else format_bytes(line.nbytes)
    label = (escape(line.label) or "''") + times
    if row is None:
        return Cells(line.guides, label, escape(line.type), "", "", values, size, "")
    notes = [f"= {escape(row.tied)}"] if row.tied else []
    notes += ["buffer"] if row.kind == "buffer" else []
    notes += [escape(row.note)] if row.note else []
    layer_type = escape(line.type) if "." in line.label else ""
    return Cells(
        line.guides, label, layer_type, line.shape, row.dtype, values, size, ", ".join(notes)
    )


def _column_widths(table: Sequence[Cells], columns: Mapping[str, Column]) -> dict[str, int]:
    """Return the width of every column that has anything in it."""
    widths = {name: max(cell_len(getattr(row, name)) for row in table) for name in columns}
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


def _header(widths: dict[str, int], columns: Mapping[str, Column]) -> Iterator[Segment]:
    line = "".join(
        GAP + (heading.rjust(width) if right else heading.ljust(width))
        for (heading, _, _, right, _), width in (
            (columns[name], width) for name, width in widths.items()
        )
    )
    yield Segment(line.rstrip(), DIM)


def _segments(
    row: Cells, widths: dict[str, int], label_width: int, columns: Mapping[str, Column]
) -> Iterator[Segment]:
    room = label_width - cell_len(row.guides)
    yield Segment(row.guides, DIM)
    yield Segment(clip(row.label, room), NAME if row.shape else LAYER)
    padding = room - cell_len(row.label)
    for name, width in widths.items():
        cell = getattr(row, name)
        is_said = name == "note" and not cell.startswith("= ")
        text = cut(cell, width) if is_said else clip(cell, width)
        blank = width - cell_len(text)
        left, right = (blank, 0) if columns[name].right else (0, blank)
        padding = max(padding, 0) + len(GAP) + left
        if text:
            style = columns[name].style if row.shape or name == "type" else DIM
            yield Segment(" " * padding + text, style)
            padding = 0
        padding += right
    yield Segment.line()
