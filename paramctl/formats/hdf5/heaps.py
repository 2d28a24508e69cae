"""Global heaps, in which texts of any length lie; the library sees one only if it is sound.

In one whose objects do not follow one another it would look for the next for ever. Source: HDF5
File Format Specification 3.0, section III.E, "Global Heap".
"""

import struct
from collections.abc import Iterator

from paramctl.errors import LimitError, MalformedError
from paramctl.sources import Source

SIGNATURE = b"GCOL\1\0\0\0"
MAX_HEAP = 64 << 20  # bytes; one has 4 kB, or a single text that is longer

_HEAD = struct.Struct("<8sQ")  # of a heap: its signature, its bytes
_OBJECT = struct.Struct("<2H4xQ")  # its number, how often it is referred to, its bytes
_REFERENCE = struct.Struct("<LQL")  # to a text: its bytes, where its heap is, its number there


def find_heaps(data: bytes, offset: int) -> Iterator[int]:
    """Yield where heaps begin in the file, of which `data` is what is at `offset`."""
    place = data.find(SIGNATURE)
    while place >= 0:
        yield offset + place
        place = data.find(SIGNATURE, place + 1)


class Heaps:
    """The heaps of a file, each looked through once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[int, dict[int, tuple[int, int]]] = {}  # number -> offset, bytes

    def check(self, offset: int) -> None:
        """Check the heap that begins at `offset`.

        Raises:
            MalformedError: its objects do not fill it.
            LimitError: it is too large.
        """
        if offset not in self._known:
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
        if signature != SIGNATURE:
            raise MalformedError("HDF5: no heap", where=f"offset {offset}")
        if size > MAX_HEAP:
            raise LimitError(f"HDF5: a heap of {size} bytes", where=f"offset {offset}")
        heap = self._source.read(offset, size)
        place = _HEAD.size
        while place + _OBJECT.size <= size:
            number, _, nbytes = _OBJECT.unpack_from(heap, place)
            # what is free has the number 0, and its size counts its head
            taken = _OBJECT.size + -(-nbytes // 8) * 8 if number else nbytes
            if taken < _OBJECT.size or place + taken > size:
                raise MalformedError("HDF5: a broken heap", where=f"offset {offset + place}")
            yield number, (offset + place + _OBJECT.size, nbytes)
            place += taken
