"""An open folder, and what is done to the files in it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from paramctl.errors import FileError, UnconfirmedError


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Say which file it is that the operating system has an error with."""
    try:
        yield
    except OSError as error:
        raise FileError.from_os(error, path) from error


class Folder:
    """An open folder: what is done in it is done there, even if its path leads elsewhere now.

    The path "" is the current folder's: what is in it is called by its name alone.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with naming(path):
            try:
                self.descriptor = os.open(
                    path or os.curdir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                )
            except NotADirectoryError as error:
                raise FileError("a file, and no folder", hint="name another", file=path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # nothing was written through it
            os.close(self.descriptor)

    def join(self, name: str) -> str:
        """Return the path of a file in it."""
        return os.path.join(self.path, name)

    def status(self, name: str) -> os.stat_result | None:
        """Return what is known of a file in it; None where there is none."""
        with naming(self.join(name)):
            try:
                return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> bool:
        """Remove a file, and say whether it could be removed."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Bring what has been renamed and removed to the disk.

        Raises:
            OSError: the operating system failed to.
        """
        try:
            sync(self.descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file system that syncs no folders
                raise

    def confirm(self, name: str) -> None:
        """Bring to the disk that a file in it has taken its place.

        Raises:
            UnconfirmedError: the operating system failed to; the file is there all the same.
        """
        try:
            self.sync()
        except OSError as error:
            raise UnconfirmedError(
                f"written, but a power cut could undo it: {error.strerror}", file=self.join(name)
            ) from error


def sync(descriptor: int) -> None:
    """Bring a file to the disk itself, where the system's fsync stops at the disk's cache too."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)
