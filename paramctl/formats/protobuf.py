"""Protocol buffers, read a field at a time: bytes and messages are passed by, wherever they lie.

Source: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import NamedTuple

from paramctl.doors import option
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.utf8 import decode_utf8
from paramctl.sources import Source

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # the wire types
WIDTHS = {FIXED64: 8, FIXED32: 4}
MAX_VARINT = 10  # bytes
WINDOW = 1 << 12  # bytes that are read at a time


class Field(NamedTuple):
    """A field: `value` is that of a varint; the others' bytes are `nbytes` from `offset` on."""

    number: int
    wire: int
    value: int
    offset: int
    nbytes: int

    @property
    def signed(self) -> int:
        """The value of an int64."""
        return _signed(self.value)


class Reader:
    """Reads messages of a source, and in all no more than `max_text` bytes of text in them."""

    def __init__(self, source: Source, max_text: int) -> None:
        self.source = source
        self._left = max_text
        self._window, self._start, self._safe = b"", 0, 0

    def fields(self, begin: int, nbytes: int) -> Iterator[Field]:
        """Yield the fields of the message that fills these bytes.

        Raises:
            MalformedError: a field is of no known kind, or ends behind the message.
        """
        position, end = begin, begin + nbytes
        while position < end:
            tag, start = self._varint(position, end)
            number, wire = tag >> 3, tag & 7
            value = length = 0
            if wire == VARINT:
                value, position = self._varint(start, end)
            elif wire == BYTES:
                length, start = self._varint(start, end)
                position = start + length
            elif wire in WIDTHS:
                length = WIDTHS[wire]
                position = start + length
            else:
                raise _wrong(f"a field of the kind {wire}", position)
            if not number or position > end:
                what = f"truncated: {length} bytes are needed, {end - start} are left"
                raise _wrong(what if number else "a field without a number", start)
            yield Field(number, wire, value, start, length)

    def message(self, field: Field) -> Iterator[Field]:
        """Yield the fields of a message that is a field itself."""
        if field.wire != BYTES:
            raise _wrong(f"field {field.number} is no message", field.offset)
        return self.fields(field.offset, field.nbytes)

    def text(self, field: Field) -> str:
        """Return a field's text.

        Raises:
            MalformedError: it is none, or not UTF-8.
            LimitError: all texts together are too long.
        """
        if field.wire != BYTES:
            raise _wrong(f"field {field.number} is no text", field.offset)
        self._left -= field.nbytes
        if self._left < 0:
            hint = (option("max_header_bytes"), " takes more")
            raise LimitError("the names and texts are too long", hint=hint)
        return decode_utf8(self._take(field.offset, field.nbytes), f"field {field.number}")

    def varints(self, field: Field) -> Iterator[int]:
        """Yield the numbers of a field, which may hold several."""
        if field.wire == VARINT:
            yield field.signed
            return
        position, end = field.offset, field.offset + field.nbytes
        while position < end:
            value, position = self._varint(position, end)
            yield _signed(value)

    def _take(self, offset: int, nbytes: int) -> bytes:
        begin = offset - self._start
        if begin >= 0 and begin + nbytes <= len(self._window):
            return self._window[begin : begin + nbytes]
        return self.source.read(offset, nbytes)

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """Return a number, and where it ends: most have one byte, and a graph a million of them."""
        if position >= end:
            raise _wrong("truncated", position)
        at = position - self._start
        if not 0 <= at < self._safe:
            self._fill(position)
            at = 0
        if (byte := self._window[at]) < 0x80:
            return byte, position + 1
        value = 0
        for place, byte in enumerate(self._window[at : at + min(MAX_VARINT, end - position)]):
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80 and not value >> 64:
                return value, position + place + 1
        what = "a number of more than 64 bits" if end - position >= MAX_VARINT else "truncated"
        raise _wrong(what, position)

    def _fill(self, position: int) -> None:
        """Read what follows; a number that begins before `_safe` is in it whole."""
        length = min(WINDOW, self.source.size - position)
        self._window, self._start = self.source.read(position, length), position
        is_last = position + length == self.source.size
        self._safe = length if is_last else length - MAX_VARINT


def _signed(value: int) -> int:
    """Return the int64 that 64 bits are."""
    return value - (value >> 63 << 64)


def _wrong(what: str, offset: int) -> MalformedError:
    return MalformedError(f"protobuf: {what}", where=f"offset {offset}")
