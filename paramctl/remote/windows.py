"""A source whose bytes are far: each request takes long, whatever little it is for."""

from abc import abstractmethod
from collections import deque
from threading import Lock

from paramctl.sources import Source

WINDOW = 1 << 16  # bytes: the header of most models, and less time than a request's way
MAX_WINDOW = 1 << 20  # what is longer is asked for exactly, and not kept
MAX_KEPT = 16


class FarSource(Source):
    """Bytes of a remote file: short reads share a request, long ones have their own.

    A short read takes what lies behind it along, more each time that it goes on where the last one
    ended, as a reader of a header does. `head` is the file's beginning.
    """

    is_far = True

    def __init__(self, name: str, size: int, head: bytes) -> None:
        self.name = name
        self.size = size
        self._lock = Lock()
        self._windows = deque([(0, head)] if head else [], MAX_KEPT)

    def _read(self, offset: int, length: int) -> bytes:
        end = offset + length
        start, window = self._find(offset)
        known = window[offset - start : end - start]
        begin = offset + len(known)
        if begin == end:
            return known
        if end - begin > MAX_WINDOW:
            return known + self._fetch(begin, end)
        first, last = self._widen(begin, end)
        fetched = self._fetch(first, last)
        with self._lock:
            self._windows.append((first, fetched))
        return known + fetched[begin - first : end - first]

    def _find(self, offset: int) -> tuple[int, bytes]:
        """Return the bytes that are here and where they begin: around `offset`, if any are."""
        with self._lock:
            for start, window in reversed(self._windows):
                if start <= offset < start + len(window):
                    return start, window
        return offset, b""

    def _widen(self, begin: int, end: int) -> tuple[int, int]:
        """Return a longer range to ask for: of the file's last bytes, a zip's directory is one."""
        with self._lock:
            before = next((w for start, w in self._windows if start + len(w) == begin), b"")
        last = min(self.size, max(end, begin + max(WINDOW, min(2 * len(before), MAX_WINDOW))))
        if last == self.size and not before:
            begin = max(0, min(begin, last - WINDOW))
        return begin, last

    @abstractmethod
    def _fetch(self, begin: int, end: int) -> bytes:
        """Ask for the bytes from `begin` to `end`: exactly these, of the file that was opened."""

    def release(self) -> None:
        """Let go of what has been read ahead."""
        with self._lock:
            self._windows.clear()
