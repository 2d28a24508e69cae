"""The superblock, with which an HDF5 file begins, and the user block that may be before it.

MATLAB's files have a user block of 512 bytes. Source: HDF5 File Format Specification 3.0, section
II.A.
"""

from itertools import count, takewhile

from paramctl.derived import Derived
from paramctl.errors import MalformedError
from paramctl.formats.sniffing import HDF5_MAGIC
from paramctl.sources import Source

LEAST_USER_BLOCK = 512  # bytes; any other is twice as long as the next shorter one
MOST = 96  # bytes that a superblock takes
FIELDS = ((13, 64), (13, 68), (9, 36))
"""Of versions 0, 1, and 2 and later: where in it the bytes of addresses and sizes stand, and the
address of the root group's header."""


def find_superblock(source: Source) -> int | None:
    """Return where the superblock is that the library would find; None where there is none."""
    user_blocks = (LEAST_USER_BLOCK << doubled for doubled in count())
    places = [0, *takewhile(lambda place: place < source.size, user_blocks)]
    return next((place for place in places if _begins_at(place, source)), None)


def open_superblock(source: Source) -> tuple[Source, int]:
    """Return the file without its user block, and where in it the root group's header is.

    All addresses count from the superblock on, as they do for the library: what is said of that in
    the file is no longer true where a program has put a user block before it, or taken it away.

    Raises:
        MalformedError: there is none, or addresses and sizes do not take 8 bytes.
    """
    begin = find_superblock(source)
    if begin is None:
        raise MalformedError("HDF5: no superblock")
    head = source.read(begin, min(source.size - begin, MOST)).ljust(MOST, b"\0")
    widths, root = FIELDS[min(head[8], len(FIELDS) - 1)]
    if head[widths : widths + 2] != b"\x08\x08":
        raise MalformedError("HDF5: of other addresses than any program writes")
    rest = Behind(source, begin) if begin else source
    return rest, int.from_bytes(head[root : root + 8], "little")


class Behind(Derived):
    """The bytes of a file from a place on."""

    def __init__(self, source: Source, begin: int) -> None:
        super().__init__(source.name, source.size - begin, [source])
        self._whole = source
        self._begin = begin

    def _read(self, offset: int, length: int) -> bytes:
        return self._whole.read(self._begin + offset, length)

    def locate(self, offset: int) -> tuple[Source, int]:
        """Return the source that holds the bytes from `offset` on as they are, and where."""
        return self._whole.locate(self._begin + offset)


def _begins_at(place: int, source: Source) -> bool:
    return source.read(place, min(len(HDF5_MAGIC), source.size - place)) == HDF5_MAGIC
