"""Bytes that are made of those of other sources."""

from collections.abc import Callable, Iterable

from paramctl.sources import Source


class Derived(Source):
    """Bytes that are made of those of other sources, the `bases`."""

    def __init__(self, name: str, size: int, bases: Iterable[Source]) -> None:
        self.name = name
        self.size = size
        self.bases = list({id(base): base for base in bases}.values())
        self.sequential = any(base.sequential for base in self.bases)
        self.is_far = any(base.is_far for base in self.bases)

    def release(self) -> None:
        """Let go of what the bases hold."""
        for base in self.bases:
            base.release()

    def check_unchanged(self) -> None:
        """Raise FileError if a base is not what it was when it was opened."""
        for base in self.bases:
            base.check_unchanged()


def read_units(offset: int, length: int, width: int, read: Callable[[int, int], bytes]) -> bytes:
    """Return bytes of what is made in units of `width` bytes: `read` makes a count from a place."""
    first, end = offset // width, -(-(offset + length) // width)
    begin = offset - first * width
    return read(first, end - first)[begin : begin + length]
