"""How many bytes a chunk unpacks to: the library takes it for what the shape says, and reads on.

Source: HDF5 File Format Specification 3.0, section IV.A.2.l; h5py/lzf/lzf/lzf_d.c.
"""

import zlib
from collections.abc import Callable
from typing import Any

from paramctl.errors import MalformedError

DEFLATE, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32_000  # the filters that h5py writes
CHECKSUM = 4  # bytes that FLETCHER32 puts behind
PIECE = 1 << 20  # bytes that are inflated at a time, to count them


def read_filters(properties: Any) -> list[int]:
    """Return the codes of a dataset's filters, in the order in which they packed it."""
    return [properties.get_filter(place)[0] for place in range(properties.get_nfilters())]


def find_strange(properties: Any) -> str:
    """Return a filter of a dataset that h5py does not write, or not so; "" where there is none."""
    before: set[int] = set()
    for place in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(place)
        packs = code in COUNTS and not before.isdisjoint(COUNTS)
        if code not in (SHUFFLE, FLETCHER32, *COUNTS) or code in before or packs:
            return f"'{name.decode('utf-8', 'backslashreplace')}', filter {code}"
        before.add(code)
    return ""


def measure(chunk: bytes, filters: list[int], skipped: int, most: int) -> int:
    """Return how many bytes a chunk unpacks to; of more than `most`, only some number above it.

    `skipped` has a bit for each filter that was not used.

    Raises:
        MalformedError: it does not unpack.
    """
    size = len(chunk)
    for place, code in reversed([*enumerate(filters)]):
        if skipped >> place & 1 or code == SHUFFLE:
            continue
        if code == FLETCHER32:
            size -= CHECKSUM
        else:
            size = COUNTS[code](chunk[: max(size, 0)], most + CHECKSUM)
    return size


def _count_inflated(packed: bytes, most: int) -> int:
    inflater, count = zlib.decompressobj(), 0
    while packed and not inflater.eof and count <= most:
        try:
            count += len(inflater.decompress(packed, PIECE))
        except zlib.error as error:
            raise MalformedError(f"a chunk does not inflate: {error}") from error
        packed = inflater.unconsumed_tail
    return count


def _count_lzf(packed: bytes, most: int) -> int:
    """Count as `lzf_decompress` writes: runs of bytes, and copies of what was written before."""
    place = count = 0
    while place < len(packed) and count <= most:
        control = packed[place]
        if control < 32:
            place, count = place + control + 2, count + control + 1
            continue
        is_long = control >= 0xE0
        count += (control >> 5) + 2 + (packed[place + 1 : place + 2] or b"\0")[0] * is_long
        place += 2 + is_long
    if place > len(packed):
        raise MalformedError("a chunk of LZF is cut short")
    return count


COUNTS: dict[int, Callable[[bytes, int], int]] = {DEFLATE: _count_inflated, LZF: _count_lzf}
