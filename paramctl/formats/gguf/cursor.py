"""Numbers and strings of a file, one behind the other, each checked against the bytes left."""

import struct

from paramctl.errors import LimitError, MalformedError
from paramctl.formats.utf8 import decode_utf8
from paramctl.sources import Source

FIRST = 1 << 16  # bytes that are read at first: the header of a model without a vocabulary
LENGTH_BYTES = 8  # of a string


class Cursor:
    """Reads a file from its beginning on, no further than `limit`.

    `position` is where it stands, `order` struct's mark of the byte order.
    """

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._data = b""
        self.position = 0
        self.order = "<"

    @property
    def left(self) -> int:
        """The bytes behind here."""
        return self._source.size - self.position

    def numbers(self, kinds: str) -> tuple[int, ...]:
        """Return numbers, each of one of struct's kinds."""
        layout = self.order + kinds
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def number(self, kind: str) -> int:
        """Return a number."""
        return self.numbers(kind)[0]

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            MalformedError: the file ends before.
            LimitError: they lie behind the limit.
        """
        start, self.position = self.position, self.position + count
        return self._up_to(self.position)[start : self.position]

    def string(self, what: str) -> str:
        """Return a string, which must be UTF-8."""
        return decode_utf8(self.take(self.number("Q")), what)

    def strings(self, count: int) -> list[str]:
        """Return strings, what is no UTF-8 in them as escapes.

        A vocabulary has 300,000, so each step counts.
        """
        unpack = struct.Struct(f"{self.order}Q").unpack_from
        data, position = self._data, self.position
        found = []
        for _ in range(count):
            if position + LENGTH_BYTES > len(data):
                data = self._up_to(position + LENGTH_BYTES)
            start = position + LENGTH_BYTES
            position = start + unpack(data, position)[0]
            if position > len(data):
                data = self._up_to(position)
            found.append(data[start:position].decode("utf-8", "backslashreplace"))
        self.position = position
        return found

    def check_count(self, count: int, nbytes: int, what: str) -> None:
        """Make sure that so many things of so many bytes, at the least, may be there.

        Raises:
            MalformedError: the file is too short for them.
        """
        if count * nbytes > self.left:
            raise self.error(
                f"the number of {what} is {count}: there are only {self.left} bytes for them"
            )

    def error(self, what: str) -> MalformedError:
        """Return an error that says where it is."""
        return MalformedError(what, where=f"offset {self.position}")

    def _up_to(self, end: int) -> bytes:
        """Return the file's bytes from its beginning up to `end` at the least."""
        if end <= len(self._data):
            return self._data
        if end > self._source.size:
            raise MalformedError(
                f"truncated: the header needs {end} bytes or more, the file has {self._source.size}"
            )
        if end > self._limit:
            raise LimitError(
                f"header of more than {self._limit} bytes",
                hint=f"--max-header-bytes {max(end, 2 * self._limit)} reads more of it",
            )
        wanted = min(max(end, FIRST, 2 * len(self._data)), self._source.size, self._limit)
        self._data += self._source.read(len(self._data), wanted - len(self._data))
        return self._data
