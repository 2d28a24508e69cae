"""Files that are open: for as long as somebody uses them, and those used last for a while more."""

import errno
import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Self

_LOCK = RLock()  # of all, as whoever holds it may collect garbage, and close any of them by that
os.register_at_fork(
    before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
)


class Descriptor:
    """An open file that several may share: the last of them who closes it does so."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._users = 1

    def share(self) -> Self:
        """Return it for one more, from any thread, who is to close it too.

        Raises:
            OSError: it is closed.
        """
        with _LOCK:
            if not self._users:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._users += 1
        return self

    def close(self) -> None:
        """Close it, unless somebody else still uses it."""
        with _LOCK:
            self._users -= 1
            is_used = self._users > 0
        if not is_used:
            with suppress(OSError):  # what was written through it has been synced before
                os.close(self.number)


class OpenFiles:
    """The files that were read last: a model has more of them than a process may have open."""

    def __init__(self) -> None:
        self._open: OrderedDict[object, Descriptor] = OrderedDict()

    def share(self, key: object, opener: Callable[[], int]) -> Descriptor:
        """Return the file of a key, which is opened if need be, for who is to close it."""
        with _LOCK:
            if key in self._open:
                self._open.move_to_end(key)
            else:
                self._open[key] = Descriptor(opener())
                self._keep(max(1, os.sysconf("SC_OPEN_MAX") // 4))  # the rest is for others
            return self._open[key].share()

    def forget(self, key: object) -> None:
        """Close the file of a key, unless somebody uses it now."""
        with _LOCK:
            if key in self._open:
                self._open.pop(key).close()

    def close(self) -> None:
        """Close all that nobody uses now."""
        with _LOCK:
            self._keep(0)

    def _keep(self, count: int) -> None:
        while len(self._open) > count:
            self._open.popitem(last=False)[1].close()


FILES = OpenFiles()
