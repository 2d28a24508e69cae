"""Where the bytes of a file go: to a draft, or to whoever takes them in order."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from paramctl.sources import FileSource

Write = Callable[[bytes], object]
"""Is called with bytes to write behind those before."""


class Target(ABC):
    """Takes bytes in order; of those whose turn has not come, from any thread."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write bytes behind those before."""

    @abstractmethod
    def write_ahead(self, position: int, data: bytes) -> None:
        """Write bytes that are to stand at a position further on; from any thread."""

    @abstractmethod
    def pass_by(self, nbytes: int) -> None:
        """Go past bytes that were written ahead."""

    @abstractmethod
    def copy(self, source: FileSource, offset: int, nbytes: int) -> int:
        """Have the kernel copy bytes of a file behind those before; return how many it did."""


class Stream(Target):
    """Hands bytes on in order; those that are ahead wait."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._position = 0
        self._waiting: dict[int, bytes] = {}

    def write(self, data: bytes) -> None:
        """Hand bytes on."""
        self._write(data)
        self._position += len(data)

    def write_ahead(self, position: int, data: bytes) -> None:
        """Keep bytes until it is their turn."""
        self._waiting[position] = data

    def pass_by(self, nbytes: int) -> None:
        """Hand on the bytes whose turn has come."""
        end = self._position + nbytes
        while self._position < end:
            self.write(self._waiting.pop(self._position))

    def copy(self, source: FileSource, offset: int, nbytes: int) -> int:
        """Copy none: there is no file that the kernel could copy to."""
        del source, offset, nbytes
        return 0
