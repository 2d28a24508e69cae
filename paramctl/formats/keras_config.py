"""What a Keras model's config says: the classes of its layers, and code that loading would run.

Source: keras/src/saving/serialization_lib.py of Keras 3.
"""

import json
from typing import Any, NamedTuple

LAMBDAS = ("Lambda", "__lambda__")  # classes whose config holds Python's bytecode


class Config(NamedTuple):
    """Layer -> class, in the model's order, and the classes that are none of Keras's."""

    classes: dict[str, str]
    foreign: tuple[str, ...]


def read_config(text: object) -> Config:
    """Return what a config in JSON says, nothing where it is none.

    Keras writes numbers that JSON has not, so it is not read strictly.
    """
    classes: dict[str, str] = {}
    foreign: dict[str, None] = {}
    for part in _parts(_parse(text)):
        name, kind = _config(part).get("name"), part["class_name"]
        if isinstance(name, str):
            classes.setdefault(name, kind)
        module = part.get("module")
        if kind in LAMBDAS:
            foreign[f"keras.{kind}"] = None
        elif isinstance(module, str) and module.partition(".")[0] not in ("keras", "builtins"):
            foreign[f"{module}.{kind}"] = None
    return Config(classes, tuple(foreign))


def _parse(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _parts(config: Any) -> list[dict[str, Any]]:
    """Return every object that is of a class, in order."""
    found, waiting = [], [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("class_name"), str):
                found.append(node)
            waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))
    return found


def _config(part: dict[str, Any]) -> dict[str, Any]:
    config = part.get("config")
    return config if isinstance(config, dict) else {}
