"""Ties as people and programs read them: a line for each name beyond the first of a storage."""

from collections.abc import Iterator

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun, format_bytes


def tied_entries(checkpoint: Checkpoint) -> Iterator[tuple[Entry, str]]:
    """Yield every alias and the name under which its values are stored, group by group."""
    for alias, stored in sorted(checkpoint.aliases.items(), key=lambda tie: tie[1]):
        yield checkpoint[alias], stored


def saved_bytes(checkpoint: Checkpoint) -> int:
    """Return how many bytes the ties save."""
    return sum(entry.nbytes for entry, _ in tied_entries(checkpoint))


def text_lines(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield a line a tie, and what they come to."""
    for entry, stored in tied_entries(checkpoint):
        what = f"{list(entry.shape)} {entry.dtype.name}  {format_bytes(entry.nbytes)}"
        yield f"{escape(entry.name)} = {escape(stored)}  {what}"
    count = len(checkpoint.aliases)
    yield f"{count_noun(count, 'tie')}, {format_bytes(saved_bytes(checkpoint))} saved"


def tsv_lines(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield alias, stored name, shape, dtype and bytes between tabs."""
    for entry, stored in tied_entries(checkpoint):
        cells = (entry.name, stored, str(list(entry.shape)), entry.dtype.name, str(entry.nbytes))
        yield "\t".join(map(escape, cells))
