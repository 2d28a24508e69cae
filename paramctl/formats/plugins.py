"""Formats that are not paramctl's: packages offer them by entry points in `paramctl.formats`."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NoReturn, Protocol

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions, Storage
from paramctl.dtypes import DType
from paramctl.errors import MalformedError, UsageError
from paramctl.formats.sniffing import Reader
from paramctl.slices import check_extent
from paramctl.sources import Source
from paramctl.user_code import blaming_user

GROUP = "paramctl.formats"


class OfferedFormat(Protocol):
    """What an entry point names: an object, or a module, with these two functions."""

    def sniffs(self, head: bytes) -> bool:
        """Whether a file is in this format; `head` is its first 512 bytes, or all of fewer."""

    def read(self, source: Source, options: ReadOptions) -> Checkpoint:
        """Read a file into a checkpoint, whose entries say where the values lie.

        Raises:
            MalformedError: it breaks the format's rules.
        """


def find_plugin(head: bytes) -> tuple[str, Reader] | None:
    """Return the name and the reader of the one format that knows a file by its first bytes.

    Raises:
        MalformedError: two of them do.
        UsageError: a package's code fails.
    """
    found = [entry for entry in offered() if _sniffs(entry, head)]
    if len(found) > 1:
        names = " and ".join(_origin(entry) for entry in found)
        raise MalformedError(f"ambiguous: in {names}")
    return (found[0].name, _guard(found[0])) if found else None


@cache
def offered() -> tuple[EntryPoint, ...]:
    """Return the entry points of the packages that are installed."""
    return tuple(sorted(entry_points(group=GROUP)))


def _sniffs(entry: EntryPoint, head: bytes) -> bool:
    with blaming_user(_origin(entry)):
        plugin: OfferedFormat = entry.load()
        return plugin.sniffs(head)


def _guard(entry: EntryPoint) -> Reader:
    """Return a reader whose errors name the format."""

    def read(source: Source, options: ReadOptions) -> Checkpoint:
        with blaming_user(_origin(entry)):
            plugin: OfferedFormat = entry.load()
            checkpoint: object = plugin.read(source, options)
        if not isinstance(checkpoint, Checkpoint):
            raise UsageError(
                f"{_origin(entry)} returned {type(checkpoint).__name__}, no Checkpoint"
            )
        with blaming_user(_origin(entry)):
            for name, listed in checkpoint.items():
                _check(name, listed)
        return checkpoint

    return read


def _check(name: str, entry: Entry) -> None:
    """Make sure that what is listed is an entry, and that its bytes are in the file.

    Raises:
        TypeError: it is none, or a part of it is not what it has to be.
        MalformedError: the file is too short.
    """
    if not isinstance(entry, Entry) or entry.name != name:
        _blame(name, f"is {entry!r}, no Entry of this name")
    if not isinstance(entry.dtype, DType):
        _blame(name, f"has the type {entry.dtype!r}, no DType")
    if not _is_shape(entry.shape):
        _blame(name, f"has the shape {entry.shape!r}, no tuple of whole numbers")
    if entry.storage:
        _check_bytes(entry, entry.storage)
    elif entry.layout == "strided":
        _blame(name, "has no storage")


def _blame(name: str, what: str) -> NoReturn:
    message = f"'{name}' {what}"
    raise TypeError(message)


def _check_bytes(entry: Entry, storage: Storage) -> None:
    end, size = storage.offset + storage.nbytes, storage.source.size
    if not 0 <= storage.offset <= end <= size:
        raise MalformedError(
            f"'{entry.name}' takes bytes {storage.offset} to {end}, there are {size}"
        )
    check_extent(entry, storage.nbytes)


def _is_shape(shape: object) -> bool:
    return type(shape) is tuple and all(type(size) is int and size >= 0 for size in shape)


def _origin(entry: EntryPoint) -> str:
    return f"the format '{entry.name}' of {entry.value}"
