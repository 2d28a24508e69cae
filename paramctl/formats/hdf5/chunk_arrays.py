"""Arrays by which newer datasets find their chunks; checked before they serve.

The library goes through as many elements as a header says, and divides by what it says of blocks.
Source: HDF5 File Format Specification 3.0, sections VII.C, "The Fixed Array Index", and VII.D, "The
Extensible Array Index".
"""

import struct

from paramctl.errors import MalformedError
from paramctl.sources import Source

MAX_SPARSE = 1_000_000  # elements that there may be beside those that take bytes

_FIXED = struct.Struct("<4s2xBxQ")  # signature; bytes of an element; how many there are
_EXTENSIBLE = struct.Struct("<4s2x6B32x2Q")
"""Signature; bytes of an element; bits of their number; elements in the first block, in the least;
pointers in the least; bits of a page; elements up to the last one set, and those that are stored.
"""


def check_fixed(source: Source, address: int) -> None:
    """Check the header of an array of as many elements as there are chunks.

    Raises:
        MalformedError: they are more than the file has bytes for.
    """
    signature, size, count = _FIXED.unpack(source.read(address, _FIXED.size))
    if signature != b"FAHD" or not size or count * size > source.size:
        raise _broken(address)


def check_extensible(source: Source, address: int) -> None:
    """Check the header of an array that grows.

    Raises:
        MalformedError: its elements are more than the file has bytes for, or its blocks empty.
    """
    found = _EXTENSIBLE.unpack(source.read(address, _EXTENSIBLE.size))
    signature, size, bits, *blocks, last, stored = found
    if signature != b"EAHD" or not size or bits > 64 or not all(blocks):
        raise _broken(address)
    if stored * size > source.size or last > max(source.size, MAX_SPARSE):
        raise _broken(address)


def _broken(address: int) -> MalformedError:
    return MalformedError("HDF5: a broken array of chunks", where=f"offset {address}")
