"""A pass over the values of many entries: in blocks, in threads, in little memory.

The blocks, and the order in which what is found in them is put together, depend on the shapes only:
the result is the same on any number of threads.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

from paramctl.allocation import keep_memory
from paramctl.checkpoint import Entry, Storage
from paramctl.descriptors import FILES
from paramctl.runs import read_all
from paramctl.slices import check_expansion, is_row_major, split
from paramctl.sources import BytesSource
from paramctl.widening import Array

if TYPE_CHECKING:
    from concurrent.futures import Future

BLOCK = 1 << 18  # elements that are looked at together
TASK = 1 << 21  # elements that a thread takes at a time, of one entry or of many small ones
MAX_THREADS = 8

Group = tuple[Entry, ...]
"""Entries of one shape that are looked at side by side."""
Progress = Callable[[int, int], None]
"""Is called with the bytes that were read and those that there are to read."""


class Finding(Protocol):
    """What a pass finds out of a group of entries."""

    def add(self, *blocks: Array) -> None:
        """Look at a block of each entry, all of one shape."""

    def merge(self, later: Self) -> None:
        """Take in what was found in the blocks behind."""


AnyFinding = TypeVar("AnyFinding", bound=Finding)


class Part(NamedTuple):
    """Parts of the entries of the group at a place, alike."""

    place: int
    group: Group

    @property
    def nbytes(self) -> int:
        """The bytes to read."""
        return sum(entry.nbytes for entry in self.group)


def find_all(
    groups: Sequence[Group], begin: Callable[[int], AnyFinding], progress: Progress
) -> list[AnyFinding]:
    """Return what is found of each group; `begin` makes the empty finding of the one at a place.

    Raises:
        ParamctlError: the values of an entry cannot be read, or its file has changed.
        LimitError: an entry's values are far more than its storage holds.
    """
    for group in groups:
        for entry in group:
            check_expanded(entry)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (few verbs read values)

    keep_memory()
    found: list[AnyFinding | None] = [None] * len(groups)
    total, done = sum(entry.nbytes for group in groups for entry in group), 0
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(threads, "paramctl-pass")
    try:
        tasks = map(_bring_in_order, _cut_tasks(groups))
        started = ((parts, pool.submit(_look_at_all, parts, begin)) for parts in tasks)
        for parts, future in _ahead(started, 2 * threads):
            for part, finding in zip(parts, future.result(), strict=True):
                if before := found[part.place]:
                    before.merge(finding)
                else:
                    found[part.place] = finding
            done += sum(part.nbytes for part in parts)
            progress(done, total)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a server may keep a thread waiting
    _let_go(groups)
    return [finding or begin(place) for place, finding in enumerate(found)]


def check_expanded(entry: Entry) -> None:
    """Make sure that few stored bytes do not stand for very many values; strides could have it so.

    Raises:
        LimitError: they do.
    """
    if entry.storage and entry.strides is not None:
        check_expansion(entry, entry.nbytes, entry.storage.nbytes)


def _look_at_all(parts: Sequence[Part], begin: Callable[[int], AnyFinding]) -> list[AnyFinding]:
    findings = [begin(part.place) for part in parts]
    for batch in _cut_batches(parts):
        sides = zip(*(blocks for _, blocks in batch), strict=True)
        values = zip(*map(read_all, sides), strict=True)
        for (number, _), arrays in zip(batch, values, strict=True):
            findings[number].add(*arrays)
    return findings


def _cut_batches(parts: Sequence[Part]) -> Iterator[list[tuple[int, Group]]]:
    """Cut parts into blocks, each with the number of its part, and put small ones together."""
    batch: list[tuple[int, Group]] = []
    room = BLOCK
    for number, part in enumerate(parts):
        is_small = part.group[0].numel <= BLOCK
        near = part.group if is_small else tuple(map(_bring, part.group))
        for blocks in _split(near, BLOCK):
            numel = blocks[0].numel
            if batch and numel > room:
                yield batch
                batch, room = [], BLOCK
            batch.append((number, blocks))
            room -= numel
    yield batch


def _bring_in_order(parts: list[Part]) -> list[Part]:
    """Return parts with their bytes in memory where threads would race through a source for them.

    What is inflated from the beginning on would be so again for each of them.
    """
    if not any(e.storage and e.storage.source.sequential for part in parts for e in part.group):
        return parts
    return [part._replace(group=tuple(map(_bring, part.group))) for part in parts]


def _bring(entry: Entry) -> Entry:
    """Return an entry with its bytes in memory where they are far, or best read all at once."""
    starts_in_block = entry.offset % entry.dtype.block
    if entry.storage is None or starts_in_block or not is_row_major(entry):
        return entry
    begin, end = entry.extent
    source, offset = entry.storage.source.locate(entry.storage.offset + begin)
    if not (source.is_far or source.sequential) or end > entry.storage.nbytes:
        return entry
    data = BytesSource(source.read(offset, end - begin), source.name)
    storage = Storage(data, 0, end - begin, "", entry.storage.big_endian)
    return entry._replace(storage=storage, offset=0)


def _cut_tasks(groups: Sequence[Group]) -> Iterator[list[Part]]:
    """Cut groups into parts, and put small ones together."""
    task: list[Part] = []
    room = TASK
    for place, group in enumerate(groups):
        for parts in _split(group, TASK):
            numel = parts[0].numel
            if task and numel > room:
                yield task
                task, room = [], TASK
            task.append(Part(place, parts))
            room -= numel
    if task:
        yield task


def _split(group: Group, numel: int) -> Iterable[Group]:
    """Cut the entries of a group alike, into parts of at most `numel` elements."""
    if 0 < group[0].numel <= numel:
        return (group,)
    return zip(*(split(entry, numel) for entry in group), strict=True)


def _ahead(
    started: "Iterable[tuple[list[Part], Future[Any]]]", most: int
) -> "Iterator[tuple[list[Part], Future[Any]]]":
    """Yield what is started in order, when so much more is started."""
    pending: deque[tuple[list[Part], Future[Any]]] = deque()
    for each in started:
        pending.append(each)
        if len(pending) > most:
            yield pending.popleft()
    yield from pending


def _let_go(groups: Iterable[Group]) -> None:
    """Make sure that no file has changed under the pass, and close them."""
    sources = {id(e.storage.source): e.storage.source for g in groups for e in g if e.storage}
    for source in sources.values():
        source.check_unchanged()
        source.release()
    FILES.close()
