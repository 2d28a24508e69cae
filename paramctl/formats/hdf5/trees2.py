"""B-trees of version 2, by which large groups find links, objects attributes and datasets chunks.

Checked before they serve: the library makes room for as many records as a tree's header says, and
writes there as many as it finds. Source: HDF5 File Format Specification 3.0, section III.A.2;
H5B2hdr.c of the library, for the widths of pointers.
"""

import struct
from collections.abc import Container, Iterator
from typing import NamedTuple

from paramctl.errors import MalformedError
from paramctl.sources import Source

LARGE_OBJECTS, CHUNKS = (1, 2, 3, 4), (10, 11)  # what trees are for, in their headers
LINKS, LINKS_IN_ORDER, ATTRIBUTES, ATTRIBUTES_IN_ORDER = 5, 6, 8, 9
RECORDS = {1: 24, 2: 36, 3: 16, 4: 28, LINKS: 11, LINKS_IN_ORDER: 15, ATTRIBUTES: 17, 9: 13}
"""What trees are for -> bytes of a record; of chunks it depends on their dimensions."""

UNDEFINED = 2**64 - 1
PREFIX, CHECKSUM = 6, 4  # bytes before and behind what is in a node
MAX_NODE = 1 << 20  # bytes; the library's have 512, or 2 kB

_HEADER = struct.Struct("<4sxBLHH2xQHQ")
"""Signature; what it is for; bytes of a node, of a record; levels above the leaves; the root, its
records, all."""

_ADDRESS = struct.Struct("<Q")


class Node(NamedTuple):
    """Where a node is, how many records are in it, and how many levels are below it."""

    place: int
    records: int
    level: int


class Tree(NamedTuple):
    """What the header of a tree says; a pointer takes other bytes for each level it leads to."""

    node_bytes: int
    record_bytes: int
    pointer_bytes: tuple[int, ...]
    root: Node
    total: int


def read_records(
    source: Source, address: int, purposes: Container[int], passed: set[int]
) -> Iterator[bytes]:
    """Yield the records of each node, one behind the other.

    Each node must be below one other only, and none of those that other trees `passed`, and they
    must hold what the header says, for one of the `purposes`.

    Raises:
        MalformedError: it is not so.
    """
    tree = _read_tree(source, address, purposes)
    waiting = [] if tree.root.place == UNDEFINED else [tree.root]
    found = 0
    while waiting:
        node = waiting.pop()
        if node.place in passed:
            raise MalformedError("HDF5: a tree with a node twice", where=f"offset {node.place}")
        passed.add(node.place)
        found += node.records
        records, pointers = _read_node(source, tree, node)
        yield records
        waiting += _below(tree, node, pointers)
    if found != tree.total:
        what = f"HDF5: a tree of {tree.total} records that holds {found}"
        raise MalformedError(what, where=f"offset {address}")


def _read_tree(source: Source, address: int, purposes: Container[int]) -> Tree:
    """Read the header of a tree, which must be for one of the `purposes`."""
    head = source.read(address, _HEADER.size)
    signature, purpose, node, record, depth, root, count, total = _HEADER.unpack(head)
    if signature != b"BTHD" or purpose not in purposes or node > MAX_NODE:
        raise _broken(address)
    if not record or record != RECORDS.get(purpose, record):
        raise _broken(address)
    pointers = tuple(_pointer_widths(node, record, depth, address))
    return Tree(node, record, pointers, Node(root, count, depth), total)


def _read_node(source: Source, tree: Tree, node: Node) -> tuple[bytes, bytes]:
    """Return the records of a node, and its pointers to those below it: a leaf has none."""
    begin = PREFIX + node.records * tree.record_bytes
    end = begin + (node.records + 1) * tree.pointer_bytes[node.level - 1] if node.level else begin
    data = source.read(node.place, end) if end + CHECKSUM <= tree.node_bytes else b""
    if not data.startswith(b"BTIN" if node.level else b"BTLF"):
        raise _broken(node.place)
    return data[PREFIX:begin], data[begin:]


def _below(tree: Tree, node: Node, pointers: bytes) -> Iterator[Node]:
    """Yield the nodes that pointers lead to: each has an address, and how many records are there.

    How many are below those too, which it may have, is not asked.
    """
    first = tree.pointer_bytes[0]
    for at in range(0, len(pointers), tree.pointer_bytes[node.level - 1]):
        count = int.from_bytes(pointers[at + _ADDRESS.size : at + first], "little")
        (place,) = _ADDRESS.unpack_from(pointers, at)
        yield Node(place, count, node.level - 1)


def _pointer_widths(node: int, record: int, depth: int, address: int) -> Iterator[int]:
    """Yield how many bytes a pointer to a node of each level takes, from the leaves up.

    It is an address, the records in that node, and from the second level on those below it too:
    each in as many bytes as the largest possible number takes.
    """
    most = below = (node - PREFIX - CHECKSUM) // record
    pointer = _ADDRESS.size + _width(most)
    first = pointer
    yield pointer
    for _ in range(depth):
        most = (node - PREFIX - CHECKSUM - pointer) // (record + pointer)
        below = (most + 1) * below + most
        if most < 1 or below > UNDEFINED:
            raise _broken(address)
        pointer = first + _width(below)
        yield pointer


def _width(number: int) -> int:
    return max(number.bit_length() - 1, 0) // 8 + 1


def _broken(address: int) -> MalformedError:
    return MalformedError("HDF5: a broken tree", where=f"offset {address}")
