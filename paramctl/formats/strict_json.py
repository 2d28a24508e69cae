"""JSON as a file format: what is ambiguous or not in the standard is an error."""

import json
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
            keys = [key for key, _ in pairs]
            twice = next(key for place, key in enumerate(keys) if key in keys[:place])
            raise MalformedError(f"{what} holds the key '{twice}' twice")
        return members

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse_constant)
    except RecursionError as error:
        raise MalformedError(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise MalformedError(f"{what} is not JSON: {error}") from error
