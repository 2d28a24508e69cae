"""Numbers and strings of a file, one behind the other, each checked against the bytes left."""

import struct

from paramctl.doors import option
from paramctl.errors import AGAIN, LimitError, MalformedError
from paramctl.formats.utf8 import decode_utf8
from paramctl.sources import Source

FIRST = 1 << 16  # bytes that are read at first: the header of a model without a vocabulary
WINDOW = 1 << 22  # bytes that are read at once at the most, save for what is longer
LENGTH_BYTES = 8  # of a string


class Cursor:
    """Reads a file from a position on, no further than `limit`, with few bytes of it in memory.

    `position` is where it stands, `order` struct's mark of the byte order.
    """

    def __init__(self, source: Source, limit: int, position: int = 0, order: str = "<") -> None:
        self.source = source
        self.position = position
        self.order = order
        self._limit = limit
        self._start, self._window = position, b""  # where the bytes in memory lie, and they

    @property
    def left(self) -> int:
        """The bytes behind here."""
        return self.source.size - self.position

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
        window, place = self._look(count)
        self.position += count
        return window[place : place + count]

    def skip(self, count: int) -> None:
        """Pass by bytes, which must be there as those that are taken."""
        self.position += count
        self._look(0)

    def string(self, what: str) -> str:
        """Return a string, which must be UTF-8."""
        return decode_utf8(self.take(self.number("Q")), what)

    def strings(self, count: int) -> list[str]:
        """Return strings, what is no UTF-8 in them as escapes.

        A vocabulary has 300,000, so each step counts, here and where they are skipped.
        """
        unpack = struct.Struct(f"{self.order}Q").unpack_from
        window, place = self._look(0)
        found = []
        for _ in range(count):
            if place + LENGTH_BYTES > len(window):
                window, place = self._look_on(place, LENGTH_BYTES)
            length = LENGTH_BYTES + unpack(window, place)[0]
            if place + length > len(window):
                window, place = self._look_on(place, length)
            text = window[place + LENGTH_BYTES : place + length]
            found.append(text.decode("utf-8", "backslashreplace"))
            place += length
        self._look_on(place, 0)
        return found

    def skip_strings(self, count: int) -> None:
        """Pass by strings, each of which must lie in the file."""
        unpack = struct.Struct(f"{self.order}Q").unpack_from
        window, place = self._look(0)
        for _ in range(count):
            if place + LENGTH_BYTES > len(window):
                window, place = self._look_on(place, LENGTH_BYTES)
            place += LENGTH_BYTES + unpack(window, place)[0]
        self._look_on(place, 0)

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

    def _look_on(self, place: int, count: int) -> tuple[bytes, int]:
        """Go to a place of the window, or behind it, and look from there."""
        self.position = self._start + place
        return self._look(count)

    def _look(self, count: int) -> tuple[bytes, int]:
        """Have the next bytes in memory; return a window that they are in, and their place."""
        place, end = self.position - self._start, self.position + count
        if place + count <= len(self._window):
            return self._window, place
        if end > self.source.size:
            raise MalformedError(
                f"truncated: the header needs {end} bytes or more, the file has {self.source.size}",
                hint=AGAIN,
            )
        if end > self._limit:
            raise LimitError(
                f"header of more than {self._limit} bytes",
                hint=(option("max_header_bytes", max(end, 2 * self._limit)), " reads more of it"),
            )
        self._slide(place, max(count, FIRST, min(2 * len(self._window), WINDOW)))
        return self._window, 0

    def _slide(self, place: int, wanted: int) -> None:
        """Let the window begin at a place of it, or behind it, and read on as far as allowed."""
        known = self._window[place:]
        self._start = self.position
        start = self.position + len(known)
        end = min(self.position + wanted, self.source.size, self._limit)
        self._window = known + self.source.read(start, end - start)
