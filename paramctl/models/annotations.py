"""The types that torch.nn's classes say their arguments have, held against values of a spec."""

import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

import torch

_UNIONS = (Union, types.UnionType)
_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    type(None): "null",
}
_EXPRESSION = {"type": "string", "pattern": r"^\$\{.*\}$"}
DEFINITIONS = {
    "whole": {"anyOf": [{"type": "integer"}, _EXPRESSION]},
    "number": {"anyOf": [{"type": "number"}, _EXPRESSION]},
}
"""The schemas of numbers, under `$defs`: where a number may stand, so may an expression."""

_SCHEMAS = {
    int: {"$ref": "#/$defs/whole"},
    float: {"$ref": "#/$defs/number"},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    type(None): {"type": "null"},
}


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value of a spec is of a type; a list is a tuple, or torch.Size, of this length."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in _UNIONS:
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return value in inner
    item, length = _list_of(annotation)
    if item is not None:
        is_long = isinstance(value, tuple) and length in (None, len(value))
        return is_long and all(fits(each, item) for each in value)
    return type(value) is annotation or (annotation is float and type(value) is int)


def describe(annotation: Any) -> str:
    """Return a type in words."""
    if get_origin(annotation) in _UNIONS:
        known = filter(_is_known, get_args(annotation))
        return " or ".join(dict.fromkeys(map(describe, known)))
    if get_origin(annotation) is Literal:
        return " or ".join(map(repr, get_args(annotation)))
    item, length = _list_of(annotation)
    if item is not None:
        return f"{length} numbers" if length else "a list of numbers"
    return _WORDS.get(annotation, "nothing that a spec can say")


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return a type as JSON Schema; numbers are those of DEFINITIONS."""
    if get_origin(annotation) in _UNIONS:
        known = [schema_of(each) for each in get_args(annotation) if _is_known(each)]
        return {"anyOf": known}
    if get_origin(annotation) is Literal:
        return {"enum": list(get_args(annotation))}
    item, length = _list_of(annotation)
    if item is not None:
        bounds = {"minItems": length, "maxItems": length} if length else {}
        return {"type": "array", "items": schema_of(item), **bounds}
    return _SCHEMAS[annotation]


def spell(value: Any) -> str:
    """Return a value as a spec writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(spell, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


def _is_known(annotation: Any) -> bool:
    """Whether a spec can say a value of this type: it has no functions and no tensors."""
    is_nested = get_origin(annotation) in (*_UNIONS, Literal)
    return is_nested or annotation in _WORDS or _list_of(annotation)[0] is not None


def _list_of(annotation: Any) -> tuple[Any, int | None]:
    """Return the type of a list's items, None where it is no list, and its length if that is set.

    torch writes the items of a tuple of fixed length one by one, all of one type.
    """
    if annotation is torch.Size:
        return int, None
    if get_origin(annotation) not in (tuple, list, Sequence):
        return None, None
    items = get_args(annotation)
    is_open = get_origin(annotation) is not tuple or items[1:] == (Ellipsis,)
    return items[0], None if is_open else len(items)
