"""What an edit is about to change, for people and for programs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.views.rows import Row, make_rows

if TYPE_CHECKING:
    from rich.console import Console


class Changes(NamedTuple):
    """The rows of what changes, each with a note of how, and a line of what they come to.

    `lines` say the same to programs, columns between tabs. The rows are of `checkpoint`, else of
    the changed model. Where they say too little of it to people, `draw` is given a console, its
    width in cells, and the arrow from the old to the new, and returns whether it has shown all.
    """

    rows: Sequence[Row]
    summary: str
    lines: Iterable[str]
    draw: "Callable[[Console, int | None, str], bool] | None" = None
    checkpoint: Checkpoint | None = None


def rows_with_notes(checkpoint: Checkpoint, notes: Mapping[str, str]) -> list[Row]:
    """Return the rows of the parameters that there are notes on; each follows what is unusual."""
    return [
        row._replace(note=", ".join(filter(None, (row.note, notes[row.name]))))
        for row in make_rows(checkpoint, notes)
    ]
