"""B-trees of version 1, by which groups find links and datasets chunks; checked before they serve.

The library goes down them as far as they lead: in a circle until its stack is full, and twice where
two nodes lead to one. Source: HDF5 File Format Specification 3.0, sections III.A.1, IV.A.2.i
and IV.A.2.r.
"""

import struct

from paramctl.errors import MalformedError
from paramctl.formats.hdf5.headers import read_messages
from paramctl.sources import Source

LAYOUT, SYMBOL_TABLE = 0x08, 0x11  # messages of a header
CHUNKED = 2
UNDEFINED = 2**64 - 1
GROUP_KEY = 8  # bytes
NAMES = -1  # the level of what is below the leaves of a group's tree

_NODE = struct.Struct("<4s2BH16x")  # signature, what it is for, its level, how many are below it
_ADDRESS = struct.Struct("<Q")


def check_trees(source: Source, address: int) -> None:
    """Check the trees of the group or dataset whose header is at `address`.

    Raises:
        MalformedError: one is no tree.
    """
    for body in read_messages(source, address, SYMBOL_TABLE):
        _check(source, _ADDRESS.unpack(body[:8].ljust(8, b"\0"))[0], GROUP_KEY)
    for body in read_messages(source, address, LAYOUT):
        version, first, second = body[:3].ljust(3, b"\0")
        kind, dimensions = (second, first) if version < 3 else (first, second)
        begin = 8 if version < 3 else 3
        if version <= 3 and kind == CHUNKED and len(body) >= begin + 8:
            _check(source, _ADDRESS.unpack_from(body, begin)[0], 8 + 8 * dimensions)


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
