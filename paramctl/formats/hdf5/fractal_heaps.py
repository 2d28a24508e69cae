"""Fractal heaps: where the attributes of an object lie that has many.

What is larger than any block of a heap, and so apart, is passed by. Source: HDF5 File Format
Specification 3.0, sections III.A.2, "Version 2 B-trees", records of type 8, and III.G, "Fractal
Heap".
"""

import struct
from collections.abc import Iterator

from paramctl.errors import MalformedError
from paramctl.formats.hdf5.trees2 import ATTRIBUTES, UNDEFINED, read_records
from paramctl.sources import Source

_HEADER = struct.Struct("<4s3xH13xQ80xHQQH2xQH")
"""Signature; bytes on its filters; the tree of large objects; blocks in a row; bytes of the first,
of the largest that hold objects; bits of an offset; the root block, and how many rows it leads to.
"""

_RECORD = struct.Struct("<8sB8x")  # of an attribute: where it is in the heap, and flags
_ROOT = 13  # bytes before the offset, and then the addresses, in a block that leads to others
SHARED = 2  # the flag of what is in a heap of the whole file: only special programs write one


def read_attributes(source: Source, heap: int, tree: int) -> Iterator[bytes]:
    """Yield the attributes that a tree of their names leads to, as they lie in their heap.

    Raises:
        MalformedError: the heap or the tree is broken.
    """
    if UNDEFINED in (heap, tree):
        return
    found = Heap(source, heap)
    for records in read_records(source, tree, (ATTRIBUTES,), set()):
        for place, flags in _RECORD.iter_unpack(records):
            if flags & SHARED:
                raise MalformedError("HDF5: attributes that objects share")
            body = found.read(place)
            if body is not None:
                yield body


class Heap:
    """The heap whose header is at `address`; `large` is where the tree of its large objects is.

    Raises:
        MalformedError: it is none.
    """

    large: int
    _width: int
    _first: int
    _largest: int
    _root: int
    _rows: int

    def __init__(self, source: Source, address: int) -> None:
        head = _HEADER.unpack(source.read(address, _HEADER.size))
        signature, filtered, self.large, self._width, *sizes, bits, self._root, self._rows = head
        self._first, self._largest = sizes
        if signature != b"FRHP" or not self._width or not 0 < self._first <= self._largest:
            raise MalformedError("HDF5: a broken heap", where=f"offset {address}")
        self._source = source
        self._left = source.size  # of the bytes that objects may take, which do not overlap
        self._is_plain = not filtered
        self._offset_bytes = -(-bits // 8)

    def read(self, place: bytes) -> bytes | None:
        """Return an object; None where it is not in a block of the heap's as it is."""
        if place[0] or not self._is_plain:  # it is apart, being large, or in the place itself
            return None
        end = 1 + self._offset_bytes
        length = int.from_bytes(place[end:], "little")
        self._left -= length
        if self._left < 0:
            raise MalformedError("HDF5: attributes that overlap")
        return self._source.read(self._find(int.from_bytes(place[1:end], "little")), length)

    def _find(self, offset: int) -> int:
        """Return where in the file is what is at `offset` in the heap.

        A block that leads to others has them in rows, so many of one size in each: the first two
        rows of the first block's, each row after them of twice as much. Those that are larger than
        any that holds objects lead to others again.
        """
        if not self._rows:
            return self._root + offset
        address, block = self._root, self._largest + 1
        while block > self._largest:
            row = (offset // (self._width * self._first)).bit_length()
            block = self._first << max(row - 1, 0)
            column, offset = divmod(offset - self._width * block * bool(row), block)
            entry = address + _ROOT + self._offset_bytes + 8 * (row * self._width + column)
            address = int.from_bytes(self._source.read(entry, 8), "little")
        return address + offset
