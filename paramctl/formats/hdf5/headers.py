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
OPENING = 512  # bytes that are read at once, in which most headers lie whole

_PREFIX1 = struct.Struct("<BxHLL4x")
_MESSAGE1 = struct.Struct("<HHB3x")
_MESSAGE2 = struct.Struct("<BHB")
_PLACE = struct.Struct("<2Q")
_ATTRIBUTE = struct.Struct("<2B3H")
_TIMES, _COUNTS, _ORDER = 0x20, 0x10, 0x04  # flags of a header of version 2

Block = tuple[int, int]  # offset, length
Message = tuple[int, bytes]  # its kind, its body


def read_header(source: Source, address: int) -> list[Message]:
    """Return the messages of an object whose header is at `address`.

    Raises:
        MalformedError: the header breaks a rule of the format.
    """
    try:
        return list(_messages(source, address))
    except (struct.error, IndexError) as error:
        raise MalformedError("HDF5: a broken header", where=f"offset {address}") from error


def read_raw_attributes(source: Source, header: list[Message]) -> dict[bytes, bytes]:
    """Return the stored bytes of an object's attributes by their names; very large ones apart.

    Raises:
        MalformedError: the header breaks a rule of the format.
    """
    found: list[bytes] = []
    for kind, body in header:
        if kind == ATTRIBUTE:
            found.append(body)
        elif kind == ATTRIBUTE_INFO:
            heap, by_name, *_ = read_info(kind, body)
            found += read_attributes(source, heap, by_name)
    try:
        return dict(map(_read_attribute, found))
    except (struct.error, IndexError) as error:
        raise MalformedError("HDF5: a broken attribute") from error


def read_info(kind: int, body: bytes) -> list[int]:
    """Return where the many links or attributes of an object are that does not hold them itself.

    That is a heap, the tree of their names, and that of their order where it is kept.
    """
    flags = body[1] if len(body) > 1 else 0
    begin = 2 + (8 if kind == LINK_INFO else 2) * bool(flags & 1)  # behind the largest order
    end = begin + 16 + 8 * bool(flags & 2)
    places = (body[place : place + 8] for place in range(begin, end, 8))
    return [int.from_bytes(place, "little") for place in places]


def _read_attribute(body: bytes) -> tuple[bytes, bytes]:
    version, _, *sizes = _ATTRIBUTE.unpack_from(body)
    begin = _ATTRIBUTE.size + (version > 2)  # the character set
    name = body[begin : begin + sizes[0]]
    for size in sizes:
        begin += -(-size // 8) * 8 if version == 1 else size
    return name.rstrip(b"\0"), body[begin:]


def _messages(source: Source, address: int) -> Iterator[Message]:
    opening = source.read(address, min(OPENING, source.size - address))
    flags = opening[5] if opening.startswith(b"OHDR") else None
    blocks = [_first_block(opening, address, flags)]
    left = MAX_HEADER
    while blocks:
        offset, length = blocks.pop()
        left -= length
        if left < 0:
            raise MalformedError("HDF5: a header that is too long", where=f"offset {address}")
        begin = offset - address
        is_read = begin >= 0 and begin + length <= len(opening)
        block = opening[begin : begin + length] if is_read else source.read(offset, length)
        for kind, body in _split(block, flags):
            if kind == CONTINUATION:
                offset, length = _PLACE.unpack_from(body)
                # in version 2 it has a signature and a checksum around it
                blocks.append((offset, length) if flags is None else (offset + 4, length - 8))
            yield kind, body


def _first_block(opening: bytes, address: int, flags: int | None) -> Block:
    if flags is None:
        return address + _PREFIX1.size, _PREFIX1.unpack_from(opening)[3]
    place = 6 + 16 * bool(flags & _TIMES) + 4 * bool(flags & _COUNTS)
    width = 1 << (flags & 3)
    return address + place + width, int.from_bytes(opening[place : place + width], "little")


def _split(block: bytes, flags: int | None) -> Iterator[Message]:
    head = _MESSAGE1 if flags is None else _MESSAGE2
    after = 0 if flags is None else 2 * bool(flags & _ORDER)
    place = 0
    while place + head.size + after <= len(block):
        kind, size, _ = head.unpack_from(block, place)
        place += head.size + after
        yield kind, block[place : place + size]
        place += size
