"""JSON as a file format: what is ambiguous or not in the standard is an error."""

import json
from typing import Any, NoReturn

from paramctl.errors import MalformedError


def decode_utf8(data: bytes, what: str) -> str:
    """Decode strictly: `json.loads` would guess UTF-16 and take a byte order mark.

    Raises:
        MalformedError: `data` is not UTF-8; names the first wrong byte.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"{what} is not UTF-8: byte 0x{data[error.start]:02x}", where=f"offset {error.start}"
        ) from error


def load_json(data: bytes, what: str) -> Any:
    """Parse one JSON text (RFC 8259) with unique keys.

    Raises:
        MalformedError: not JSON, a key given twice, NaN or Infinity, nested too deeply.
    """
    text = decode_utf8(data, what)

    def refuse_constant(constant: str) -> NoReturn:
        raise MalformedError(f"{what} holds {constant}, which is not JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))
            raise MalformedError(f"{what} holds the key '{twice}' twice")
        return members

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse_constant)
    except RecursionError as error:
        raise MalformedError(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise MalformedError(f"{what} is not JSON: {error}") from error
