"""The tensors' bytes, cut into blocks: computed by threads, written by one, in order.

A few blocks are in memory at a time, whatever the size of the model.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from paramctl.checkpoint import Entry
from paramctl.errors import ParamctlError
from paramctl.slices import is_row_major, split
from paramctl.sources import FileSource, Source
from paramctl.writer.layout import Layout, storage_of
from paramctl.writer.progress import Progress

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

ELEMENTS = 1 << 20  # of a block that is computed
PICKED_BYTES = 1 << 24  # of a block whose elements are picked from many places
COPIED_BYTES = 1 << 20  # of a block that a file holds as it is: what a core's cache holds
LOOK_AHEAD = 1 << 26  # bytes that are begun before they are written
MAX_THREADS = 8
MAX_OPEN = 8  # sources whose descriptors and caches are kept


class Span(NamedTuple):
    """Bytes that a source holds as they are to be written."""

    source: Source
    offset: int
    nbytes: int
    bits: int  # of an element

    @property
    def is_copy(self) -> bool:
        """Whether the bytes lie in a file."""
        return isinstance(self.source, FileSource)

    def read(self) -> bytes:
        """Return the bytes."""
        return self.source.read(self.offset, self.nbytes)


class Picked(NamedTuple):
    """Elements that lie in another order in their source, or whose bytes do."""

    source: Source
    entry: Entry

    @property
    def is_copy(self) -> bool:
        """Whether the bytes lie in a file as they are to be written."""
        return False

    @property
    def nbytes(self) -> int:
        """The number of bytes to write."""
        return self.entry.nbytes

    def read(self) -> bytes:
        """Return the elements' bytes, little-endian and row-major."""
        from paramctl import arrays  # noqa: PLC0415 (numpy, and most files are copied)

        return b"".join(arrays.raw(self.entry))


Block = Span | Picked


Sink = Callable[[bytes], object]
"""Is called with the bytes to write, in order."""


def cut(entries: Iterable[Entry]) -> Iterator[Block]:
    """Cut entries into blocks; what lies together in a file is one run of it."""
    run: Span | None = None
    for entry in entries:
        if not entry.nbytes:
            continue
        block = _whole(entry)
        if run and isinstance(block, Span) and _follows(block, run):
            run = run._replace(nbytes=run.nbytes + block.nbytes)
            continue
        yield from _cut_span(run, COPIED_BYTES) if run else ()
        run = None
        if block.is_copy and isinstance(block, Span):
            run = block
        else:
            yield from _cut(block)
    yield from _cut_span(run, COPIED_BYTES) if run else ()


def _whole(entry: Entry) -> Block:
    """Return all of an entry as one block."""
    storage = storage_of(entry)
    swapped = storage.big_endian and entry.dtype.bits > 8
    if swapped or entry.layout != "strided" or not is_row_major(entry):
        return Picked(storage.source, entry)
    begin = storage.offset + entry.offset * entry.dtype.bits // 8
    return Span(*storage.source.locate(begin), entry.nbytes, entry.dtype.bits)


def _follows(block: Span, run: Span) -> bool:
    return block.source is run.source and block.offset == run.offset + run.nbytes


def _cut(block: Block) -> Iterator[Block]:
    if block.source.whole:
        yield block
    elif isinstance(block, Span):
        yield from _cut_span(block, ELEMENTS * block.bits // 8)
    else:
        for part in split(block.entry, PICKED_BYTES * 8 // block.entry.dtype.bits):
            yield Picked(block.source, part)


def _cut_span(span: Span, nbytes: int) -> Iterator[Span]:
    for begin in range(0, span.nbytes, nbytes):
        length = min(nbytes, span.nbytes - begin)
        yield span._replace(offset=span.offset + begin, nbytes=length)


class Crew:
    """The threads that compute blocks, and the one that writes them: the caller's.

    `total` is what there is to write, of one file or several.
    """

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._done, self._total = 0, total
        self._threads = min(MAX_THREADS, os.cpu_count() or 1)
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[tuple[Block, Future[bytes] | None]] = deque()
        self._ahead = self._computing = 0
        self._open: OrderedDict[int, Source] = OrderedDict()

    def write(self, layout: Layout, sink: Sink) -> None:
        """Write a file.

        Raises:
            ParamctlError: a source or the sink cannot do its part.
        """
        sink(layout.header)
        self._advance(len(layout.header))
        try:
            for block in cut(layout.entries):
                self._start(block)
                while self._ahead > LOOK_AHEAD or self._computing > 2 * self._threads:
                    self._finish(sink)
            while self._pending:
                self._finish(sink)
            for source in self._open.values():
                source.check_unchanged()
        finally:
            self._dismiss()

    def _dismiss(self) -> None:
        """Let go of threads and sources, also of those whose turn has not come."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        for source in (*self._open.values(), *(block.source for block, _ in self._pending)):
            source.release()
        self._open.clear()
        self._pending.clear()
        self._ahead = self._computing = 0

    def _start(self, block: Block) -> None:
        """Have a block computed; what is only copied or must be read in order waits its turn."""
        future = None
        if not (block.is_copy or block.source.sequential):
            self._pool = self._pool or self._hire()
            future = self._pool.submit(block.read)
            self._computing += 1
        self._pending.append((block, future))
        self._ahead += block.nbytes

    def _hire(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (copies need none)

        return ThreadPoolExecutor(self._threads, "paramctl-block")

    def _finish(self, sink: Sink) -> None:
        """Write the block whose turn it is."""
        block, future = self._pending.popleft()
        self._use(block.source)
        self._ahead -= block.nbytes
        self._computing -= future is not None
        data = future.result() if future else block.read()
        if len(data) != block.nbytes:
            raise ParamctlError(f"{block.source.name} gave {len(data)} bytes, not {block.nbytes}")
        sink(data)
        self._advance(block.nbytes)

    def _use(self, source: Source) -> None:
        """Note that a source is used, and let go of the one that was not for the longest time."""
        self._open[id(source)] = source
        self._open.move_to_end(id(source))
        if len(self._open) > MAX_OPEN:
            _, unused = self._open.popitem(last=False)
            unused.check_unchanged()
            unused.release()

    def _advance(self, nbytes: int) -> None:
        self._done += nbytes
        self._progress(self._done, self._total)
