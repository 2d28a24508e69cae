"""Bytes by offset and length: in a local file, or in memory.

Files are read with `pread`, never mapped: a mapped file that shrinks kills its reader.
"""

import errno
import os
import stat
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from functools import partial
from typing import Self
from weakref import finalize

from paramctl.descriptors import FILES, Descriptor
from paramctl.doors import Spelling
from paramctl.errors import FileError, LimitError, MalformedError, UnsafeError

CHUNK = 1 << 20
URL_SCHEMES = ("http://", "https://", "s3://", "gs://", "hf://")


class Source(ABC):
    """Random access to `size` bytes, from any thread; `name` is what messages call it.

    `whole` says that no part of the bytes can be had for less than all of them, `sequential` that
    they are quickest read in order, `is_far` that a read takes long whatever its length, `is_alone`
    that they are of an open file whose folder is not known, `block` how many elements at least are
    best computed together. `identity` tells its file from any other, and from the same one before
    it was written to; () where there is none. `checksum` is the CRC-32 of all of the bytes, where
    an archive says so.
    """

    name: str
    size: int
    whole: bool = False
    sequential: bool = False
    is_far: bool = False
    is_alone: bool = False
    block: int = 0
    identity: tuple[int, ...] = ()
    checksum: int | None = None

    def __deepcopy__(self, memo: object) -> Self:
        """Return it as it is: its bytes do not change, and a copy of a model may share them."""
        return self

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` on.

        Raises:
            MalformedError: the range is not inside the source.
            FileError: the bytes cannot be read, or the file changed since it was opened.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise MalformedError(
                f"truncated: bytes {offset} to {offset + length} are asked for, "
                f"there are {self.size}",
                file=self.name,
            )
        return self._read(offset, length)

    @abstractmethod
    def _read(self, offset: int, length: int) -> bytes:
        """Read a range that is known to be inside the source."""

    def locate(self, offset: int) -> tuple["Source", int]:
        """Return the source that holds the bytes from `offset` on as they are, and where."""
        return self, offset

    def beside(
        self,
        name: str,  # noqa: ARG002 (of those that have a folder)
        *,
        follow: bool = True,  # noqa: ARG002 (the same)
    ) -> "Source | None":
        """Return the file of this name in the same folder, or below it; None where there is none.

        Raises:
            FileError: it cannot be opened, or there is no folder.
            UnsafeError: a folder on the way is a symbolic link.
        """
        raise FileError(
            "the files that it names lie beside it, in no folder here", hint="name the file itself"
        )

    def release(self) -> None:  # noqa: B027 (most sources hold nothing)
        """Let go of caches until bytes are asked for again."""

    def check_unchanged(self) -> None:  # noqa: B027 (most sources cannot change)
        """Raise FileError if the bytes are not those that they were when it was opened."""


class BytesSource(Source):
    """Bytes in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def _read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


class FileSource(Source):
    """A regular file, opened when bytes are asked for and checked to be the same file still.

    One that is open already, by its `descriptor`, has no path, whatever its name.
    """

    def __init__(self, name: str, *, follow: bool = True, descriptor: int | None = None) -> None:
        self.name = self.path = name
        self._flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        if not follow:
            self._flags |= os.O_NOFOLLOW
        self._own = None if descriptor is None else Descriptor(os.dup(descriptor))
        self._key = object()
        finalize(self, self._own.close if self._own else partial(FILES.forget, self._key))
        self.is_alone = self._own is not None
        self.check_unchanged()

    def beside(self, name: str, *, follow: bool = True) -> Source | None:
        """Return the file of this name in the same folder; a symbolic link only if `follow`."""
        if self.is_alone:
            return super().beside(name)
        own = os.path.dirname(self.path)
        path = os.path.join(own, name)
        if not os.path.lexists(path):
            return None
        folder = os.path.dirname(name)
        if folder and os.path.realpath(os.path.join(own, folder)) != os.path.join(
            os.path.realpath(own), folder
        ):
            what = f"'{name}' lies behind a symbolic link, which could lead anywhere"
            raise UnsafeError(what, file=self.name)
        return FileSource(path, follow=follow)

    def check_unchanged(self) -> None:
        """Raise FileError if the file is not the one that was opened, byte count and time."""
        with self._opened() as file:
            self._check(file.number, "while it was read")

    def _opened(self) -> closing[Descriptor]:
        """Return the context in which the file is open."""
        return closing(self._own.share() if self._own else FILES.share(self._key, self._open))

    def _open(self) -> int:
        try:
            descriptor = os.open(self.path, self._flags)
        except (OSError, ValueError) as error:
            if self._flags & os.O_NOFOLLOW and getattr(error, "errno", 0) == errno.ELOOP:
                hint = (Spelling("--no-follow", "follow=False"), " refuses those")
                raise FileError("a symbolic link", hint=hint, file=self.name) from error
            raise os_error(error, self.name) from error
        try:
            self._check(descriptor, "since it was listed")
        except FileError:
            os.close(descriptor)
            raise
        return descriptor

    def _check(self, descriptor: int, when: str) -> None:
        """Check that it is a regular file, and the one that was opened first."""
        try:
            status = os.fstat(descriptor)
        except OSError as error:
            raise FileError.from_os(error, self.name) from error
        if not stat.S_ISREG(status.st_mode):
            raise FileError("not a regular file", file=self.name)
        if self.identity and identity_of(status) != self.identity:
            raise FileError(f"file changed {when}; try again", file=self.name)
        self.identity = identity_of(status)
        self.size = status.st_size

    def _read(self, offset: int, length: int) -> bytes:
        pieces = []
        with self._opened() as file:
            while length:
                piece = self._pread(file.number, offset, length)
                pieces.append(piece)
                offset += len(piece)
                length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def copy_to(self, descriptor: int, position: int, offset: int, length: int) -> int:
        """Have the kernel copy a range into another file at a position; return how much it did.

        That is less where the two files, or this system, do not allow it.
        """
        copied = 0
        if hasattr(os, "copy_file_range"):
            with self._opened() as own, suppress(OSError):
                while copied < length:
                    places = (offset + copied, position + copied)
                    count = os.copy_file_range(own.number, descriptor, length - copied, *places)
                    if not count:
                        break
                    copied += count
        return copied

    def _pread(self, descriptor: int, offset: int, length: int) -> bytes:
        try:
            piece = os.pread(descriptor, length, offset)
        except OSError as error:
            raise FileError.from_os(error, self.name) from error
        except MemoryError as error:
            raise LimitError(f"no memory for {length} bytes", file=self.name) from error
        if not piece:
            raise FileError("file changed while it was read: it is shorter now", file=self.name)
        return piece


def identity_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is replaced or written to."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def os_error(error: OSError | ValueError, name: str) -> FileError:
    """Wrap what the operating system, or Python before it, said about a file."""
    if isinstance(error, OSError):
        return FileError.from_os(error, name)
    return FileError("no file can have this name", file=name)
