"""The metadata of a GGUF file: keys with numbers, strings, and lists of these."""

import struct
from typing import Any

from paramctl.errors import LimitError
from paramctl.formats.gguf.cursor import LENGTH_BYTES, Cursor

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
        return _read_list(cursor, key, kind, count)
    return _read_list(cursor, key, kind, 1)[0]


def _read_list(cursor: Cursor, key: str, kind: int, count: int) -> list[Any]:
    """Read values of one kind."""
    if kind == LIST:
        raise cursor.error(f"'{key}' is a list of lists")
    code = KINDS[kind] if kind < len(KINDS) else "\0"
    if kind != STRING and code == "\0":
        raise cursor.error(f"'{key}' is of the unknown type {kind}")
    size = LENGTH_BYTES if kind == STRING else struct.calcsize(f"<{code}")
    cursor.check_count(count, size, f"items of '{key}'")
    if count > MAX_ITEMS:
        raise LimitError(f"'{key}' has {count} items, over the limit of {MAX_ITEMS}")
    if kind == STRING:
        return cursor.strings(count)
    data = cursor.take(count * size)
    if kind == BOOL and data.strip(b"\0\1"):
        raise cursor.error(f"'{key}' is neither true nor false")
    return list(struct.unpack(f"{cursor.order}{count}{code}", data))
