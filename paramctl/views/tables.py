"""Rows in columns on a terminal; what has no room in its column stands below its row."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from math import inf
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments

from paramctl.views.clipping import clip, ellipsis_of, wrap
from paramctl.views.columns import DIM, GAP, Column, Fit, Row, fit_columns, width_of
from paramctl.views.separators import UNICODE_ELLIPSIS

INDENT = "    "
BATCH = 500  # lines handed to Rich at a time
PASS_BY = str.maketrans("├└─|`-", "│  |  ")  # guides below those of a row


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
    fit = fit_columns(rows, columns, label, width, ellipsis)
    flowing = next((name for name, column in columns.items() if column.flows), "")
    table = _Table(columns, fit, width, ellipsis, flowing)
    if label or any(columns[name].heading for name in table.fit.widths):
        yield list(table.header(label))
    for row in rows:
        widths = table.widths_of(row)
        lost = table.lost(row, widths)
        yield list(table.line(row, widths, lost))
        yield from table.below(row, lost)


class _Table(NamedTuple):
    """Columns as they are shown, at most `width` cells wide."""

    columns: Mapping[str, Column]
    fit: Fit
    width: int | None
    ellipsis: str
    flowing: str  # the name of the column that flows, "" where none does

    def header(self, label: str) -> Iterator[Segment]:
        """Yield the headings."""
        line = clip(label, self.fit.label, self.ellipsis).ljust(self.fit.label)
        for name, width in self.fit.widths.items():
            heading, right = self.columns[name].heading, self.columns[name].right
            line += GAP + (heading.rjust(width) if right else heading.ljust(width))
        yield Segment(line.rstrip(), DIM)
        yield Segment.line()

    def widths_of(self, row: Row) -> Mapping[str, int]:
        """Return the columns of a row: a text that flows takes the place of empty ones."""
        widths = self.fit.widths
        length = cell_len(row.cells.get(self.flowing, ""))
        if length <= widths.get(self.flowing, 0):
            return widths
        others = [name for name in widths if name != self.flowing]
        filled = [place for place, name in enumerate(others, 1) if row.cells.get(name)]
        others = others[: max(filled, default=0)]
        spilled = {name: widths[name] for name in others} | {self.flowing: length}
        fits = self.fit.label + width_of(spilled) <= (self.width or inf)
        return spilled if fits else widths

    def lost(self, row: Row, widths: Mapping[str, int]) -> list[str]:
        """Return the columns of a row that are told below it."""
        return [
            name
            for name in (*row.told, self.flowing)
            if cell_len(row.cells.get(name, "")) > widths.get(name, 0)
        ]

    def line(self, row: Row, widths: Mapping[str, int], lost: Collection[str]) -> Iterator[Segment]:
        """Yield the label and the columns of a row."""
        room = self.fit.label - cell_len(row.guides)
        yield Segment(row.guides, DIM)
        yield Segment(clip(row.label, room, self.ellipsis, self.fit.head), row.style)
        padding = room - cell_len(row.label)
        for name, width in widths.items():
            column = self.columns[name]
            text = "" if name in lost else clip(row.cells.get(name, ""), width, self.ellipsis)
            blank = width - cell_len(text)
            left, right = (blank, 0) if column.right else (0, blank)
            padding = max(padding, 0) + len(GAP) + left
            if text:
                yield Segment(" " * padding + text, DIM if name in row.faint else column.style)
                padding = 0
            padding += right
        yield Segment.line()

    def below(self, row: Row, lost: Iterable[str]) -> Iterator[list[Segment]]:
        """Yield what is told below a row."""
        told = [
            (f"{self.columns[name].heading} {row.cells[name]}".lstrip(), self.columns[name].style)
            for name in lost
        ]
        guides = row.guides.translate(PASS_BY) + INDENT
        for text, style in (*told, *((text, DIM) for text in row.below)):
            room = None if self.width is None else self.width - len(guides)
            for line in [text] if room is None else wrap(text, room):
                yield [Segment(guides, DIM), Segment(line, style), Segment.line()]
