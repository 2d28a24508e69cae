"""What of a checkpoint is written: the tensors that are stored, and the names that are aliases."""

from collections.abc import Mapping
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.errors import MalformedError
from paramctl.writer.checks import check_entries
from paramctl.writer.options import WriteOptions


class Contents(NamedTuple):
    """The entries that are written, in the checkpoint's order, and alias -> stored name."""

    entries: tuple[Entry, ...]
    aliases: Mapping[str, str]
    notes: tuple[str, ...]


def choose(checkpoint: Checkpoint, options: WriteOptions) -> Contents:
    """Choose what is written of a checkpoint, and check that it can be.

    Raises:
        ParamctlError: an entry cannot be written; names it.
    """
    stored = tuple(entry for name, entry in checkpoint.items() if name not in checkpoint.aliases)
    written = tuple(checkpoint.values()) if options.ties == "copy" else stored
    for entry in written:
        if reason := checkpoint.missing.get(entry.name):
            raise MalformedError(f"'{entry.name}' is missing: {reason}")
    check_entries(written)
    notes = _note_overlaps(checkpoint)
    if options.ties == "copy":
        return Contents(written, {}, notes)
    return Contents(stored, checkpoint.aliases, notes)


def _note_overlaps(checkpoint: Checkpoint) -> tuple[str, ...]:
    if not checkpoint.overlaps:
        return ()
    name, other = next(iter(checkpoint.overlaps.items()))
    more = len(checkpoint.overlaps) - 1
    others = f", and {more} more do so" if more else ""
    return (f"'{name}' shares some bytes with '{other}'{others}: each is written in full",)
