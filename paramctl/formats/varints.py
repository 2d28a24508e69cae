"""Numbers that are stored in as many bytes as each needs, as a source of numbers of one width.

Source: https://protobuf.dev/programming-guides/encoding, base 128 varints.
"""

from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any

from paramctl.derived import Derived
from paramctl.errors import MalformedError
from paramctl.formats.protobuf import MAX_VARINT
from paramctl.sources import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1 << 20  # bytes that are decoded at a time


class Varints(Derived):
    """The numbers in `packed`, `count` of them, each in a type of numpy's such as `<i2`."""

    whole = True

    def __init__(self, packed: Source, count: int, element: str) -> None:
        super().__init__(packed.name, count * int(element[2:]), [packed])
        self._packed = packed
        self._count = count
        self._element = element
        self._lock = Lock()
        self._decoded: bytes | None = None

    def _read(self, offset: int, length: int) -> bytes:
        with self._lock:
            if self._decoded is None:
                self._decoded = self._decode()
            return self._decoded[offset : offset + length]

    def release(self) -> None:
        """Forget the decoded numbers."""
        with self._lock:
            self._decoded = None
        super().release()

    def _decode(self) -> bytes:
        import numpy as np  # noqa: PLC0415 (for values only)

        element = np.dtype(self._element)
        parts = []
        for numbers in self._blocks():
            wide = numbers.view(np.int64) if element.kind == "i" else numbers
            narrow = wide.astype(element)
            if (narrow.astype(wide.dtype) != wide).any():
                raise self._wrong(f"a number that is out of {element.name}'s range")
            parts.append(narrow.tobytes())
        decoded = b"".join(parts)
        if len(decoded) != self.size:
            raise self._wrong(f"{len(decoded) // element.itemsize} numbers, not {self._count}")
        return decoded

    def _blocks(self) -> Iterator["NDArray[np.uint64]"]:
        """Yield the numbers, as many at a time as end in a block."""
        import numpy as np  # noqa: PLC0415 (for values only)

        rest = b""
        for begin in range(0, self._packed.size, BLOCK):
            length = min(BLOCK, self._packed.size - begin)
            data = np.frombuffer(rest + self._packed.read(begin, length), np.uint8)
            ends = np.flatnonzero(data < 0x80) + 1
            complete = int(ends[-1]) if ends.size else 0
            rest = data[complete:].tobytes()
            if len(rest) >= MAX_VARINT:
                break
            yield self._numbers(data, ends)
        if rest:
            raise self._wrong("a number that does not end")

    def _numbers(self, data: "NDArray[np.uint8]", ends: Any) -> "NDArray[np.uint64]":
        import numpy as np  # noqa: PLC0415 (for values only)

        starts = np.concatenate([[0], ends[:-1]]) if ends.size else ends
        widths = ends - starts
        if ends.size and widths.max() > MAX_VARINT:
            raise self._wrong("a number of more than 64 bits")
        numbers = np.zeros(ends.size, np.uint64)
        for place in range(int(widths.max()) if ends.size else 0):
            there = np.flatnonzero(widths > place)
            digits = (data[starts[there] + place] & 0x7F).astype(np.uint64)
            numbers[there] |= digits << np.uint64(7 * place)
        return numbers

    def _wrong(self, what: str) -> MalformedError:
        return MalformedError(f"packed numbers hold {what}", file=self.name)
