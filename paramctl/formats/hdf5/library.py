"""The library h5py, which is imported when it is needed and is given our sources for files."""

import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, Any
from weakref import finalize

from paramctl.errors import MalformedError, ParamctlError, UsageError
from paramctl.formats.hdf5.heaps import MARGIN, Heaps, find_heaps
from paramctl.formats.hdf5.superblock import open_superblock
from paramctl.sources import Source

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

INSTALL = "pip install 'paramctl[hdf5]'"
CACHE = 1 << 25  # bytes of unpacked chunks that are kept
FAULTS = (OSError, RuntimeError, ValueError, LookupError, TypeError, SystemError)
"""What h5py raises for a broken file; the last where it goes on after an error of ours."""


class File:
    """An HDF5 file, open in the library when it is asked for.

    `source` is the file without its user block, `root` where in it the root group's header is.

    Raises:
        MalformedError: it does not begin as such a file does.
    """

    def __init__(self, source: Source) -> None:
        self.source, self.root = open_superblock(source)
        self.heaps = Heaps(self.source)
        self._lock = RLock()
        self._abandon: finalize[[Any], File] | None = None
        self._root: Any = None

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Give h5py's root group; other threads wait.

        Raises:
            MalformedError: whatever the library says of the file.
            UsageError: it is not installed.
        """
        with self._lock:
            try:
                yield self._open()
            except ParamctlError:
                raise
            except FAULTS as fault:
                raise MalformedError(f"HDF5: {_message(fault)}") from fault

    def _open(self) -> Any:
        if self._abandon is None:
            _close_abandoned()
            file = load_h5py().File(_Stream(self.source, self.heaps), "r", rdcc_nbytes=CACHE)
            self._root = file["/"]
            self._abandon = finalize(self, _ABANDONED.append, (file, self._root))
        return self._root

    def release(self) -> None:
        """Close it until it is asked for again."""
        with self._lock:
            if self._abandon is not None:
                self._abandon()
            self._abandon = self._root = None
        _close_abandoned()
        self.source.release()


def _close_abandoned() -> None:
    """Close what was open in files that nobody has any more."""
    with suppress(IndexError):  # another thread may have closed the last
        while True:
            file, _ = _ABANDONED.pop()
            file.close()


_ABANDONED: deque[Any] = deque()
"""Open files with their root groups. Who collects garbage may not close them: for that the library
waits for other threads, and one of those may read, and wait for a lock that is held here."""

# behind those of all files; the library would close them after Python's end, and ask it for bytes
finalize(File, _close_abandoned)


def load_h5py() -> Any:
    """Import the library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import h5py  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise UsageError("an HDF5 file needs h5py", hint=INSTALL) from error
    return h5py


class _Stream(io.RawIOBase):
    """A source as a file that can be read from any place."""

    def __init__(self, source: Source, heaps: Heaps) -> None:
        self._source = source
        self._heaps = heaps
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + (self._source.size if whence == io.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        before = min(self._position, MARGIN)
        begin, end = self._position - before, self._position + len(view)
        data = self._source.read(begin, max(end, min(end + MARGIN, self._source.size)) - begin)
        for place in find_heaps(data, begin):
            self._heaps.check(place)
        view[:] = data[before : before + len(view)]
        self._position = end
        return len(view)


def _message(fault: Exception) -> str:
    text = fault.args[0] if isinstance(fault, KeyError) and fault.args else fault
    return " ".join(str(text).split()) or type(fault).__name__
