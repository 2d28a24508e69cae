"""New values for parameters, and for all that are tied to them."""

from collections.abc import Mapping
from dataclasses import replace

from paramctl.checkpoint import AnyCheckpoint, Entry, Storage
from paramctl.groups import Groups
from paramctl.slices import check_expansion


def with_values(checkpoint: AnyCheckpoint, changes: Mapping[str, Storage]) -> AnyCheckpoint:
    """Give parameters, by their stored names, new values: contiguous ones, for all of the group.

    Raises:
        LimitError: one is expanded to far more bytes than there are.
    """
    groups = Groups(checkpoint.aliases)
    changed = {
        name: _restore(checkpoint.entries[name], storage)
        for stored, storage in changes.items()
        for name in groups.members(stored)
    }
    return with_entries(checkpoint, changed)


def with_entries(checkpoint: AnyCheckpoint, changed: Mapping[str, Entry]) -> AnyCheckpoint:
    """Put other entries, of values of their own, in the places of those of the same names."""
    overlaps = {
        name: other
        for name, other in checkpoint.overlaps.items()
        if name not in changed and other not in changed
    }
    entries = {**checkpoint.entries, **changed}
    return replace(checkpoint, entries=entries, overlaps=overlaps)


def _restore(entry: Entry, storage: Storage) -> Entry:
    if entry.storage:
        check_expansion(entry, entry.nbytes, entry.storage.nbytes)
    return entry._replace(storage=storage, offset=0, strides=None, layout="strided")
