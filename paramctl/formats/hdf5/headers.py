"""The headers of groups and datasets: their messages, and attributes as they lie in them.

The library reads a text of any length into as much memory as the file says, so it is not asked.
Source: HDF5 File Format Specification 3.0, sections II, IV.A.1, IV.A.2.c,
IV.A.2.m and IV.A.2.v.
"""

import struct
from collections.abc import Iterator

from paramctl.errors import MalformedError
from paramctl.formats.hdf5.fractal_heaps import read_attributes
from paramctl.sources import Source

CONTINUATION, ATTRIBUTE, LINK_INFO, ATTRIBUTE_INFO = 0x10, 0x0C, 0x02, 0x15
MAX_HEADER = 16 << 20  # bytes; an attribute in it has 64 kB at the most

_PREFIX1 = struct.Struct("<BxHLL4x")
_MESSAGE1 = struct.Struct("<HHB3x")
_MESSAGE2 = struct.Struct("<BHB")
_PLACE = struct.Struct("<2Q")
_ATTRIBUTE = struct.Struct("<2B3H")
_TIMES, _COUNTS, _ORDER = 0x20, 0x10, 0x04  # flags of a header of version 2

Block = tuple[int, int]  # offset, length


def read_raw_attributes(source: Source, address: int) -> dict[bytes, bytes]:
    """Return the stored bytes of an object's attributes by their names; very large ones apart.

    Raises:
        MalformedError: the header breaks a rule of the format.
    """
    found: list[bytes] = []
    for kind, body in read_messages(source, address, ATTRIBUTE, ATTRIBUTE_INFO):
        if kind == ATTRIBUTE:
            found.append(body)
        else:
            heap, by_name, *_ = read_info(kind, body)
            found += read_attributes(source, heap, by_name)
    try:
        return dict(map(_read_attribute, found))
    except (struct.error, IndexError) as error:
        raise _broken(address) from error


def read_messages(source: Source, address: int, *kinds: int) -> list[tuple[int, bytes]]:
    """Return an object's messages of some kinds: the kind and the body of each.

    Raises:
        MalformedError: the header breaks a rule of the format.
    """
    try:
        return [message for message in _messages(source, address) if message[0] in kinds]
    except (struct.error, IndexError) as error:
        raise _broken(address) from error


def read_info(kind: int, body: bytes) -> list[int]:
    """Return where the many links or attributes of an object are that does not hold them itself.

    That is a heap, the tree of their names, and that of their order where it is kept.
    """
    flags = body[1] if len(body) > 1 else 0
    begin = 2 + (8 if kind == LINK_INFO else 2) * bool(flags & 1)  # behind the largest order
    end = begin + 16 + 8 * bool(flags & 2)
    places = (body[place : place + 8] for place in range(begin, end, 8))
    return [int.from_bytes(place, "little") for place in places]


def _broken(address: int) -> MalformedError:
    return MalformedError("HDF5: a broken header", where=f"offset {address}")


def _read_attribute(body: bytes) -> tuple[bytes, bytes]:
    version, _, *sizes = _ATTRIBUTE.unpack_from(body)
    begin = _ATTRIBUTE.size + (version > 2)  # the character set
    name = body[begin : begin + sizes[0]]
    for size in sizes:
        begin += -(-size // 8) * 8 if version == 1 else size
    return name.rstrip(b"\0"), body[begin:]


def _messages(source: Source, address: int) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the body of each message."""
    prefix = source.read(address, min(40, source.size - address))
    flags = prefix[5] if prefix.startswith(b"OHDR") else None
    blocks = [_first_block(prefix, address, flags)]
    left = MAX_HEADER
    while blocks:
        offset, length = blocks.pop()
        left -= length
        if left < 0:
            raise MalformedError("HDF5: a header that is too long", where=f"offset {address}")
        for kind, body in _split(source.read(offset, length), flags):
            if kind == CONTINUATION:
                offset, length = _PLACE.unpack_from(body)
                # in version 2 it has a signature and a checksum around it
                blocks.append((offset, length) if flags is None else (offset + 4, length - 8))
            yield kind, body


def _first_block(prefix: bytes, address: int, flags: int | None) -> Block:
    if flags is None:
        return address + _PREFIX1.size, _PREFIX1.unpack_from(prefix)[3]
    place = 6 + 16 * bool(flags & _TIMES) + 4 * bool(flags & _COUNTS)
    width = 1 << (flags & 3)
    return address + place + width, int.from_bytes(prefix[place : place + width], "little")


def _split(block: bytes, flags: int | None) -> Iterator[tuple[int, bytes]]:
    head = _MESSAGE1 if flags is None else _MESSAGE2
    after = 0 if flags is None else 2 * bool(flags & _ORDER)
    place = 0
    while place + head.size + after <= len(block):
        kind, size, _ = head.unpack_from(block, place)
        place += head.size + after
        yield kind, block[place : place + size]
        place += size
