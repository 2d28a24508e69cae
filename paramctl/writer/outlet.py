"""Where a file's bytes go, in order: small ones together, those of another file by the kernel."""

from collections.abc import Callable

from paramctl.sources import FileSource
from paramctl.writer.blocks import BATCH_BYTES, Span

Write = Callable[[bytes], object]
"""Is called with bytes to write behind those before."""
Copy = Callable[[FileSource, int, int], int]
"""Is called with a range of a file; writes as much of it as can be copied, and returns that."""


class Outlet:
    """What hands bytes on: a call for each few of them would cost more than they do."""

    def __init__(self, write: Write, copy: Copy | None) -> None:
        self._write = write
        self._copy = copy
        self._waiting: list[bytes] = []
        self._room = BATCH_BYTES

    def put(self, data: bytes) -> None:
        """Hand bytes on, few of them later."""
        if len(data) > self._room:
            self.flush()
        if len(data) > self._room:
            self._write(data)
        else:
            self._waiting.append(data)
            self._room -= len(data)

    def copy(self, span: Span) -> None:
        """Hand on what lies in a file; whatever keeps the kernel from it, reading it will tell."""
        copied = 0
        if self._copy and isinstance(span.source, FileSource) and span.nbytes > BATCH_BYTES:
            self.flush()
            copied = self._copy(span.source, span.offset, span.nbytes)
        if copied < span.nbytes:
            self.put(span.source.read(span.offset + copied, span.nbytes - copied))

    def flush(self) -> None:
        """Hand on what waits."""
        if self._waiting:
            self._write(b"".join(self._waiting))
            self._waiting, self._room = [], BATCH_BYTES
