"""A layer over the calls of `os` that change a disk: it counts them, and lets one fail."""

import errno
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

CALLS = (
    *("open", "posix_fallocate", "pwrite", "copy_file_range", "pread", "fstat"),
    *("fchown", "fchmod", "fsync", "close", "rename", "unlink", "stat", "mkdir"),
)
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT)


class Fault(NamedTuple):
    """The error of the call of this place among all calls."""

    place: int
    error: int


class Layer:
    """The calls, in order, as `os` gets them; `after` is called when one is done, but not back."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        fault: Fault | None = None,
        after: Callable[[int], None] | None = None,
    ) -> None:
        self.calls: list[str] = []
        self._fault = fault
        self._after = after
        for name in CALLS:
            patch.setattr(os, name, self._wrap(name, getattr(os, name)))

    @property
    def failed(self) -> bool:
        """Whether the fault has been reached."""
        return self._fault is not None and len(self.calls) > self._fault.place

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            place = len(self.calls)
            self.calls.append(name)
            if self._fault and place == self._fault.place:
                if name == "close":  # the descriptor is gone all the same
                    real(*arguments, **options)
                raise OSError(self._fault.error, os.strerror(self._fault.error))
            try:
                return real(*arguments, **options)
            finally:
                if self._after:
                    self._after(place)

        return call
