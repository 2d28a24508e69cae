"""Formats that are not paramctl's: packages offer them by entry points in `paramctl.formats`."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError, UsageError
from paramctl.formats.sniffing import Reader
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
        return checkpoint

    return read


def _origin(entry: EntryPoint) -> str:
    return f"the format '{entry.name}' of {entry.value}"
