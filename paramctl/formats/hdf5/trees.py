"""The trees by which groups find links and datasets chunks; checked before they serve.

Those of version 1 here: the library goes down them as far as they lead, in a circle until its stack
is full, and twice where two nodes lead to one. Source: HDF5 File Format Specification 3.0, sections
III.A.1, IV.A.2.i and IV.A.2.r.
"""

import struct
from collections import deque
from collections.abc import Container

from paramctl.errors import MalformedError
from paramctl.formats.hdf5.chunk_arrays import check_extensible, check_fixed
from paramctl.formats.hdf5.fractal_heaps import Heap
from paramctl.formats.hdf5.headers import ATTRIBUTE_INFO, LINK_INFO, Message, read_info
from paramctl.formats.hdf5.trees2 import (
    ATTRIBUTES,
    ATTRIBUTES_IN_ORDER,
    CHUNKS,
    LARGE_OBJECTS,
    LINKS,
    LINKS_IN_ORDER,
    UNDEFINED,
    read_records,
)
from paramctl.sources import Source

LAYOUT, SYMBOL_TABLE = 0x08, 0x11  # messages of a header
CHUNKED = 2
BY_FIXED, BY_EXTENSIBLE, BY_TREE = 3, 4, 5  # how the chunks of a layout of version 4 are found
INDEX_BYTES = {BY_FIXED: 2, BY_EXTENSIBLE: 6, BY_TREE: 7}  # of this, and before the address
GROUP_KEY = 8  # bytes
NAMES = -1  # the level of what is below the leaves of a group's tree

_NODE = struct.Struct("<4s2BH16x")  # signature, what it is for, its level, how many are below it
_ADDRESS = struct.Struct("<Q")


class Trees:
    """The trees of a file, of whose nodes each is below one other only."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._passed: set[int] = set()

    def check(self, header: list[Message]) -> None:
        """Check the trees of a group or dataset.

        Raises:
            MalformedError: one is no tree.
        """
        for kind, body in header:
            if kind == SYMBOL_TABLE:
                self._check(_address(body, 0), GROUP_KEY)
            elif kind in (LINK_INFO, ATTRIBUTE_INFO):
                self._check_many(kind, *read_info(kind, body))
            elif kind == LAYOUT and body[:1] < b"\4":
                self._check_chunks(body)
            elif kind == LAYOUT and body[1:2] == bytes([CHUNKED]):
                self._check_newer_chunks(body)

    def _check_chunks(self, body: bytes) -> None:
        version, first, second = body[:3].ljust(3, b"\0")
        kind, dimensions = (second, first) if version < 3 else (first, second)
        begin = 8 if version < 3 else 3
        if kind == CHUNKED and len(body) >= begin + 8:
            self._check(_address(body, begin), 8 + 8 * dimensions)

    def _check_newer_chunks(self, body: bytes) -> None:
        dimensions, width = body[3:5].ljust(2, b"\0")
        if not dimensions:  # the library would divide by their product
            raise MalformedError("HDF5: chunks of no dimensions")
        index = 5 + dimensions * width
        kind = body[index] if len(body) > index else 0
        address = _address(body, index + INDEX_BYTES.get(kind, 0))
        if kind == BY_TREE:
            self._check_newer(address, CHUNKS)
        elif kind in INDEX_BYTES and address != UNDEFINED:
            (check_fixed if kind == BY_FIXED else check_extensible)(self._source, address)

    def _check_many(self, kind: int, heap: int, *trees: int) -> None:
        """Check the trees of many links or attributes, and of those that are large in the heap."""
        if heap != UNDEFINED:
            self._check_newer(Heap(self._source, heap).large, LARGE_OBJECTS)
        links, attributes = (LINKS, LINKS_IN_ORDER), (ATTRIBUTES, ATTRIBUTES_IN_ORDER)
        purposes = links if kind == LINK_INFO else attributes
        for tree, purpose in zip(trees, purposes, strict=False):
            self._check_newer(tree, (purpose,))

    def _check_newer(self, address: int, purposes: Container[int]) -> None:
        if address != UNDEFINED:
            deque(read_records(self._source, address, purposes, self._passed), maxlen=0)

    def _check(self, root: int, key: int) -> None:
        """Check that each node is below one other only, of the level above."""
        waiting: list[tuple[int, int | None]] = [] if root == UNDEFINED else [(root, None)]
        while waiting:
            place, level = waiting.pop()
            if place in self._passed:
                raise MalformedError("HDF5: a tree with a node twice", where=f"offset {place}")
            self._passed.add(place)
            if level == NAMES:
                continue
            signature, _, found, count = _NODE.unpack(self._source.read(place, _NODE.size))
            if signature != b"TREE" or level not in (None, found):
                raise MalformedError("HDF5: a broken tree", where=f"offset {place}")
            if found or key == GROUP_KEY:
                below = self._source.read(place + _NODE.size, count * (key + _ADDRESS.size))
                addresses = range(key, len(below), key + _ADDRESS.size)
                waiting += [(*_ADDRESS.unpack_from(below, each), found - 1) for each in addresses]


def _address(body: bytes, begin: int) -> int:
    """Return the address that stands in a message."""
    return int.from_bytes(body[begin : begin + 8], "little")
