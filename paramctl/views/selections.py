"""Parameters that are about to be left out, or alone to be written, for people and programs."""

from collections.abc import Iterable, Iterator, Sequence

from paramctl.checkpoint import Checkpoint
from paramctl.groups import Groups
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.rows import Row, make_rows, total
from paramctl.views.summary import total_line
from paramctl.views.units import count_noun, format_bytes


def show_dropped(old: Checkpoint, new: Checkpoint) -> Changes:
    """Return the parameters of `old` that are not in `new`, and where the values of a tie stay."""
    groups = Groups(old.aliases)
    notes = {name: _say_heir(groups.members(name), new) for name in old if name not in new}
    rows = rows_with_notes(old, notes)
    less = format_bytes(_stored_bytes(old) - _stored_bytes(new))
    summary = f"to drop: {len(notes):,} of {count_noun(len(old), 'name')}, {less} less"
    return Changes(rows, summary, _lines(rows), checkpoint=old)


def show_whole(checkpoint: Checkpoint, what: str) -> Changes:
    """Return all parameters of a model; `what` is to be done with them."""
    rows = make_rows(checkpoint, checkpoint)
    return Changes(rows, f"to {what}: {total_line(total(checkpoint, rows))}", _lines(rows))


def _say_heir(group: Sequence[str], new: Checkpoint) -> str:
    """Say under which name a stored parameter's values stay; "" where they do not."""
    heir = next((name for name in group if name in new), None)
    return "" if heir is None or group[0] in new else f"stored as {heir}"


def _stored_bytes(checkpoint: Checkpoint) -> int:
    return sum(e.nbytes for name, e in checkpoint.items() if name not in checkpoint.aliases)


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield name, shape, dtype and bytes between tabs."""
    for row in rows:
        cells = (row.name, str(list(row.shape or ())), row.dtype, str(row.nbytes or 0))
        yield "\t".join(map(escape, cells))
