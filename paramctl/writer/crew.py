"""The crew that writes: threads that compute blocks and write them, and one that does the rest.

A few blocks are in memory at a time, whatever the size of the model. A thread writes what it has
computed while its core's cache holds it.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING
from zlib import crc32

from paramctl.descriptors import FILES
from paramctl.sources import Source
from paramctl.writer.blocks import Batch, Block, cut
from paramctl.writer.layout import Layout
from paramctl.writer.outlet import Outlet
from paramctl.writer.progress import Progress
from paramctl.writer.target import Target, Write

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

LOOK_AHEAD = 1 << 26  # bytes that are begun before they are written
MAX_THREADS = 8
MAX_KEPT = 8  # sources whose caches are kept


class Crew:
    """The threads that compute blocks, and the one that writes in order: the caller's.

    `total` is what there is to write, of one file or several.
    """

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._done, self._total = 0, total
        self._threads = min(MAX_THREADS, os.cpu_count() or 1)
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[tuple[Block | Batch, Future[int] | None]] = deque()
        self._ahead = self._computing = 0
        self._kept: OrderedDict[int, Source] = OrderedDict()

    def write(self, layout: Layout, target: Target) -> None:
        """Write a file's bytes to a target that has none yet.

        Raises:
            ParamctlError: a source, or the target, cannot do its part.
        """
        outlet = Outlet(target)
        position = 0
        try:
            for block in cut(layout.parts):
                self._start(block, target, position)
                position += block.nbytes
                while self._pending and self._is_due():
                    self._finish(outlet)
            while self._pending:
                self._finish(outlet)
            outlet.flush()
            for source in self._kept.values():
                source.check_unchanged()
        finally:
            self._dismiss()

    def _dismiss(self) -> None:
        """Let go of threads and sources, also of those whose turn has not come."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        waiting = (source for block, _ in self._pending for source in _sources(block))
        for source in (*self._kept.values(), *waiting):
            source.release()
        FILES.close()
        self._kept.clear()
        self._pending.clear()
        self._ahead = self._computing = 0

    def _start(self, block: Block | Batch, target: Target, position: int) -> None:
        """Have a block computed; what is only copied or must be read in order waits its turn."""
        future = None
        if isinstance(block, Block) and block.is_task:
            self._pool = self._pool or self._hire()
            future = self._pool.submit(_write_ahead, block, target, position)
            self._computing += 1
        self._pending.append((block, future))
        self._ahead += block.nbytes

    def _is_due(self) -> bool:
        """Whether the first block is to be written before another is begun."""
        is_ahead = self._ahead > LOOK_AHEAD or self._computing > 2 * self._threads
        return is_ahead or self._pending[0][1] is None

    def _hire(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (copies need none)

        from paramctl.allocation import keep_memory  # noqa: PLC0415 (the same)

        keep_memory()
        return ThreadPoolExecutor(self._threads, "paramctl-block")

    def _finish(self, outlet: Outlet) -> None:
        """Write the block whose turn it is."""
        block, future = self._pending[0]
        if isinstance(block, Batch):
            outlet.put(block.read())
        elif block.copy:
            outlet.copy(block.copy)
        else:
            if future:
                crc = future.result()
                outlet.pass_by(block.nbytes)
            else:
                crc = _hand_on(block, outlet.put)
            if block.checksum:
                block.checksum.add(crc, block.nbytes)
        for source in _sources(block):
            self._use(source)
        self._pending.popleft()
        self._ahead -= block.nbytes
        self._computing -= future is not None
        self._advance(block.nbytes)

    def _use(self, source: Source) -> None:
        """Note that a source is used, and let go of the one that was not for the longest time."""
        self._kept[id(source)] = source
        self._kept.move_to_end(id(source))
        if len(self._kept) > MAX_KEPT:
            _, unused = self._kept.popitem(last=False)
            unused.check_unchanged()
            unused.release()

    def _advance(self, nbytes: int) -> None:
        self._done += nbytes
        self._progress(self._done, self._total)


def _write_ahead(block: Block, target: Target, position: int) -> int:
    """Write a block to where it is to stand, and return its checksum."""

    def write(data: bytes) -> None:
        nonlocal position
        target.write_ahead(position, data)
        position += len(data)

    return _hand_on(block, write)


def _hand_on(block: Block, write: Write) -> int:
    """Write a block, and return its CRC-32 if anybody wants it."""
    crc = 0
    for data in block.read():
        if block.checksum:
            crc = crc32(data, crc)
        write(data)
    return crc


def _sources(block: Block | Batch) -> Iterable[Source]:
    return {id(piece.source): piece.source for piece in block.pieces}.values()
