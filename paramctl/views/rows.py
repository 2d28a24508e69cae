"""The one schema that every view shows: a row for each parameter, and the totals."""

from collections.abc import Iterable
from typing import NamedTuple

from paramctl.checkpoint import MISSING, PLAIN, Checkpoint, Entry, Storage
from paramctl.dtypes import UNKNOWN


class Row(NamedTuple):
    """What a listing says of one parameter; "" and None where the file does not know.

    `numel` counts the values, `nbytes` the bytes that they take. `tied` is the name under which
    the same storage was listed before, `note` what is unusual: a layout, a subclass, an overlap.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: str
    numel: int | None
    nbytes: int | None
    kind: str
    type: str
    tied: str
    note: str


class Totals(NamedTuple):
    """Sums over the rows, what is tied counted once.

    Views that overlap count each with all of their values. `stored` counts the bytes of the
    storages, each once, `logical` those that the shapes take.
    """

    parameters: int
    tensors: int
    buffers: int
    buffer_values: int
    ties: int
    stored: int
    logical: int


def make_rows(checkpoint: Checkpoint, names: Iterable[str]) -> list[Row]:
    """Return the rows of these parameters, in this order."""
    types = checkpoint.types
    return [
        _make_row(checkpoint, name, types.get(name.rpartition(".")[0], "") if types else "")
        for name in names
    ]


def _make_row(checkpoint: Checkpoint, name: str, layer_type: str) -> Row:
    entry = checkpoint.entries[name]
    tied = checkpoint.aliases.get(name, "")
    if entry.dtype is UNKNOWN:
        return Row(name, None, "", None, None, entry.kind or "", layer_type, tied, entry.layout)
    return Row(
        name,
        entry.shape,
        entry.dtype.name,
        entry.numel,
        entry.nbytes,
        entry.kind or "",
        layer_type,
        tied,
        _note(entry, checkpoint.overlaps.get(name)),
    )


def _note(entry: Entry, overlap: str | None) -> str:
    notes = [] if entry.layout in PLAIN else [entry.layout]
    if entry.subclass:
        notes.append(entry.subclass)
    if overlap is not None:
        notes.append(f"overlaps {overlap}")
    if entry.strides and 0 in entry.strides:
        begin, end = entry.extent
        if end - begin < entry.nbytes:
            notes.append(f"expanded from {end - begin} bytes")
    return ", ".join(notes)


def total(checkpoint: Checkpoint, rows: Iterable[Row]) -> Totals:
    """Add up rows; a tie counts once, also where the name it is tied to is not among them.

    What is missing is no tensor.
    """
    seen: set[str] = set()
    ties = parameters = tensors = buffers = buffer_values = logical = 0
    storages: dict[Storage, int] = {}
    parts_bytes = 0
    for row in rows:
        entry = checkpoint.entries[row.name]
        if entry.layout == MISSING:
            continue
        owner = row.tied or row.name
        if owner in seen:
            ties += 1
            continue
        seen.add(owner)
        logical += row.nbytes or 0
        if row.kind == "buffer":
            buffers += 1
            buffer_values += row.numel or 0
        else:
            tensors += 1
            parameters += row.numel or 0
        if entry.storage is not None:
            storages[entry.storage] = entry.storage.nbytes
        else:
            parts_bytes += row.nbytes or 0
    stored = parts_bytes + sum(storages.values())
    return Totals(parameters, tensors, buffers, buffer_values, ties, stored, logical)
