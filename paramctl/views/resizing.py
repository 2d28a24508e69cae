"""Parameters that are to have other shapes, as people and programs read them."""

from collections.abc import Iterator, Sequence
from math import prod

from paramctl.checkpoint import Checkpoint
from paramctl.edits.resizing import Resizing
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.rows import total
from paramctl.views.summary import total_line


def show_resizing(resized: Checkpoint, plan: Sequence[Resizing]) -> Changes:
    """Return what is resized, from which shape, and what is new in it."""
    notes = {name: "" for each in plan for name in each.names}
    notes |= {each.names[0]: _note(each) for each in plan}
    rows = rows_with_notes(resized, {name: notes[name] for name in resized if name in notes})
    return Changes(rows, f"to resize: {total_line(total(resized, rows))}", _lines(plan))


def _note(resizing: Resizing) -> str:
    facts = [f"was {list(resizing.entry.shape)}"]
    if resizing.lost:
        facts.append(f"{resizing.lost:,} values lost")
    if resizing.scheme:
        new = prod(resizing.shape) - prod(resizing.kept)
        facts.append(f"{new:,} new: {resizing.scheme}")
    return ", ".join(facts)


def _lines(plan: Sequence[Resizing]) -> Iterator[str]:
    """Yield name, old shape, new shape, scheme and stored name between tabs."""
    for each in plan:
        shapes = str(list(each.entry.shape)), str(list(each.shape))
        for name in each.names:
            stored = "" if name == each.names[0] else each.names[0]
            cells = (name, *shapes, each.scheme, stored)
            yield "\t".join(escape(cell) or "-" for cell in cells)
