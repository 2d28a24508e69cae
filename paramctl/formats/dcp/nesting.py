"""The state dict that was saved, from its flattened names."""

from collections.abc import Mapping

from paramctl.errors import LimitError, MalformedError
from paramctl.formats.dcp.records import Path
from paramctl.formats.pickles import Dict

MAX_DEPTH = 200

Level = dict[str | int, object]
"""The values of a dictionary, or of a list by their places; levels of their own among them."""


def nest(leaves: Mapping[str, object], paths: Mapping[str, Path]) -> object:
    """Put every leaf at its path, under its whole name where it has none.

    Raises:
        MalformedError: a leaf is at the path of another, or below it.
        LimitError: a path is too long.
    """
    root: Level = {}
    for name, leaf in leaves.items():
        path = paths.get(name, (name,))
        if len(path) > MAX_DEPTH:
            raise LimitError(f"'{name}' is nested {len(path)} deep")
        level = root
        for key in path[:-1]:
            below = level.setdefault(key, {})
            if type(below) is not dict:
                raise MalformedError(f".metadata puts '{name}' below another value")
            level = below
        if path[-1] in level:
            raise MalformedError(f".metadata puts '{name}' where another value is")
        level[path[-1]] = leaf
    return _settle(root)


def _settle(value: object) -> object:
    """Return the values of a level as what pickles hold: a list where its keys are 0, 1, 2, ..."""
    if type(value) is not dict:
        return value
    settled = [(key, _settle(part)) for key, part in value.items()]
    if value and list(value) == list(range(len(value))):
        return [part for _, part in settled]
    made = Dict()
    made.pairs = settled
    return made
