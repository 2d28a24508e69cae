"""The tree table on a terminal: one line a parameter or layer, in columns that fit its width."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.style import Style

from paramctl.views.columns import BOLD, PLAIN, Column, Row
from paramctl.views.escaping import escape
from paramctl.views.tables import print_rows
from paramctl.views.tree import Line
from paramctl.views.units import format_bytes

TIE, TYPE, SHAPE = Style(color="yellow"), Style(color="cyan"), Style(color="green")
SUMS = frozenset({"values", "size"})  # of a layer: what is below has them too


COLUMNS = {
    "type": Column("type", TYPE, 3, least=12),
    "shape": Column("shape", SHAPE, 0),
    "dtype": Column("dtype", PLAIN, 1),
    "values": Column("values", PLAIN, 5, right=True),
    "size": Column("size", PLAIN, 4, right=True),
    "note": Column("", TIE, 6, flows=True),
}
CHANGES = {  # of what is about to change the notes tell most
    "shape": COLUMNS["shape"],
    "dtype": COLUMNS["dtype"],
    "values": COLUMNS["values"],
    "note": Column("", TIE, 1, flows=True),
}


def print_lines(
    console: Console,
    lines: Iterable[Line],
    width: int | None,
    columns: Mapping[str, Column] = COLUMNS,
) -> None:
    """Print the lines in columns, at most `width` cells wide; None for as wide as they are."""
    print_rows(console, [_row(line) for line in lines], columns, width)


def _row(line: Line) -> Row:
    row = line.row
    times = f"  x{line.times:,}" if line.times > 1 else ""
    label = (escape(line.label) or "''") + times
    cells = {
        "values": "" if line.numel is None else f"{line.numel:,}",
        "size": "" if line.nbytes is None else format_bytes(line.nbytes),
    }
    if row is None:
        cells["type"] = escape(line.type)
        return Row(line.guides, label, cells, BOLD, SUMS)
    notes = [f"= {escape(row.tied)}"] if row.tied else []
    notes += ["buffer"] if row.kind == "buffer" else []
    notes += [escape(row.note)] if row.note else []
    cells |= {
        "type": escape(line.type) if "." in line.label else "",
        "shape": line.shape,
        "dtype": row.dtype,
        "note": ", ".join(notes),
    }
    return Row(line.guides, label, cells, PLAIN if line.shape else BOLD)
