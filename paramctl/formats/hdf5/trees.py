"""The trees by which groups find links and datasets chunks; checked before they serve.

Those of version 1 here: the library goes down them as far as they lead, in a circle until its stack
is full, and twice where two nodes lead to one. Source: HDF5 File Format Specification 3.0, sections
III.A.1, III.G, IV.A.2.c, IV.A.2.i, IV.A.2.r and IV.A.2.v.
"""

import struct

from paramctl.errors import MalformedError
from paramctl.formats.hdf5.headers import read_messages
from paramctl.formats.hdf5.trees2 import UNDEFINED, check_tree
from paramctl.sources import Source

LAYOUT, SYMBOL_TABLE, LINK_INFO, ATTRIBUTE_INFO = 0x08, 0x11, 0x02, 0x15  # messages of a header
CHUNKED = 2
BY_TREE = 5  # how the chunks of a layout of version 4 are found
GROUP_KEY = 8  # bytes
LARGE = 22  # where a heap's header says the tree of its large objects
NAMES = -1  # the level of what is below the leaves of a group's tree

_NODE = struct.Struct("<4s2BH16x")  # signature, what it is for, its level, how many are below it
_ADDRESS = struct.Struct("<Q")


def check_trees(source: Source, address: int) -> None:
    """Check the trees of the group or dataset whose header is at `address`.

    Raises:
        MalformedError: one is no tree.
    """
    kinds = (SYMBOL_TABLE, LAYOUT, LINK_INFO, ATTRIBUTE_INFO)
    for kind, body in read_messages(source, address, *kinds):
        if kind == SYMBOL_TABLE:
            _check(source, _address(body, 0), GROUP_KEY)
        elif kind != LAYOUT:
            _check_dense(source, body, order=8 if kind == LINK_INFO else 2)
        elif body[:1] < b"\4":
            _check_chunks(source, body)
        elif body[1:2] == bytes([CHUNKED]):
            _check_newer_chunks(source, body)


def _check_chunks(source: Source, body: bytes) -> None:
    version, first, second = body[:3].ljust(3, b"\0")
    kind, dimensions = (second, first) if version < 3 else (first, second)
    begin = 8 if version < 3 else 3
    if kind == CHUNKED and len(body) >= begin + 8:
        _check(source, _address(body, begin), 8 + 8 * dimensions)


def _check_newer_chunks(source: Source, body: bytes) -> None:
    dimensions, width = body[3:5].ljust(2, b"\0")
    index = 5 + dimensions * width
    if body[index : index + 1] == bytes([BY_TREE]):
        check_tree(source, _address(body, index + 7))


def _check_dense(source: Source, body: bytes, order: int) -> None:
    """Check the trees of many links or attributes: by name, and by `order` where there is one.

    That is the width of the largest order, in bytes. Before the trees stands a heap, which has one
    of what is too large for it.
    """
    flags = body[1] if len(body) > 1 else 0
    heap = 2 + order * bool(flags & 1)
    for tree in range(heap + 8, heap + 16 + 8 * bool(flags & 2), 8):
        if (address := _address(body, tree)) != UNDEFINED:
            check_tree(source, address)
    if (address := _address(body, heap)) != UNDEFINED:
        large = _address(source.read(address, LARGE + 8), LARGE)
        if large != UNDEFINED:
            check_tree(source, large)


def _address(body: bytes, begin: int) -> int:
    """Return the address that stands in a message."""
    return int.from_bytes(body[begin : begin + 8], "little")


def _check(source: Source, root: int, key: int) -> None:
    """Check that each node is below one other only, of the level above."""
    waiting: list[tuple[int, int | None]] = [] if root == UNDEFINED else [(root, None)]
    passed: set[int] = set()
    while waiting:
        place, level = waiting.pop()
        if place in passed:
            raise MalformedError("HDF5: a tree with a node twice", where=f"offset {place}")
        passed.add(place)
        if level == NAMES:
            continue
        signature, _, found, count = _NODE.unpack(source.read(place, _NODE.size))
        if signature != b"TREE" or level not in (None, found):
            raise MalformedError("HDF5: a broken tree", where=f"offset {place}")
        if found or key == GROUP_KEY:
            below = source.read(place + _NODE.size, count * (key + _ADDRESS.size))
            addresses = range(key, len(below), key + _ADDRESS.size)
            waiting += [(*_ADDRESS.unpack_from(below, each), found - 1) for each in addresses]
