"""Ties: two or more names for one storage.

Torch files show them by shared storage, safetensors by metadata, `__metadata__[alias] = stored`,
as `safetensors.torch.save_model` writes it.
"""

from collections.abc import Mapping

from paramctl.checkpoint import Checkpoint, Entry, Storage

NO_ALIAS = ("format",)  # metadata keys that other tools give a meaning of their own


def resolve_declared(checkpoint: Checkpoint, metadata: Mapping[str, str]) -> None:
    """List the aliases that `metadata` declares, and take them out of the checkpoint's metadata."""
    entries = checkpoint.entries
    for alias, stored in list(metadata.items()):
        if stored in entries and alias not in entries and alias not in NO_ALIAS:
            checkpoint.aliases[alias] = checkpoint.aliases.get(stored, stored)
            entries[alias] = entries[stored]._replace(name=alias)
            checkpoint.metadata.pop(alias, None)


def resolve_shared(checkpoint: Checkpoint) -> None:
    """Find the names that share a storage: the same view of it is a tie, else an overlap."""
    groups: dict[Storage, list[Entry]] = {}
    for entry in checkpoint.entries.values():
        if entry.storage is not None:
            groups.setdefault(entry.storage, []).append(entry)
    for group in groups.values():
        if len(group) > 1:
            _compare_views(checkpoint, group)


def _compare_views(checkpoint: Checkpoint, group: list[Entry]) -> None:
    views: dict[tuple[object, ...], Entry] = {}
    for entry in group:
        view = (entry.dtype, entry.offset, entry.shape, entry.strides)
        first = views.setdefault(view, entry)
        if first is not entry:
            checkpoint.aliases[entry.name] = first.name
    order = {entry.name: place for place, entry in enumerate(group)}
    reach = 0
    farthest: Entry | None = None
    for entry in sorted(views.values(), key=lambda entry: entry.extent):
        begin, end = entry.extent
        if farthest is not None and begin < reach:
            later, earlier = sorted((entry, farthest), key=lambda e: order[e.name], reverse=True)
            checkpoint.overlaps.setdefault(later.name, earlier.name)
        if end > reach:
            reach, farthest = end, entry
