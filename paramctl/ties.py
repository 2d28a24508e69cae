"""Ties: two or more names for one storage.

Torch files show them by shared storage, safetensors by metadata, `__metadata__[alias] = stored`,
as `safetensors.torch.save_model` writes it.
"""

from collections.abc import Iterable

from paramctl.checkpoint import Checkpoint, Entry, Storage

MAX_REACHING = 16  # views at one place; of more, some overlaps go unnoticed
NO_ALIAS = ("format",)  # metadata keys that other tools give a meaning of their own


def resolve_declared(checkpoint: Checkpoint) -> None:
    """List the aliases that the metadata declares: names whose value is that of a stored tensor.

    Nothing in a file tells a tie from a text that happens to be a tensor's name, so the metadata
    keeps the pair.
    """
    entries, aliases = checkpoint.entries, checkpoint.aliases
    for alias, stored in checkpoint.metadata.items():
        if not isinstance(stored, str) or stored not in entries or stored in aliases:
            continue
        if alias not in entries and alias not in NO_ALIAS:
            aliases[alias] = stored
            entries[alias] = entries[stored]._replace(name=alias)


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
    _find_overlaps(checkpoint, views.values())


def _find_overlaps(checkpoint: Checkpoint, views: Iterable[Entry]) -> None:
    """Note for each view that it shares bytes with one that is listed before it."""
    order = {entry.name: place for place, entry in enumerate(views)}
    reaching: list[Entry] = []  # the views that reach farthest of those that begin before
    for entry in sorted(views, key=lambda entry: entry.extent):
        begin, _ = entry.extent
        reaching = [other for other in reaching if other.extent[1] > begin]
        for other in reaching:
            if not _interleave(entry, other):
                earlier, later = sorted((entry.name, other.name), key=order.__getitem__)
                checkpoint.overlaps.setdefault(later, earlier)
        reaching.append(entry)
        reaching = sorted(reaching, key=lambda other: -other.extent[1])[:MAX_REACHING]


def _interleave(one: Entry, other: Entry) -> bool:
    """Whether two views take different columns of one matrix, so that they share no byte."""
    columns = []
    for entry in (one, other):
        steps = sorted(zip(entry.strides or (), entry.shape, strict=False), reverse=True)
        row = steps[0][0] if steps else 0
        width = 1 + sum((size - 1) * stride for stride, size in steps[1:])
        first = entry.offset % row if row else 0
        columns.append((row * entry.dtype.bits, first * entry.dtype.bits, width * entry.dtype.bits))
    (row, first, width), (other_row, other_first, other_width) = sorted(columns)
    fits = row == other_row and other_first + other_width <= row
    return fits and first + width <= other_first
