"""Where a file's bytes go, in order: small ones together, those of another file by the kernel."""

from paramctl.sources import FileSource
from paramctl.writer.blocks import BATCH_BYTES, Span
from paramctl.writer.target import Target


class Outlet:
    """What hands bytes on: a call for each few of them would cost more than they do."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._waiting: list[bytes] = []
        self._room = BATCH_BYTES

    def put(self, data: bytes) -> None:
        """Hand bytes on, few of them later."""
        if len(data) > self._room:
            self.flush()
        if len(data) > self._room:
            self._target.write(data)
        else:
            self._waiting.append(data)
            self._room -= len(data)

    def copy(self, span: Span) -> None:
        """Hand on what lies in a file; whatever keeps the kernel from it, reading it will tell."""
        copied = 0
        if isinstance(span.source, FileSource) and span.nbytes > BATCH_BYTES:
            self.flush()
            copied = self._target.copy(span.source, span.offset, span.nbytes)
        if copied < span.nbytes:
            self.put(span.source.read(span.offset + copied, span.nbytes - copied))

    def pass_by(self, nbytes: int) -> None:
        """Go past bytes that are written, or wait, where they are to stand."""
        self.flush()
        self._target.pass_by(nbytes)

    def flush(self) -> None:
        """Hand on what waits."""
        if self._waiting:
            self._target.write(b"".join(self._waiting))
            self._waiting, self._room = [], BATCH_BYTES
