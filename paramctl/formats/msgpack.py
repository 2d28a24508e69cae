"""MessagePack, read without its bytes and extensions: of them only where they lie.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

import struct
from typing import NamedTuple

from paramctl.errors import LimitError, MalformedError
from paramctl.formats.pickles import Dict
from paramctl.formats.utf8 import decode_utf8
from paramctl.sources import Source

MAX_DEPTH = 128  # maps and arrays in one another
MAX_VALUES = 10_000_000  # a state of 100,000 arrays has 300,000
MAX_TEXT = 1 << 24  # bytes of one text
WINDOW = 1 << 12  # bytes that are read at a time: arrays are passed by

CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
NUMBERS = {0xCA + place: struct.Struct(f">{code}") for place, code in enumerate("fdBHIQbhiq")}
SIZED = {  # first byte -> what it begins, and the bytes of the length behind
    first + place: (kind, width)
    for kind, first, widths in (
        ("bytes", 0xC4, (1, 2, 4)),
        ("extension", 0xC7, (1, 2, 4)),
        ("text", 0xD9, (1, 2, 4)),
        ("list", 0xDC, (2, 4)),
        ("map", 0xDE, (2, 4)),
    )
    for place, width in enumerate(widths)
}


class Binary(NamedTuple):
    """Bytes that were passed by; `code` is that of an extension, None of plain ones."""

    offset: int
    nbytes: int
    code: int | None


class Reader:
    """Reads one value after the other from `offset` on, up to `end`."""

    def __init__(self, source: Source, offset: int, end: int) -> None:
        self.offset = offset
        self._source = source
        self._end = end
        self._values = MAX_VALUES
        self._window, self._start = b"", offset

    def read_all(self) -> object:
        """Return the one value that must fill the bytes.

        A map becomes a Dict, an array a list, bytes and extensions a Binary.

        Raises:
            MalformedError: it breaks a rule of the format, a key is no text or given twice.
            LimitError: it is nested too deeply, or has too many values.
        """
        value = self._value(0)
        if self.offset != self._end:
            raise self._wrong(f"{self._end - self.offset} bytes after its end")
        return value

    def _value(self, depth: int) -> object:
        self._values -= 1
        if self._values < 0 or depth > MAX_DEPTH:
            what = f"nested over {MAX_DEPTH} deep" if self._values > 0 else "too many values"
            raise LimitError(f"msgpack: {what}", where=f"offset {self.offset}")
        code = self._take(1)[0]
        if code in NUMBERS:
            return NUMBERS[code].unpack(self._take(NUMBERS[code].size))[0]
        if code in CONSTANTS:
            return CONSTANTS[code]
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        kind, length = self._size(code)
        if kind == "map":
            return self._map(length, depth)
        if kind == "list":
            self._check(length)
            return [self._value(depth + 1) for _ in range(length)]
        return self._text(length) if kind == "text" else self._binary(kind, length)

    def _size(self, code: int) -> tuple[str, int]:
        """Return what a byte begins, and its length: elements, pairs or bytes."""
        if code < 0xC0:
            short = (("map", 15), ("list", 15), ("text", 31), ("text", 31))
            kind, mask = short[(code >> 4) - 8]
            return kind, code & mask
        if 0xD4 <= code <= 0xD8:
            return "extension", 1 << (code - 0xD4)
        if code not in SIZED:
            raise self._wrong(f"no value begins with the byte 0x{code:02x}")
        kind, width = SIZED[code]
        return kind, int.from_bytes(self._take(width), "big")

    def _map(self, length: int, depth: int) -> Dict:
        self._check(2 * length)
        made, seen = Dict(), set()
        for _ in range(length):
            key = self._value(depth + 1)
            if not isinstance(key, str):
                raise self._wrong("a key that is no text")
            if key in seen:
                raise self._wrong(f"the key '{key}' is given twice")
            seen.add(key)
            made.pairs.append((key, self._value(depth + 1)))
        return made

    def _text(self, length: int) -> str:
        if length > MAX_TEXT:
            raise LimitError(f"msgpack: a text of {length} bytes", where=f"offset {self.offset}")
        return decode_utf8(self._take(length), "a msgpack text")

    def _binary(self, kind: str, length: int) -> Binary:
        code = self._take(1)[0] if kind == "extension" else None
        self._check(length)
        self.offset += length
        return Binary(self.offset - length, length, code)

    def _check(self, nbytes: int) -> None:
        """Check that there are so many bytes left: a value takes one at the least."""
        if nbytes > self._end - self.offset:
            left = self._end - self.offset
            raise self._wrong(f"truncated: {nbytes} bytes are needed, {left} are left")

    def _take(self, nbytes: int) -> bytes:
        self._check(nbytes)
        begin = self.offset - self._start
        if begin + nbytes > len(self._window):
            length = min(max(nbytes, WINDOW), self._end - self.offset)
            self._window, self._start = self._source.read(self.offset, length), self.offset
            begin = 0
        self.offset += nbytes
        return self._window[begin : begin + nbytes]

    def _wrong(self, what: str) -> MalformedError:
        return MalformedError(f"msgpack: {what}", where=f"offset {self.offset}")
