"""What a file holds, byte for byte, before any tensor is read: its parts in order, and its size."""

from collections.abc import Callable
from typing import NamedTuple

from paramctl.checkpoint import Entry


class Made(NamedTuple):
    """So many bytes of the format itself, made when all that stands before them is written."""

    nbytes: int
    read: Callable[[], bytes]


class Stored(NamedTuple):
    """The values of entries, one behind the other; `watch` is shown their bytes in order."""

    entries: tuple[Entry, ...]
    watch: Callable[[bytes], None] | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of all of the entries."""
        return sum(entry.nbytes for entry in self.entries)


Part = Made | Stored


class Layout(NamedTuple):
    """A file: its parts and its size."""

    parts: tuple[Part, ...]
    nbytes: int


class Plan(NamedTuple):
    """A file that is to be written, and what is good to know of it."""

    layout: Layout
    notes: tuple[str, ...]


def literal(data: bytes) -> Made:
    """Return a part that is known now."""
    return Made(len(data), lambda: data)
