"""Ties: two or more names for one storage.

Torch files show them by shared storage, safetensors by metadata, `__metadata__[alias] = stored`,
as `safetensors.torch.save_model` writes it.
"""

from bisect import bisect_right
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
    """Find the names that share a storage: the same view of it is a tie, else an overlap.

    A storage without bytes is nobody's: torch writes one key for all of them.
    """
    groups: dict[Storage, list[Entry]] = {}
    for entry in checkpoint.entries.values():
        if entry.storage is not None and entry.storage.nbytes:
            groups.setdefault(entry.storage, []).append(entry)
    for group in groups.values():
        if len(group) > 1:
            _compare_views(checkpoint, group)


def _compare_views(checkpoint: Checkpoint, group: list[Entry]) -> None:
    views: dict[tuple[object, ...], Entry] = {}
    for entry in group:
        view = (entry.dtype, entry.offset, entry.shape, entry.strides, entry.layout)
        first = views.setdefault(view, entry)
        if first is not entry:
            checkpoint.aliases[entry.name] = first.name
    covered = _Covered()
    for entry in views.values():
        owner = covered.add(entry.name, *entry.extent)
        if owner is not None:
            checkpoint.overlaps[entry.name] = owner


class _Covered:
    """The bytes of a storage that are taken: pieces apart from one another, each with its owner."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._pieces: list[tuple[int, str]] = []  # where each ends, and whose it is

    def add(self, name: str, begin: int, end: int) -> str | None:
        """Take what is free of a range for `name`; return who owns the first part that is not."""
        place = bisect_right(self._begins, begin)
        if place and self._pieces[place - 1][0] > begin:
            place -= 1
        owner, free = None, []
        while begin < end and place < len(self._begins) and self._begins[place] < end:
            owner = owner if owner is not None else self._pieces[place][1]
            free.append((begin, self._begins[place]))
            begin = self._pieces[place][0]
            place += 1
        for start, stop in [*free, (begin, end)]:
            if start < stop:
                place = bisect_right(self._begins, start)
                self._begins.insert(place, start)
                self._pieces.insert(place, (stop, name))
        return owner
