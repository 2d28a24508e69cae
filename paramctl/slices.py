"""Slices of an entry, by arithmetic on its offset, shape and strides: nothing is read."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import prod
from types import EllipsisType
from typing import NoReturn

from paramctl.checkpoint import Entry
from paramctl.errors import LimitError, MalformedError, UsageError

MAX_EXPANDED = 1 << 30  # bytes that may be made of one small storage
MAX_TIMES = 4  # times that those of a large one may be made of it

Step = int | slice | EllipsisType
Index = tuple[Step, ...]
Box = tuple[slice, ...]  # a range for every dimension


@lru_cache(1 << 10)
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
    if 1 not in entry.shape:
        return entry
    kept = [pair for pair in zip(entry.shape, strides_of(entry), strict=True) if pair[0] != 1]
    return entry._replace(
        shape=tuple(size for size, _ in kept), strides=tuple(stride for _, stride in kept)
    )


def flatten(entry: Entry) -> Entry:
    """Return an entry as one row where its elements lie in one; else as it is."""
    if not is_row_major(entry):
        return entry
    return entry._replace(shape=(entry.numel,), strides=None)


def is_row_major(entry: Entry) -> bool:
    """Whether the elements lie one behind the other, in the order of their indices."""
    if entry.strides in (None, row_major(entry.shape)) or not entry.numel:
        return True
    plain = squeeze(entry)
    return plain.strides == row_major(plain.shape)


def span_of(entry: Entry) -> tuple[int, int]:
    """Return the lowest element in the storage, and how many there are up to the highest."""
    if entry.strides is None and (numel := entry.numel):
        return entry.offset, numel
    reaches = [(size - 1) * step for size, step in zip(entry.shape, strides_of(entry), strict=True)]
    low = entry.offset + sum(reach for reach in reaches if reach < 0)
    return low, 1 + sum(map(abs, reaches))


def check_extent(entry: Entry, nbytes: int) -> None:
    """Check that an entry lies inside a storage of `nbytes`.

    Raises:
        MalformedError: it reaches past it.
    """
    low, length = span_of(entry)
    begin, end = entry.dtype.byte_of(low), entry.dtype.nbytes(low + length)
    if (begin < 0 or end > nbytes) and entry.numel:
        raise MalformedError(
            f"'{entry.name}' takes bytes {begin} to {end} of a storage of {nbytes}"
        )


def check_expansion(entry: Entry, nbytes: int, stored: int) -> None:
    """Check that `nbytes` to be made of a storage of `stored` bytes are no bomb.

    Raises:
        LimitError: they are far more.
    """
    if nbytes > max(MAX_EXPANDED, MAX_TIMES * stored):
        raise LimitError(
            f"'{entry.name}' of shape {list(entry.shape)} would make {nbytes} bytes "
            f"of the {stored} that are stored"
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
    offset, shape, strides = entry.offset, [], []
    for places, stride in zip(find_places(entry, index), strides_of(entry), strict=True):
        if isinstance(places, int):
            offset += places * stride
        else:
            offset += places.start * stride
            shape.append(len(places))
            strides.append(places.step * stride)
    return entry._replace(offset=offset, shape=tuple(shape), strides=tuple(strides))


def find_places(entry: Entry, index: Index) -> list[int | range]:
    """Return the places that an index chooses along every dimension, a number for a dropped one.

    Raises:
        UsageError: the index does not fit the shape.
    """
    found: list[int | range] = []
    for place, (step, size) in enumerate(zip(_expand(entry, index), entry.shape, strict=True)):
        if isinstance(step, slice):
            found.append(range(*step.indices(size)))
        elif -size <= step < size:
            found.append(step % size)
        else:
            _refuse(entry, f"index {step} is out of bounds for dimension {place} of size {size}")
    return found


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


def broadcast(entry: Entry, shape: tuple[int, ...]) -> Entry:
    """Return the entry spread over a larger shape, as numpy broadcasts it; nothing is copied.

    Raises:
        UsageError: the shapes do not fit; names both.
    """
    missing = len(shape) - len(entry.shape)
    sizes = (1,) * missing + entry.shape
    if missing < 0 or any(own not in (1, size) for own, size in zip(sizes, shape, strict=True)):
        raise UsageError(
            f"'{entry.name}' of shape {list(entry.shape)} does not fit the shape {list(shape)}"
        )
    steps = (0,) * missing + strides_of(entry)
    strides = (
        step if own == size else 0 for step, own, size in zip(steps, sizes, shape, strict=True)
    )
    return entry._replace(shape=shape, strides=tuple(strides))


def boxes(shape: tuple[int, ...], start: int, count: int) -> Iterator[Box]:
    """Yield the boxes that make up `count` row-major elements from `start` on, in their order."""
    if not shape or not count:
        yield from [()] if count else []
        return
    row = prod(shape[1:])
    first, offset = divmod(start, row)
    if offset:
        head = min(count, row - offset)
        yield from _in_row(shape, first, offset, head)
        first, count = first + 1, count - head
    if rows := count // row:
        yield (slice(first, first + rows), *(slice(0, size) for size in shape[1:]))
    yield from _in_row(shape, first + rows, 0, count - rows * row)


def _in_row(shape: tuple[int, ...], row: int, start: int, count: int) -> Iterator[Box]:
    return ((slice(row, row + 1), *box) for box in boxes(shape[1:], start, count))


def shape_of(box: Box) -> tuple[int, ...]:
    """Return the sizes of a box."""
    return tuple(side.stop - side.start for side in box)


def within(box: Box, corner: Iterable[int]) -> Box:
    """Return a box as it is counted from a corner."""
    return tuple(
        slice(side.start - start, side.stop - start)
        for side, start in zip(box, corner, strict=True)
    )
