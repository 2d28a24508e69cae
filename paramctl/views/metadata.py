"""Metadata as people read it: JSON that hides in a string is opened."""

from collections.abc import Iterator
from typing import Any

from paramctl.views.escaping import escape, escape_json


def read_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata with strings that hold a JSON object or list parsed."""
    return {key: _open_json(value) for key, value in metadata.items()}


def _open_json(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    from json import loads  # noqa: PLC0415 (only where there is such a string)

    try:
        return loads(value)
    except (ValueError, RecursionError):
        return value


def json_metadata(value: Any) -> str:
    """Return the metadata as JSON, with control characters as JSON's escapes."""
    from json import dumps  # noqa: PLC0415 (only for JSON)

    return dumps(value, indent=2) + "\n"


def text_metadata(value: Any) -> str:
    """Return the metadata as `key: value` lines, what is nested indented below its key."""
    return "".join(f"{line}\n" for line in _lines(value, ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict) and item:
                yield f"{indent}{escape(str(key))}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{escape(str(key))}: {_inline(item)}"
    else:
        yield indent + _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return escape(value)
    from json import dumps  # noqa: PLC0415 (only for what is nested)

    return escape_json(dumps(value, ensure_ascii=False))
