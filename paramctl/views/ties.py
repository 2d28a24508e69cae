"""Ties made and cut, as people and programs read them."""

from collections.abc import Iterable, Iterator, Mapping

from paramctl.checkpoint import Checkpoint
from paramctl.groups import Groups
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun, format_bytes


def saved_bytes(checkpoint: Checkpoint) -> int:
    """Return how many bytes the ties save."""
    return sum(checkpoint[alias].nbytes for alias in checkpoint.aliases)


def show_made(old: Checkpoint, new: Checkpoint) -> Changes:
    """Return the ties that are in `new` and were not in `old`, with all of their groups."""
    before, groups = Groups(old.aliases), Groups(new.aliases)
    made = {
        alias: stored
        for alias, stored in new.aliases.items()
        if stored not in before.members(alias) or before.stored(alias) != stored
    }
    touched = {member for stored in made.values() for member in groups.members(stored)}
    rows = rows_with_notes(new, {name: "" for name in new if name in touched})
    count = len(new.aliases) - len(old.aliases)
    saved = format_bytes(saved_bytes(new) - saved_bytes(old))
    return Changes(rows, f"to tie: {count_noun(count, 'name')}, {saved} saved", _lines(new, made))


def show_cut(old: Checkpoint, new: Checkpoint) -> Changes:
    """Return the ties of `old` that are none in `new`."""
    groups = Groups(new.aliases)
    cut = {
        alias: stored
        for alias, stored in old.aliases.items()
        if stored not in groups.members(alias)
    }
    notes = {alias: f"no longer = {stored}" for alias, stored in cut.items()}
    rows = rows_with_notes(new, {name: notes[name] for name in new if name in notes})
    count = len(old.aliases) - len(new.aliases)
    more = format_bytes(saved_bytes(old) - saved_bytes(new))
    return Changes(rows, f"to untie: {count_noun(count, 'name')}, {more} more", _lines(new, cut))


def _lines(checkpoint: Checkpoint, ties: Mapping[str, str]) -> Iterator[str]:
    """Yield alias, stored name, shape, dtype and bytes between tabs."""
    for alias, stored in ties.items():
        entry = checkpoint[alias]
        cells: Iterable[str] = (
            alias,
            stored,
            str(list(entry.shape)),
            entry.dtype.name,
            str(entry.nbytes),
        )
        yield "\t".join(map(escape, cells))
