"""Slices of an entry, by arithmetic on its offset, shape and strides: nothing is read."""

from collections.abc import Iterator
from types import EllipsisType
from typing import NoReturn

from paramctl.checkpoint import Entry
from paramctl.errors import MalformedError, UsageError

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


def squeeze(entry: Entry) -> Entry:
    """Drop the dimensions of size 1: a file may give them any number and any stride."""
    kept = [pair for pair in zip(entry.shape, strides_of(entry), strict=True) if pair[0] != 1]
    return entry._replace(
        shape=tuple(size for size, _ in kept), strides=tuple(stride for _, stride in kept)
    )


def is_row_major(entry: Entry) -> bool:
    """Whether the elements lie one behind the other, in the order of their indices."""
    if entry.strides is None or not entry.numel:
        return True
    plain = squeeze(entry)
    return plain.strides == row_major(plain.shape)


def span_of(entry: Entry) -> tuple[int, int]:
    """Return the lowest element in the storage, and how many there are up to the highest."""
    reaches = [(size - 1) * step for size, step in zip(entry.shape, strides_of(entry), strict=True)]
    low = entry.offset + sum(reach for reach in reaches if reach < 0)
    return low, 1 + sum(map(abs, reaches))


def check_extent(entry: Entry, nbytes: int) -> None:
    """Check that an entry lies inside a storage of `nbytes`.

    Raises:
        MalformedError: it reaches past it.
    """
    low, length = span_of(entry)
    begin, end = low * entry.dtype.bits // 8, ((low + length) * entry.dtype.bits + 7) // 8
    if entry.numel and (begin < 0 or end > nbytes):
        raise MalformedError(
            f"'{entry.name}' takes bytes {begin} to {end} of a storage of {nbytes}"
        )


def split(entry: Entry, numel: int) -> Iterator[Entry]:
    """Cut an entry along its first dimensions into parts of at most `numel` elements."""
    if entry.numel <= numel:
        yield from [entry] if entry.numel else []
        return
    rows = numel // (entry.numel // entry.shape[0])
    for start in range(0, entry.shape[0], max(rows, 1)):
        if rows:
            yield select(entry, (slice(start, start + rows),))
        else:
            yield from split(select(entry, (start,)), numel)


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
