"""A warm start, as people and programs read it: what is copied, initialized, kept and left over."""

import re
from collections import Counter
from collections.abc import Iterator

from paramctl.checkpoint import Checkpoint
from paramctl.edits.draws import Plan
from paramctl.edits.fits import ABSENT, Fits
from paramctl.few import list_few
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.draws import note_on
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun

MAX_NAMED = 5
PLACES = "ijklmnop"
_NUMBER = re.compile(r"(?<![^. ])\d+(?![^.])")


def show_graft(grafted: Checkpoint, fits: Fits, plan: Plan) -> Changes:
    """Return what becomes of every parameter, in the model's order, and what is left over."""
    notes = dict.fromkeys(grafted, "")
    notes |= _notes_on_copies(grafted, fits)
    notes |= {stored: f"{why}: kept" for stored, why in fits.lacking.items()}
    for draw in plan.draws:
        notes[draw.names[0]] = f"{fits.lacking[draw.names[0]]}: {note_on(draw)}"
    rows = rows_with_notes(grafted, notes)
    return Changes(rows, f"to graft: {count_all(fits, plan)}", _lines(grafted, fits, plan))


def count_all(fits: Fits, plan: Plan) -> str:
    """Say how many tensors are copied, initialized and kept, and how many are left over."""
    drawn = len(plan.draws)
    facts = [f"{count_noun(len(fits.copied), 'tensor')} copied"]
    facts += [f"{drawn:,} initialized"] if drawn else []
    kept = len(fits.lacking) - drawn
    facts += [f"{kept:,} kept"] if kept else []
    facts += [f"{len(fits.left_over):,} left over"] if fits.left_over else []
    return ", ".join(facts)


def list_misfits(fits: Fits, file: str) -> Iterator[str]:
    """Yield what of both models does not fit, a few of each kind by name."""
    absent = [name for name, why in fits.lacking.items() if why == ABSENT]
    others = [f"'{name}' ({why})" for name, why in fits.lacking.items() if why != ABSENT]
    for what, items in (
        (f"not in {file}", [f"'{name}'" for name in absent]),
        ("of another shape or type", others),
        (f"left over of {file}", [f"'{name}'" for name in fits.left_over]),
    ):
        if items:
            yield f"{what}: {list_few(items, MAX_NAMED)}"


def _notes_on_copies(grafted: Checkpoint, fits: Fits) -> dict[str, str]:
    """Say of what is copied from where; alike for all layers of a stack, so that they fold."""
    origins = {stored: _template(entry.name, stored) for stored, entry in fits.copied.items()}
    counts = Counter(origins.values())
    notes = {}
    for stored, entry in fits.copied.items():
        origin = origins[stored] if counts[origins[stored]] > 1 else entry.name
        notes[stored] = "copied" if entry.name == stored else f"copied from {origin}"
        if entry.dtype != grafted.entries[stored].dtype:
            notes[stored] += f", was {entry.dtype.name}"
    return notes


def _template(origin: str, name: str) -> str:
    """Write `{i}` for the numbers of layers in a name where they are the same in another."""
    numbers = _NUMBER.findall(origin)
    if len(numbers) > len(PLACES) or numbers != _NUMBER.findall(name):
        return origin
    places = iter(PLACES)
    return _NUMBER.sub(lambda _: f"{{{next(places)}}}", origin)


def _lines(grafted: Checkpoint, fits: Fits, plan: Plan) -> Iterator[str]:
    """Yield name, what becomes of it, of what, and why between tabs."""
    drawn = {draw.names[0]: str(draw.rule.scheme) for draw in plan.draws}
    for name in grafted:
        if name in fits.copied:
            yield _line(name, "copied", fits.copied[name].name, fits.copied[name].dtype.name)
        elif name in fits.lacking:
            action = "initialized" if name in drawn else "kept"
            yield _line(name, action, drawn.get(name, ""), fits.lacking[name])
        else:
            yield _line(name, "tied", grafted.aliases[name], "")
    for name in fits.left_over:
        yield _line(name, "left over", "", "")


def _line(*cells: str) -> str:
    return "\t".join(escape(cell) or "-" for cell in cells)
