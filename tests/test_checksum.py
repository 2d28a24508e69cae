"""Checksums of parts are put together to zlib's of the whole."""

from itertools import accumulate
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from paramctl.writer.checksum import Checksum


@given(st.lists(st.binary(max_size=300)))
def test_checksums_of_parts_make_that_of_the_whole(parts: list[bytes]) -> None:
    checksum = Checksum()
    for part, whole in zip(parts, accumulate(parts), strict=True):
        checksum.add(crc32(part), len(part))
        assert checksum.value == crc32(whole)


def test_a_part_of_zeros_counts_by_its_length() -> None:
    checksum = Checksum(crc32(b"head"))
    for nbytes in (1 << 20, 0, 1, 12_345_678):
        checksum.add(crc32(bytes(nbytes)), nbytes)
    assert checksum.value == crc32(b"head" + bytes((1 << 20) + 1 + 12_345_678))
