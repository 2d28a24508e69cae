"""What a file holds, byte for byte, before any tensor is read: its parts in order, and its size."""

from collections.abc import Callable, Iterable
from re import Pattern
from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.writer.checksum import Checksum


class Made(NamedTuple):
    """So many bytes of the format itself, made when all that stands before them is written."""

    nbytes: int
    read: Callable[[], bytes]


class Stored(NamedTuple):
    """The values of entries, one behind the other; their CRC-32 is added to `checksum`."""

    entries: tuple[Entry, ...]
    nbytes: int
    checksum: Checksum | None = None


Part = Made | Stored


class Layout(NamedTuple):
    """A file: its parts and its size."""

    parts: Iterable[Part]
    nbytes: int


class Plan(NamedTuple):
    """A file that is to be written, and what is good to know of it."""

    layout: Layout
    notes: tuple[str, ...]


class Files(NamedTuple):
    """The files of a folder by name: those that hold tensors, and the one that names them, if any.

    `pattern` is that of the names of such files.
    """

    layouts: dict[str, Layout]
    listing: dict[str, bytes]
    pattern: Pattern[str]
    notes: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of all files with tensors."""
        return sum(layout.nbytes for layout in self.layouts.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files, in the order in which they are written."""
        return (*self.layouts, *self.listing)


def literal(data: bytes) -> Made:
    """Return a part that is known now."""
    return Made(len(data), lambda: data)
