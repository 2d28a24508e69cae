"""The CRC-32 of bytes whose parts are summed up by themselves, by any thread, and put together.

Source: zlib 1.3.1, crc32.c, `crc32_combine64`.
"""

from functools import lru_cache
from zlib import crc32

POLYNOMIAL = 0xEDB88320  # all polynomials have the term of the lowest degree in the highest bit
ONE, X8 = 1 << 31, 1 << 23  # the polynomials 1 and x^8
LENGTHS = 1 << 10  # of which it is kept what they do


class Checksum:
    """The CRC-32 of parts added in order."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        self.value = crc32(data, self.value)

    def add(self, value: int, nbytes: int) -> None:
        """Take in the CRC-32 of the next bytes."""
        self.value = _multiply(_power(nbytes), self.value) ^ value if self.value else value


@lru_cache(LENGTHS)
def _power(nbytes: int) -> int:
    """Return the polynomial that moves a remainder so many bytes up: x^(8 nbytes)."""
    power, square = ONE, X8
    while nbytes:
        if nbytes & 1:
            power = _multiply(power, square)
        square = _multiply(square, square)
        nbytes >>= 1
    return power


def _multiply(left: int, right: int) -> int:
    """Return the product of two polynomials of bits, modulo that of CRC-32."""
    product = 0
    while left:
        if left & ONE:
            product ^= right
        left = left << 1 & 0xFFFFFFFF
        right = right >> 1 ^ (POLYNOMIAL if right & 1 else 0)
    return product
