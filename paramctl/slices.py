"""Slices of an entry, by arithmetic on its offset, shape and strides: nothing is read."""

from types import EllipsisType
from typing import NoReturn

from paramctl.checkpoint import Entry
from paramctl.errors import UsageError

Step = int | slice | EllipsisType
Index = tuple[Step, ...]


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of a contiguous array."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def strides_of(entry: Entry) -> tuple[int, ...]:
    """Return an entry's strides, in elements, those of a contiguous array where it has none."""
    return entry.strides if entry.strides is not None else row_major(entry.shape)


def select(entry: Entry, index: Index) -> Entry:
    """Return the part of an entry that numpy's basic indexing would give; reads nothing.

    Raises:
        UsageError: the index does not fit the shape.
    """
    if not index:
        return entry
    steps = _expand(entry, index)
    offset, shape, kept = entry.offset, [], []
    dimensions = zip(steps, entry.shape, strides_of(entry), strict=True)
    for place, (step, size, stride) in enumerate(dimensions):
        if isinstance(step, slice):
            chosen = range(*step.indices(size))
            offset += chosen.start * stride
            shape.append(len(chosen))
            kept.append(chosen.step * stride)
        elif -size <= step < size:
            offset += (step % size) * stride
        else:
            _refuse(entry, f"index {step} is out of bounds for dimension {place} of size {size}")
    return entry._replace(offset=offset, shape=tuple(shape), strides=tuple(kept))


def _expand(entry: Entry, index: Index) -> list[int | slice]:
    """Return what an index says of every dimension."""
    ellipses = [place for place, step in enumerate(index) if step is ...]
    if len(ellipses) > 1:
        _refuse(entry, "an index holds one '...' at most")
    steps = [step for step in index if not isinstance(step, EllipsisType)]
    if len(steps) > len(entry.shape):
        _refuse(entry, f"{len(steps)} indices are too many")
    if any(isinstance(step, slice) and step.step == 0 for step in steps):
        _refuse(entry, "a slice's step is 0")
    place = ellipses[0] if ellipses else len(steps)
    return [*steps[:place], *[slice(None)] * (len(entry.shape) - len(steps)), *steps[place:]]


def _refuse(entry: Entry, what: str) -> NoReturn:
    raise UsageError(f"'{entry.name}' of shape {list(entry.shape)}: {what}")
