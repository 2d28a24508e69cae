"""The JSON Schema of specs, with which editors complete and check them.

Source: JSON Schema, draft 2020-12.
"""

from typing import Any

from paramctl.models import annotations
from paramctl.models.classes import class_names, parameters_of
from paramctl.models.spec import DTYPES, JOINS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LAYERS = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/layer"}}
_WHOLE = {"$ref": "#/$defs/whole"}
_NAMED = {
    "name": {"type": "string", "description": "The layer's name; {i} is the number of a repeat."},
    "repeat": {**_WHOLE, "description": "How many of it stand one after the other."},
}


def make_schema() -> dict[str, Any]:
    """Return what a spec is: its parts, and every class of torch.nn with its arguments."""
    classes = {name: _arguments(name) for name in class_names()}
    return {
        "$schema": DIALECT,
        "title": "paramctl spec",
        "description": "A model described in layers.",
        "type": "object",
        "required": ["layers"],
        "additionalProperties": False,
        "properties": {
            "layers": _LAYERS,
            "define": {
                "description": "Modules that stand in several places and are one.",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/layer"},
            },
            "vars": {
                "description": "Numbers, written ${name} elsewhere.",
                "type": "object",
                "additionalProperties": {"type": ["number", "string"]},
            },
            "dtype": {"description": "The parameters' type.", "enum": list(DTYPES)},
            "input": {
                "description": "The shape of an input, its batch first.",
                "type": "array",
                "items": _WHOLE,
            },
            "tie": {
                "description": "Layers or parameters that are one with others.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
        },
        "$defs": {
            **annotations.DEFINITIONS,
            "layer": {"anyOf": [{"type": "string"}, _layer(classes)]},
        },
    }


def _layer(classes: dict[str, Any]) -> dict[str, Any]:
    """Return what a layer is that says more than its name; a defined one may be any key."""
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {
            **_NAMED,
            "layers": {**_LAYERS, "description": "Layers one after the other."},
            "residual": {**_LAYERS, "description": "The same, plus what comes in."},
            "shortcut": {**_LAYERS, "description": "What a residual's input passes."},
            "parallel": {**_LAYERS, "description": "Layers that are given the same."},
            "join": {"description": "What becomes of parallel outputs.", "enum": list(JOINS)},
            "dim": {**_WHOLE, "description": "Along which dimension to concatenate."},
            "positions": {**_LAYERS, "description": "Layers that are given 0, 1, 2, ..."},
            **classes,
        },
        "additionalProperties": {"type": "null"},
    }


def _arguments(name: str) -> dict[str, Any]:
    """Return what a class takes: by name, by position, or as the one value."""
    parameters = parameters_of(name)
    keywords = {key: annotations.schema_of(each.annotation) for key, each in parameters.items()}
    required = [key for key, each in parameters.items() if each.default is each.empty]
    listed = [keywords[k] for k, each in parameters.items() if each.kind is not each.KEYWORD_ONLY]
    by_name: dict[str, Any] = {
        "type": "object",
        "properties": keywords,
        "additionalProperties": False,
        "required": required,
    }
    by_place = {"prefixItems": listed} if listed else {}
    forms = [by_name, {"type": "array", "maxItems": len(listed), **by_place}]
    if listed and len(required) < 2:
        forms.append(listed[0])
    if not required:
        forms.append({"type": "null"})
    return {"anyOf": forms}
