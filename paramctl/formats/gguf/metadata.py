"""The metadata of a GGUF file: keys with numbers, strings, and lists of these.

Lists are checked and left where they are: a vocabulary takes 300,000 strings, and few look at it.
"""

import struct
from typing import Any

from paramctl.errors import LimitError
from paramctl.formats.gguf.cursor import LENGTH_BYTES, Cursor
from paramctl.lists import LazyList

KINDS = "BbHhIif?\0\0Qqd"  # struct's of the types of numbers, by what stands for them in a file
UINT32, BOOL, STRING, LIST = 4, 7, 8, 9
ALIGNMENT = "general.alignment"
MIN_PAIR = 14  # bytes: of a key of one, and a number of one
MAX_PAIRS = 100_000  # large models have about fifty
MAX_ITEMS = 1 << 22  # of a list; a large vocabulary has 300,000


def read_metadata(cursor: Cursor, count: int) -> dict[str, Any]:
    """Read so many keys and their values.

    Raises:
        MalformedError: a key is given twice, or a value breaks a rule of the format.
        LimitError: there are very many of them, or of a list's items.
    """
    cursor.check_count(count, MIN_PAIR, "pairs of metadata")
    if count > MAX_PAIRS:
        raise LimitError(f"{count} pairs of metadata, over the limit of {MAX_PAIRS}")
    metadata: dict[str, Any] = {}
    for _ in range(count):
        key = cursor.string("a key of the metadata")
        if not key or key in metadata:
            raise cursor.error(f"the metadata has the key '{key}' twice" if key else "an empty key")
        kind = cursor.number("I")
        if key == ALIGNMENT and kind != UINT32:
            raise cursor.error(f"{ALIGNMENT} is of the type {kind}, not of {UINT32}")
        metadata[key] = _read_value(cursor, key, kind)
    return metadata


def _read_value(cursor: Cursor, key: str, kind: int) -> Any:
    if kind == LIST:
        kind, count = cursor.numbers("IQ")
        return _find_list(cursor, key, kind, count)
    _check_kind(cursor, key, kind, 1)
    return _read_items(cursor, key, kind, 1)[0]


def _check_kind(cursor: Cursor, key: str, kind: int, count: int) -> None:
    """Check that there are values of this kind, and may be so many of them."""
    if kind == LIST:
        raise cursor.error(f"'{key}' is a list of lists")
    if kind >= len(KINDS) or (kind != STRING and KINDS[kind] == "\0"):
        raise cursor.error(f"'{key}' is of the unknown type {kind}")
    cursor.check_count(count, _size(kind), f"items of '{key}'")
    if count > MAX_ITEMS:
        raise LimitError(f"'{key}' has {count} items, over the limit of {MAX_ITEMS}")


def _size(kind: int) -> int:
    """Return the bytes that a value of this kind takes, at the least."""
    return LENGTH_BYTES if kind == STRING else struct.calcsize(f"<{KINDS[kind]}")


def _find_list(cursor: Cursor, key: str, kind: int, count: int) -> LazyList:
    """Check values of one kind and pass by them; those of a file that is far are read at once."""
    _check_kind(cursor, key, kind, count)
    source, start = cursor.source, cursor.position
    if source.is_far:
        items = _read_items(cursor, key, kind, count)
        return LazyList(count, lambda: items)
    _skip_items(cursor, key, kind, count)
    end, order = cursor.position, cursor.order
    return LazyList(count, lambda: _read_items(Cursor(source, end, start, order), key, kind, count))


def _skip_items(cursor: Cursor, key: str, kind: int, count: int) -> None:
    if kind == STRING:
        cursor.skip_strings(count)
    elif kind == BOOL:
        _check_bools(cursor, key, cursor.take(count))
    else:
        cursor.skip(count * _size(kind))


def _read_items(cursor: Cursor, key: str, kind: int, count: int) -> list[Any]:
    if kind == STRING:
        return cursor.strings(count)
    data = cursor.take(count * _size(kind))
    if kind == BOOL:
        _check_bools(cursor, key, data)
    return list(struct.unpack(f"{cursor.order}{count}{KINDS[kind]}", data))


def _check_bools(cursor: Cursor, key: str, data: bytes) -> None:
    if data.strip(b"\0\1"):
        raise cursor.error(f"'{key}' is neither true nor false")
