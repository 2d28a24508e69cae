"""B-trees of version 2, by which large groups find links, objects attributes and datasets chunks.

Checked before they serve: the library makes room for as many records as a tree's header says, and
writes there as many as it finds. Source: HDF5 File Format Specification 3.0, section III.A.2;
H5B2hdr.c of the library, for the widths of pointers.
"""

import struct
from collections.abc import Container, Iterator

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


def read_records(
    source: Source, address: int, purposes: Container[int], passed: set[int]
) -> Iterator[bytes]:
    """Yield the records of each node, one behind the other.

    Each node must be below one other only, and none of those that other trees `passed`, and they
    must hold what the header says, for one of the `purposes`.

    Raises:
        MalformedError: it is not so.
    """
    head = source.read(address, _HEADER.size)
    signature, purpose, node, record, depth, root, count, total = _HEADER.unpack(head)
    if signature != b"BTHD" or purpose not in purposes or node > MAX_NODE:
        raise _broken(address)
    if not record or record != RECORDS.get(purpose, record):
        raise _broken(address)
    widths = list(_pointer_widths(node, record, depth, address))
    waiting = [] if root == UNDEFINED else [(root, count, depth)]
    found = 0
    while waiting:
        place, count, level = waiting.pop()
        if place in passed:
            raise MalformedError("HDF5: a tree with a node twice", where=f"offset {place}")
        passed.add(place)
        found += count
        begin = PREFIX + count * record
        end = begin + (count + 1) * widths[level - 1] if level else begin
        data = source.read(place, end) if end + CHECKSUM <= node else b""
        if not data.startswith(b"BTIN" if level else b"BTLF"):
            raise _broken(place)
        yield data[PREFIX:begin]
        pointers = (data[at : at + widths[0]] for at in range(begin, end, widths[level - 1]))
        waiting += [(*_read_pointer(pointer), level - 1) for pointer in pointers]
    if found != total:
        what = f"HDF5: a tree of {total} records that holds {found}"
        raise MalformedError(what, where=f"offset {address}")


def _read_pointer(data: bytes) -> tuple[int, int]:
    """Return the address of a node, and how many records are in it."""
    return _ADDRESS.unpack_from(data)[0], int.from_bytes(data[_ADDRESS.size :], "little")


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
