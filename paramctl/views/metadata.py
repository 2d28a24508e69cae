"""Metadata as people read it: JSON that hides in a string is opened, tensors are told in words."""

from collections.abc import Collection, Iterable, Iterator
from math import isfinite
from typing import Any, NamedTuple

from paramctl.checkpoint import Entry
from paramctl.errors import AddressError
from paramctl.few import list_few
from paramctl.layers import prefixes
from paramctl.lists import read_lazy
from paramctl.views.escaping import escape, escape_json
from paramctl.views.units import count_noun

MAX_DEPTH = 200  # of JSON in a string: what is deeper stays text
MAX_KNOWN = 20  # keys that an error names
PLAIN = {str, int, bool, type(None)}


class Told(NamedTuple):
    """A value in JSON's types, the same in short, and its tensors if it is nothing else."""

    value: Any
    short: Any
    tensors: int = 0


def read_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata with strings that hold a JSON object or list parsed."""
    return {key: _open_json(value) for key, value in metadata.items()}


def _open_json(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    from json import loads  # noqa: PLC0415 (only where there is such a string)

    try:
        opened = loads(value)
    except (ValueError, RecursionError):
        return value
    return opened if _is_shallow(opened) else value


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [item for outer in level for item in _parts(outer).values()]
    return not level


def find_value(metadata: dict[str, Any], paths: Iterable[str]) -> Any:
    """Follow dotted paths of keys and of places in lists, one after another.

    Raises:
        AddressError: there is no such key; names those that are there.
    """
    value: Any = metadata
    followed: list[str] = []
    for path in paths:
        rest = path
        while rest:
            parts = _parts(value)
            key = next((prefix for prefix in prefixes(rest) if prefix in parts), None)
            if key is None:
                raise _missing(rest, followed, parts, metadata)
            followed.append(key)
            value, rest = parts[key], rest[len(key) + 1 :]
    return value


def _missing(
    key: str, followed: list[str], parts: dict[str, Any], metadata: dict[str, Any]
) -> AddressError:
    """Return what to say of a key that is not among the parts of those followed before it."""
    hint = f"there is: {_list_keys(parts)}"
    if not followed:
        return AddressError(f"no metadata '{key}'", hint=hint)
    before = ".".join(followed)
    if not metadata.keys().isdisjoint(prefixes(key)):
        hint = f"a key is looked up in the one before it: ask for '{key}' alone"
    elif not parts:
        hint = f"'{before}' holds no keys"
    return AddressError(f"no metadata '{key}' in '{before}'", hint=hint)


def _parts(value: Any) -> dict[str, Any]:
    value = read_lazy(value)
    if isinstance(value, list):
        return {str(place): item for place, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _list_keys(keys: Collection[str]) -> str:
    return list_few([*keys], MAX_KNOWN, last=", and ") or "none"


def tell(value: Any) -> Told:
    """Tell a value in JSON's types: a tensor by its type and shape.

    Parts of it that are nothing but tensors are told by their number. NaN and infinities, which
    JSON lacks, are strings.
    """
    value = read_lazy(value)
    if isinstance(value, Entry):
        return Told(value.summary, value.summary, 1)
    if isinstance(value, float) and not isfinite(value):
        return Told(str(value), str(value))
    if not isinstance(value, (dict, list)):
        return Told(value, value)
    if isinstance(value, list) and _is_plain(value):
        return Told(value, value)
    told = {key: tell(item) for key, item in _parts(value).items()}
    shorts = {key: item.short for key, item in told.items()}
    whole = shorts if isinstance(value, dict) else list(shorts.values())
    counts = [item.tensors for item in told.values()]
    tensors = sum(counts) if all(counts) else 0
    return Told(whole, count_noun(tensors, "tensor") if tensors else whole, tensors)


def _is_plain(items: list[Any]) -> bool:
    """Whether a list, which may be a vocabulary, has nothing that is told otherwise than it is."""
    kinds = set(map(type, items))
    return kinds <= PLAIN or (kinds == {float} and all(map(isfinite, items)))


def tell_plainly(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata in JSON's types, with the JSON in its strings parsed."""
    told: dict[str, Any] = tell(read_metadata(metadata)).value
    return told


def json_metadata(value: Any) -> str:
    """Return the metadata as JSON, with control characters as JSON's escapes."""
    from json import dumps  # noqa: PLC0415 (only for JSON)

    return dumps(value, indent=2) + "\n"


def text_metadata(value: Any) -> str:
    """Return the metadata as `key: value` lines, what is nested indented below its key."""
    return "".join(f"{line}\n" for line in _lines(value, ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if not _has_lines(value) and value != {}:
        yield indent + _inline(value)
        return
    for key, item in _parts(value).items():
        if _has_lines(item):
            yield f"{indent}{escape(str(key))}:"
            yield from _lines(item, indent + "  ")
        else:
            yield f"{indent}{escape(str(key))}: {_inline(item)}"


def _has_lines(value: Any) -> bool:
    """Whether a value takes more than a line: a dictionary, or a list that holds one."""
    if isinstance(value, list):
        return any(map(_has_lines, value))
    return isinstance(value, dict) and bool(value)


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return escape(value)
    from json import dumps  # noqa: PLC0415 (only for what is nested)

    return escape_json(dumps(value, ensure_ascii=False))
