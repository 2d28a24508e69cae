"""What the panel says of a model, a layer or a parameter: a column for each model."""

from collections.abc import Mapping, Sequence
from itertools import chain

from rich.console import Group
from rich.table import Table
from rich.text import Text

from paramctl.browse.catalog import SIDES, Catalog, Side
from paramctl.browse.labels import DIM, RED, TIE
from paramctl.few import list_few
from paramctl.views.escaping import escape
from paramctl.views.summary import header_line, total_line
from paramctl.views.units import format_bytes

MAX_TIED = 8  # names that are told
MAX_LISTED = 5  # complaints, and classes that loading the file would run
LABEL, NUMBER = 7, 10  # cells
WRONG = f"bold {RED}"
NOTHING = "-"

Told = Mapping[str, str]
"""Labels, and what is behind them."""


def tell_model(catalog: Catalog) -> Text:
    """Say what the files are."""
    lines = [Text("\n").join(_tell_file(catalog, place)) for place in range(len(catalog.sides))]
    if len(catalog.sides) > 1:
        told = f"{len(catalog.marks):,} of {len(catalog.names):,} names, shapes or types differ"
        lines.append(Text(told, TIE if catalog.marks else DIM))
    return Text("\n\n").join(lines)


def _tell_file(catalog: Catalog, place: int) -> list[Text]:
    side = catalog.sides[place]
    checkpoint = side.checkpoint
    letter = f"{SIDES[place]}  " if len(catalog.sides) > 1 else ""
    lines = [
        Text.assemble((letter, "bold"), header_line(checkpoint)),
        Text(total_line(side.totals)),
    ]
    if checkpoint.foreign:
        listed = escape(", ".join(checkpoint.foreign[:MAX_LISTED]))
        lines.append(Text(f"names code that was not run: {listed}", TIE))
    return lines + [Text(escape(each), WRONG) for each in checkpoint.complaints[:MAX_LISTED]]


def tell_layer(catalog: Catalog, name: str) -> Table:
    """Say what a layer adds up to."""
    told = [_layer_facts(side, name) for side in catalog.sides]
    if differing := catalog.differing[name]:
        told[0]["differ"] = f"{differing:,}"
    return tell_side_by_side(told)


def _layer_facts(side: Side, name: str) -> dict[str, str]:
    if name not in side.sums:
        return {"values": NOTHING}
    numel, nbytes = side.sums[name]
    return {
        "class": escape(side.checkpoint.types.get(name, "")),
        "values": f"{numel:,}",
        "size": format_bytes(nbytes),
    }


def tell_parameter(catalog: Catalog, name: str) -> Group:
    """Say what a parameter is, without reading it."""
    sides = [side if name in side.rows else None for side in catalog.sides]
    forms = [_form(side, name) if side else {"shape": NOTHING} for side in sides]
    return Group(
        tell_numbers(forms),
        tell_side_by_side([_more(s, name) if s else {} for s in sides], heads=False),
    )


def _form(side: Side, name: str) -> Told:
    row = side.rows[name]
    return {
        "shape": NOTHING if row.shape is None else str(list(row.shape)),
        "dtype": row.dtype or NOTHING,
        "values": NOTHING if row.numel is None else f"{row.numel:,}",
        "size": NOTHING if row.nbytes is None else format_bytes(row.nbytes),
    }


def _more(side: Side, name: str) -> Told:
    row, entry = side.rows[name], side.checkpoint.entries[name]
    tied = side.groups.others(name)
    grad = "" if entry.requires_grad is None else f", requires_grad: {entry.requires_grad}"
    return {
        "class": escape(row.type),
        "kind": f"{row.kind}{grad}",
        "note": escape(row.note),
        "tied to": list_few([*map(escape, tied)], MAX_TIED),
    }


def tell_numbers(told: Sequence[Told]) -> Table:
    """Lay short facts out: those of one model two a line, those of two models side by side."""
    if len(told) > 1:
        return tell_side_by_side(told)
    table = Table.grid(padding=(0, 2))
    for style, width in ((DIM, LABEL), ("", NUMBER), (DIM, LABEL), ("", NUMBER)):
        table.add_column(style=style, overflow="fold", min_width=width)
    (facts,) = told
    cells = [
        cell
        for label, fact in facts.items()
        for cell in (Text(label), Text(fact, _style(label, fact)))
    ]
    for start in range(0, len(cells), 4):
        table.add_row(*cells[start : start + 4])
    return table


def tell_side_by_side(told: Sequence[Told], *, heads: bool = True) -> Table:
    """Lay facts out, a column for each model; what differs stands out."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style=DIM, no_wrap=True, width=LABEL)
    for _ in told:
        table.add_column(overflow="fold", ratio=1)
    if heads and len(told) > 1:
        table.add_row("", *(Text(letter, "bold") for letter in SIDES))
    for label in dict.fromkeys(chain(*told)):
        cells = [each.get(label, "") for each in told]
        differ = "" if len(set(cells)) == 1 else TIE
        if any(cells):
            table.add_row(label, *(Text(cell, _style(label, cell) or differ) for cell in cells))
    return table


def _style(label: str, cell: str) -> str:
    if label in {"NaN", "Inf"}:
        return WRONG if cell.strip("0") else ""
    return TIE if label in {"note", "tied to"} else ""
