"""What the user names or pipes in, as a source: a file in place, a pipe through a temporary one."""

import os
import stat
from collections.abc import Iterable, Iterator
from functools import partial

from paramctl.errors import FileError, UsageError
from paramctl.sources import CHUNK, URL_SCHEMES, FileSource, os_error


def open_path(path: str) -> FileSource:
    """Open what the user named: a file is read in place, a pipe (`<(...)`) is spooled.

    Raises:
        FileError: there is no such file, or it is a directory or a device.
    """
    if path.startswith(URL_SCHEMES):
        raise UsageError(
            "a URL, and only a model can be at one", hint="download it first", file=path
        )
    try:
        status = os.stat(path)
        if stat.S_ISFIFO(status.st_mode):
            with open(path, "rb", buffering=0) as pipe:
                return store(_read_all(pipe.fileno(), path), path)
    except (OSError, ValueError) as error:
        raise os_error(error, path) from error
    return FileSource(path)


def open_descriptor(descriptor: int, name: str) -> FileSource:
    """Open standard input: a redirected file is read in place, a pipe is spooled."""
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return FileSource(name, descriptor=descriptor)
    except OSError as error:
        raise FileError.from_os(error, name) from error
    return store(_read_all(descriptor, name), name)


def _read_all(descriptor: int, name: str) -> Iterator[bytes]:
    """Yield the bytes of a pipe, a chunk at a time."""
    try:
        yield from iter(partial(os.read, descriptor, CHUNK), b"")
    except OSError as error:
        raise FileError.from_os(error, name) from error


def store(chunks: Iterable[bytes], name: str) -> FileSource:
    """Put bytes into a temporary file that has no name, and read that.

    Raises:
        FileError: they do not fit, or there is no folder for them.
    """
    import tempfile  # noqa: PLC0415 (rarely needed)

    try:
        with tempfile.TemporaryFile() as target:
            target.writelines(chunks)
            target.flush()
            return FileSource(name, descriptor=target.fileno())
    except OSError as error:
        what = f"no temporary file can hold it: {error.strerror or error}"
        raise FileError(what, hint="set TMPDIR to a folder with room", file=name) from error
