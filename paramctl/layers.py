"""Layers: the tree that the dots in parameter names make, down to a depth of MAX_DEPTH."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

MAX_DEPTH = 20  # layers; a name with more dots ends in a part that holds the rest of them

_DIGITS = re.compile(r"(\d+)")
_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)


class Layer:
    """A node of the tree: `children` by the next part of their names, in order.

    A node whose `is_parameter` is set is a parameter; it may have children all the same, since a
    state dict can hold both `a` and `a.b`.
    """

    __slots__ = ("children", "is_parameter", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_parameter = False
        self.children: dict[str, Layer] = {}


def build_layers(names: Iterable[str]) -> Layer:
    """Return the root of the tree of `names`; numbered siblings stand in the numbers' order."""
    root = Layer("")
    layers: dict[str, Layer] = {}
    for name in names:
        prefix, dot, last = _split_last(name)
        parent = (layers.get(prefix) or _add(layers, root, prefix)) if dot else root
        node = parent.children.get(last) or _add_child(layers, parent, last, name)
        node.is_parameter = True
    for layer in (root, *layers.values()):
        if len(layer.children) > 1:
            layer.children = _order(layer.children)
    return root


def _split_last(name: str) -> tuple[str, str, str]:
    """Split a name into its layer, the dot, and its last part."""
    if name.count(".") < MAX_DEPTH:
        return name.rpartition(".")
    last = name.split(".", MAX_DEPTH)[-1]
    return name[: -len(last) - 1], ".", last


def _add(layers: dict[str, Layer], root: Layer, name: str) -> Layer:
    """Return the layer of this name; make it, and those above it, where they are not there."""
    layer, end = root, -1
    for part in name.split("."):
        end += 1 + len(part)
        layer = layer.children.get(part) or _add_child(layers, layer, part, name[:end])
    return layer


def _add_child(layers: dict[str, Layer], parent: Layer, part: str, name: str) -> Layer:
    child = layers[name] = parent.children[part] = Layer(name)
    return child


def prefixes(name: str) -> list[str]:
    """Return the beginnings of a dotted name that end at a dot or its end, the longest first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def range_below(in_order: Sequence[str], layer: str) -> range:
    """Return which of the sorted names stand below a layer; "" is the whole model."""
    if not layer:
        return range(len(in_order))
    begin = bisect_left(in_order, f"{layer}.")
    return range(begin, bisect_left(in_order, f"{layer}/", begin))  # "/" comes next after "."


def split_number(name: str) -> tuple[str, int] | None:
    """Split `block 12` into `block ` and 12; None where there is no number at the end."""
    match = _NUMBERED.fullmatch(name)
    return (match[1], int(match[2])) if match and len(match[2]) < 10 else None


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts `h.2` before `h.10`."""
    return [
        (0, int(part)) if part.isdecimal() and len(part) < 20 else (1, part)
        for part in _DIGITS.split(name)
    ]


def _order(children: dict[str, Layer]) -> dict[str, Layer]:
    """Sort the siblings that differ by a number only, among the places that they take."""
    families: dict[str, list[tuple[int, str]]] = {}
    for part in children:
        if numbered := split_number(part):
            families.setdefault(numbered[0], []).append((numbered[1], part))
    if all(family == sorted(family) for family in families.values()):
        return children
    in_order = {prefix: iter(sorted(family)) for prefix, family in families.items()}
    ordered = {}
    for part in children:
        numbered = split_number(part)
        place = next(in_order[numbered[0]])[1] if numbered else part
        ordered[place] = children[place]
    return ordered
