"""Casts, as people and programs read them."""

from collections.abc import Iterator, Sequence

from paramctl.checkpoint import Checkpoint
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun, format_bytes


def show_casts(old: Checkpoint, new: Checkpoint) -> Changes:
    """Return the parameters that have another type in `new` than in `old`."""
    names = [name for name, entry in new.items() if entry.dtype != old[name].dtype]
    rows = rows_with_notes(new, {name: f"was {old[name].dtype.name}" for name in names})
    stored = [name for name in names if name not in new.aliases]
    before, after = (
        format_bytes(sum(model[name].nbytes for name in stored)) for model in (old, new)
    )
    summary = f"to cast: {count_noun(len(stored), 'tensor')}, from {before} to {after}"
    return Changes(rows, summary, _lines(old, new, names))


def _lines(old: Checkpoint, new: Checkpoint, names: Sequence[str]) -> Iterator[str]:
    """Yield name, old type, new type, shape and bytes between tabs."""
    for name in names:
        entry = new[name]
        types = (old[name].dtype.name, entry.dtype.name)
        cells = (name, *types, str(list(entry.shape)), str(entry.nbytes))
        yield "\t".join(map(escape, cells))
