"""Pickles of protocol 2: their opcodes, and the memo of what is named again.

Source: CPython's Lib/pickle.py.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

BATCH = 1000  # items that one opcode adds to a dictionary
KEPT = 1 << 10  # opcodes of names and numbers, which come again
SHORT_TUPLES = (b")", b"\x85", b"\x86", b"\x87")

Item = TypeVar("Item")


class Pickler:
    """What is written so far, and the places in the memo of what may be named again."""

    def __init__(self) -> None:
        self.data = bytearray(b"\x80\x02")
        self._places: dict[bytes, bytes] = {}  # what makes a value -> what leads to it
        self._count = 0  # of the memo's places, most of which nothing leads to

    def items(self, items: Sequence[Item], write: Callable[[Item], None]) -> None:
        """Write the items of a dictionary, each of which `write` writes."""
        if len(items) == 1:
            write(items[0])
            self.data += b"s"
        elif items:
            for start in range(0, len(items) + 1, BATCH):  # behind a full batch comes an empty one
                self.data += b"("
                for item in items[start : start + BATCH]:
                    write(item)
                self.data += b"u"

    def name(self, module: str, name: str) -> None:
        """Write a class or function by its name."""
        self.once(_name(module, name))

    def integers(self, numbers: tuple[int, ...]) -> None:
        """Write a tuple; the empty one is not in the memo."""
        if numbers:
            self.put(_integers(numbers))
        else:
            self.data += SHORT_TUPLES[0]

    def once(self, opcodes: bytes) -> None:
        """Write something for the first time, or lead to where it is in the memo."""
        known = self._places.get(opcodes)
        if known is None:
            self._places[opcodes] = _indexed(b"hj", self._count)
            self.put(opcodes)
        else:
            self.data += known

    def put(self, opcodes: bytes) -> None:
        """Write what makes a value, and put it into the memo."""
        self.data += opcodes + _indexed(b"qr", self._count)
        self._count += 1


def _indexed(opcodes: bytes, place: int) -> bytes:
    """Return the shorter of two opcodes that can name a place in the memo."""
    if place < 1 << 8:
        return opcodes[:1] + place.to_bytes(1, "little")
    return opcodes[1:] + place.to_bytes(4, "little")


@lru_cache(KEPT)
def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


@lru_cache(KEPT)
def _integers(numbers: tuple[int, ...]) -> bytes:
    """Return the opcodes of a tuple of numbers, one at least."""
    opcodes = b"".join(map(integer, numbers))
    if len(numbers) < len(SHORT_TUPLES):
        return opcodes + SHORT_TUPLES[len(numbers)]
    return b"(" + opcodes + b"t"


def text(value: str) -> bytes:
    """Return the opcode of a text."""
    encoded = value.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


@lru_cache(KEPT)
def integer(number: int) -> bytes:
    """Return the shortest opcode that holds a number of 0 or more."""
    for opcode, nbytes, bits in ((b"K", 1, 8), (b"M", 2, 16), (b"J", 4, 31)):
        if number < 1 << bits:
            return opcode + number.to_bytes(nbytes, "little")
    nbytes = number.bit_length() // 8 + 1
    return b"\x8a" + bytes((nbytes,)) + number.to_bytes(nbytes, "little")
