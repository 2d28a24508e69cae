"""JSON as a file format: what is ambiguous or not in the standard is an error."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from paramctl.errors import MalformedError
from paramctl.formats.utf8 import decode_utf8


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
            twice = _first_repeated(key for key, _ in pairs)
            raise MalformedError(f"{what} holds the key '{twice}' twice")
        return members

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse_constant)
    except RecursionError as error:
        raise MalformedError(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise MalformedError(f"{what} is not JSON: {error}") from error


def _first_repeated(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("no key is repeated")
