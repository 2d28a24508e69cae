"""Ties: two or more names for one storage.

Torch files show them by shared storage, safetensors by metadata, `__metadata__[alias] = stored`,
as `safetensors.torch.save_model` writes it.
"""

from collections.abc import Iterable

from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.grids import Grid, Meetings

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


def is_tie(checkpoint: Checkpoint, key: str, value: object) -> bool:
    """Whether a pair of the metadata says that two of the model's names are, or were, tied."""
    return key in checkpoint and isinstance(value, str) and value in checkpoint


def resolve_shared(checkpoint: Checkpoint) -> None:
    """Find the names that share a storage: the same view of it is a tie, else an overlap.

    A storage without bytes is nobody's: torch writes one key for all of them.
    """
    groups: dict[Storage, list[Entry]] = {}
    for entry in checkpoint.entries.values():
        if entry.storage is not None and entry.storage.nbytes:
            groups.setdefault(entry.storage, []).append(entry)
    meetings = Meetings()
    for group in groups.values():
        if len(group) > 1:
            _compare_views(checkpoint, group, meetings)


def _compare_views(checkpoint: Checkpoint, group: list[Entry], meetings: Meetings) -> None:
    views: dict[tuple[object, ...], Entry] = {}
    for entry in group:
        view = (entry.dtype, entry.offset, entry.shape, entry.strides, entry.layout)
        first = views.setdefault(view, entry)
        if first is not entry:
            checkpoint.aliases[entry.name] = first.name
    _find_overlaps(checkpoint, views.values(), meetings)


def _find_overlaps(checkpoint: Checkpoint, views: Iterable[Entry], meetings: Meetings) -> None:
    """Note for each view that it shares bytes with one that is listed before it."""
    order = {entry.name: place for place, entry in enumerate(views)}
    overlaps = checkpoint.overlaps
    reaching: list[tuple[int, Entry, Grid]] = []  # of the views before, those that end last
    for entry in sorted(views, key=lambda entry: entry.extent):
        begin, end = entry.extent
        grid = _grid(entry)
        reaching = [view for view in reaching if view[0] > begin]
        for _, other, other_grid in reaching:
            earlier, later = sorted((entry.name, other.name), key=order.__getitem__)
            if later not in overlaps and meetings.meet(grid, other_grid):
                overlaps[later] = earlier
        reaching.append((end, entry, grid))
        reaching = sorted(reaching, key=lambda view: -view[0])[:MAX_REACHING]


def _grid(entry: Entry) -> Grid:
    """Return the bits of its storage that an entry's values are."""
    bits = entry.dtype.bits
    strides = (1,) if entry.strides is None else entry.strides
    sizes = (entry.numel,) if entry.strides is None else entry.shape
    steps = ((bits * stride, size) for stride, size in zip(strides, sizes, strict=True))
    return Grid(bits * entry.offset, bits, tuple(steps))
