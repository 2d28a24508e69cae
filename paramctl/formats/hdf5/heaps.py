"""Heaps, in which names and texts of any length lie; the library sees one only if it is sound.

In a global one whose objects do not follow one another, and in a local one whose free places lead
in a circle, it would look for the next for ever. Source: HDF5 File Format Specification 3.0,
sections III.D, "Local Heaps", and III.E, "Global Heap".
"""

import struct
from collections.abc import Iterator

from paramctl.errors import LimitError, MalformedError
from paramctl.sources import Source

GLOBAL, LOCAL = b"GCOL\1\0\0\0", b"HEAP\0"
MARGIN = len(GLOBAL) - 1  # bytes around what is looked through: a heap is seen wherever it is cut
MAX_HEAP = 64 << 20  # bytes; one has 4 kB, or a single text that is longer
END = 1  # of the list of free places

_HEAD = struct.Struct("<8sQ")  # of a global heap: its signature, its bytes
_OBJECT = struct.Struct("<2H4xQ")  # its number, how often it is referred to, its bytes
_REFERENCE = struct.Struct("<LQL")  # to a text: its bytes, where its heap is, its number there
_LOCAL_HEAD = struct.Struct("<8x3Q")  # its bytes, the first free place, where in the file it lies
_FREE = struct.Struct("<QQ")  # the next free place, the bytes of this one


def find_heaps(data: bytes, offset: int) -> Iterator[int]:
    """Yield where heaps begin in the file, of which `data` is what is at `offset`."""
    for signature in (GLOBAL, LOCAL):
        place = data.find(signature)
        while place >= 0:
            yield offset + place
            place = data.find(signature, place + 1)


class Heaps:
    """The heaps of a file, each looked through once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = source.size  # of the bytes that heaps may take, which do not overlap
        self._known: dict[int, dict[int, tuple[int, int]]] = {}  # number -> offset, bytes

    def check(self, offset: int) -> None:
        """Check the heap that begins at `offset`.

        Raises:
            MalformedError: its objects do not fill it, or its free places lead in a circle.
            LimitError: it is too large.
        """
        if offset in self._known:
            return
        if self._source.read(offset, len(LOCAL)) == LOCAL:
            self._check_free(offset)
            self._known[offset] = {}
        else:
            self._known[offset] = dict(self._objects(offset))

    def text_size(self, reference: bytes) -> int:
        """Return the bytes of a text that is referred to."""
        size: int = _REFERENCE.unpack(reference)[0]
        return size

    def text(self, reference: bytes) -> bytes:
        """Return a text that is referred to.

        Raises:
            MalformedError: it is not there.
        """
        length, offset, number = _REFERENCE.unpack(reference)
        if not length:
            return b""
        self.check(offset)
        begin, nbytes = self._known[offset].get(number, (0, 0))
        if length > nbytes:
            raise MalformedError(f"HDF5: no text of {length} bytes", where=f"offset {offset}")
        return self._source.read(begin, length)

    def _objects(self, offset: int) -> Iterator[tuple[int, tuple[int, int]]]:
        signature, size = _HEAD.unpack(self._source.read(offset, _HEAD.size))
        if signature != GLOBAL:
            raise MalformedError("HDF5: no heap", where=f"offset {offset}")
        heap = self._read(offset, size)
        place = _HEAD.size
        while place + _OBJECT.size <= size:
            number, _, nbytes = _OBJECT.unpack_from(heap, place)
            # what is free has the number 0, and its size counts its head
            taken = _OBJECT.size + -(-nbytes // 8) * 8 if number else nbytes
            if taken < _OBJECT.size or place + taken > size:
                raise MalformedError("HDF5: a broken heap", where=f"offset {offset + place}")
            yield number, (offset + place + _OBJECT.size, nbytes)
            place += taken

    def _check_free(self, offset: int) -> None:
        """Follow a local heap's list of free places to its end."""
        size, free, begin = _LOCAL_HEAD.unpack(self._source.read(offset, _LOCAL_HEAD.size))
        if begin + size > self._source.size:
            return  # the library refuses it
        heap = self._read(begin, size)
        passed: set[int] = set()
        while free != END and free + _FREE.size <= size:
            if free in passed:
                raise MalformedError(
                    "HDF5: a heap's free places lead in a circle", where=f"offset {begin + free}"
                )
            passed.add(free)
            free, _ = _FREE.unpack_from(heap, free)

    def _read(self, offset: int, size: int) -> bytes:
        if size > MAX_HEAP:
            raise LimitError(f"HDF5: a heap of {size} bytes", where=f"offset {offset}")
        self._left -= size
        if self._left < 0:
            raise MalformedError("HDF5: heaps that overlap", where=f"offset {offset}")
        return self._source.read(offset, size)
