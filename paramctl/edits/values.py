"""New values for parameters, and for all that are tied to them."""

from collections.abc import Mapping
from dataclasses import replace

from paramctl.checkpoint import AnyCheckpoint, Entry, Storage
from paramctl.groups import Groups
from paramctl.slices import check_expansion


def with_values(checkpoint: AnyCheckpoint, changes: Mapping[str, Storage]) -> AnyCheckpoint:
    """Give parameters new values: contiguous ones.

    Raises:
        LimitError: one is expanded to far more bytes than there are.
    """
    restored = {
        name: _restore(checkpoint.entries[name], storage) for name, storage in changes.items()
    }
    return with_entries(checkpoint, restored)


def with_entries(checkpoint: AnyCheckpoint, changes: Mapping[str, Entry]) -> AnyCheckpoint:
    """Put other entries in the places of parameters, and of all that is tied to them."""
    groups = Groups(checkpoint.aliases)
    changed = {
        member: put_in_place(entry, checkpoint.entries[member])
        for name, entry in changes.items()
        for member in groups.members(name)
    }
    overlaps = {
        name: other
        for name, other in checkpoint.overlaps.items()
        if name not in changed and other not in changed
    }
    return replace(checkpoint, entries=checkpoint.entries | changed, overlaps=overlaps)


def put_in_place(entry: Entry, old: Entry) -> Entry:
    """Return an entry as the parameter that was `old`: of its name, its kind and its gradient."""
    return entry._replace(name=old.name, kind=old.kind, requires_grad=old.requires_grad)


def set_apart(entry: Entry) -> Entry:
    """Return an entry on a storage that equals no other, at the same place."""
    if entry.storage is None:
        return entry
    key = f"{entry.storage.key} of {entry.name}"
    return entry._replace(storage=entry.storage._replace(key=key))


def _restore(entry: Entry, storage: Storage) -> Entry:
    if entry.storage:
        check_expansion(entry, entry.nbytes, entry.storage.nbytes)
    return entry._replace(storage=storage, offset=0, strides=None, layout="strided")
