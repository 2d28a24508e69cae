"""What an edit is about to change, for people and for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.views.rows import Row, make_rows


class Changes(NamedTuple):
    """The rows of what changes, each with a note of how, and a line of what they come to.

    `lines` say the same to programs, columns between tabs.
    """

    rows: Sequence[Row]
    summary: str
    lines: Iterable[str]


def rows_with_notes(checkpoint: Checkpoint, notes: Mapping[str, str]) -> list[Row]:
    """Return the rows of the parameters that there are notes on; each follows what is unusual."""
    return [
        row._replace(note=", ".join(filter(None, (row.note, notes[row.name]))))
        for row in make_rows(checkpoint, notes)
    ]
