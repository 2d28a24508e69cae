"""The classes of layers: kept in the metadata of a file, and what parameters are chosen by."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError, find_closest
from paramctl.layers import range_below

KEY = "paramctl.types"
"""Where the metadata keeps layer -> class, as JSON; a spec beside it takes torch to tell them."""
MAX_TEXT = 10_000_000  # characters; 100,000 layers take half of them
MAX_CLASS = 200  # characters of a class's name
MAX_LISTED = 8  # classes that a message names

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = re.compile(rf"\s*\{{(?:\s*{_STRING}\s*:\s*{_STRING}\s*[,}}])*+\s*", re.DOTALL)
"""An object of strings, and nothing nested that would be built before it is thrown away."""


def tell_types(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what the metadata says of the layers that hold something: KEY -> JSON, or nothing.

    It is sorted, so the file does not depend on where the classes were known from.
    """
    found = sorted(_of_its_layers(checkpoint, checkpoint.types).items())
    types = {layer: name for layer, name in found if _is_class(name)}
    if not types:
        return {}
    import json  # noqa: PLC0415 (reading a file whose types nobody knows takes none)

    text = json.dumps(types, ensure_ascii=False, separators=(",", ":"))
    return {KEY: text} if len(text) <= MAX_TEXT else {}


def resolve_types(checkpoint: Checkpoint) -> None:
    """Take the classes of layers from the metadata, or complain of them.

    Layers that hold nothing are passed by: a tool that drops or renames tensors keeps metadata as
    it is. What the file itself says of a layer counts more.
    """
    if KEY not in checkpoint.metadata:
        return
    told = _parse(checkpoint.metadata[KEY])
    if told is None:
        checkpoint.complaints += (f"its metadata '{KEY}' is no JSON object of layers' classes",)
    else:
        checkpoint.types = _of_its_layers(checkpoint, told) | checkpoint.types


def known_classes(checkpoint: Checkpoint) -> list[str]:
    """Return the classes of the layers that hold something, sorted; those that can be names."""
    return sorted(filter(_is_class, set(_of_its_layers(checkpoint, checkpoint.types).values())))


def keep_types(
    checkpoint: Checkpoint, names: Collection[str], classes: Collection[str]
) -> list[str]:
    """Return those of the parameters that are in, or below, a layer of one of these classes.

    Without classes, all of them.

    Raises:
        UsageError: nothing is left, or nobody knows such a class; says the closest.
    """
    if not classes:
        return list(names)
    in_order = sorted(checkpoint.entries)
    chosen: set[str] = set()
    for wanted in classes:
        layers = [layer for layer, name in checkpoint.types.items() if name == wanted]
        held = set(_held_by(in_order, layers))
        if not held:
            raise _unknown(checkpoint, wanted)
        chosen |= held
    kept = [name for name in names if name in chosen]
    if not kept:
        raise UsageError(f"nothing that is named is in a layer of class {_either(classes)}")
    return kept


def _held_by(in_order: Sequence[str], layers: Iterable[str]) -> Iterator[str]:
    """Yield the sorted names that are below any of the layers, each once."""
    end = 0
    for below in sorted((range_below(in_order, layer) for layer in layers), key=lambda r: r.start):
        yield from in_order[max(end, below.start) : below.stop]  # a layer may be in another
        end = max(end, below.stop)


def _unknown(checkpoint: Checkpoint, wanted: str) -> UsageError:
    known = known_classes(checkpoint)
    if not known:
        hint = "a file that paramctl wrote from a spec, or a whole module, knows them"
        return UsageError("nothing says of what class its layers are", hint=hint)
    more = ", ..." if len(known) > MAX_LISTED else ""
    listed = f"there is: {', '.join(known[:MAX_LISTED])}{more}"
    if close := find_closest(wanted, known):
        listed = f"closest: {', '.join(close)}"
    return UsageError(f"no parameter is in a layer of class '{wanted}'", hint=listed)


def _either(classes: Collection[str]) -> str:
    return " or ".join(f"'{name}'" for name in classes)


def _parse(text: Any) -> dict[str, str] | None:
    """Return layer -> class, None where the text is anything else."""
    if not isinstance(text, str) or len(text) > MAX_TEXT or not _FLAT.fullmatch(text):
        return None
    import json  # noqa: PLC0415 (few files tell classes)

    try:
        told: dict[str, str] = json.loads(text)
    except ValueError:
        return None
    return told if all(map(_is_class, set(told.values()))) else None


def _is_class(name: str) -> bool:
    """Whether a text can be the name of a class of Python's, also of one in another."""
    return len(name) <= MAX_CLASS and all(part.isidentifier() for part in name.split("."))


def _of_its_layers(checkpoint: Checkpoint, types: Mapping[str, str]) -> dict[str, str]:
    """Return the classes of the layers that hold something."""
    in_order = sorted(checkpoint.entries)
    parents = {name.rpartition(".")[0] for name in in_order}  # which most layers with classes are
    return {
        layer: name
        for layer, name in types.items()
        if layer in parents or range_below(in_order, layer)
    }
