r"""Addresses: what a user types for a layer or a parameter, and what it names in a model.

2.bias                    a parameter            0.block 1            a layer
[0][1][0].bias            by index: a child literally named so, else the n-th child
*.bias                    * stands for one part of a name, ** for any number of them
h.[0-3]  h.[0,2..10]      the siblings of these numbers, as the tree folds them
2.weight[0,:5]            a slice, as in numpy

A name is itself before it is anything else. What does not print is typed as a listing shows it,
`\n` for a line feed and `\\` for a backslash, if nothing is literally called so.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NamedTuple, NoReturn

from paramctl.errors import AddressError, find_closest
from paramctl.layers import Layer, build_layers
from paramctl.patterns import RANGE, follow, split_parts
from paramctl.slices import Index, Step

_RANGE = re.compile(RANGE)
_PIECE = re.compile(rf"((?:[^\[\]]|{RANGE})+)|\[([^\[\]]*)\]")
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*")
_ESCAPE = re.compile(
    r"\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})",
)


class Match(NamedTuple):
    """A parameter that an address names, and the part of it."""

    name: str
    slices: Index


def resolve(names: Collection[str], address: str) -> list[Match]:
    """Return what `address` names among `names`, in their order.

    Raises:
        AddressError: it does not parse, or names nothing; says the closest names.
    """
    if not address:
        raise AddressError("an empty address", hint="name a layer or a parameter")
    try:
        return _resolve(names, address)
    except AddressError:
        plain = _ESCAPE.sub(lambda escape: escape[0].encode().decode("unicode_escape"), address)
        if plain != address:
            with suppress(AddressError):
                return _resolve(names, plain)
        raise


def _resolve(names: Collection[str], address: str) -> list[Match]:
    found = _resolve_literally(names, address)
    if not found and address.endswith("]"):
        base, bracket, index = address.rpartition("[")
        if base in names and not _RANGE.fullmatch(bracket + index):
            return [Match(base, parse_index(index[:-1], address, len(base) + 1))]
    return found or _Walk(names, address).matches()


def resolve_all(names: Collection[str], addresses: Collection[str]) -> list[str]:
    """Return the names of all parameters that the addresses name, in the model's order.

    Raises:
        AddressError: as `resolve`, or an address has a slice.
    """
    if not addresses:
        return list(names)
    chosen = set()
    for address in addresses:
        for name, slices in resolve(names, address):
            if slices:
                raise AddressError(f"'{address}' is a slice", hint=f"name the parameter: {name}")
            chosen.add(name)
    return [name for name in names if name in chosen]


def parse_index(text: str, address: str, column: int) -> Index:
    """Parse what stands between the brackets of `w[0, :5, ..., -1]`.

    Raises:
        AddressError: it is not a list of numbers, slices and at most one ellipsis.
    """
    index: list[Step] = []
    for part in text.split(","):
        if part.strip() == "...":
            index.append(...)
        elif _INTEGER.fullmatch(part):
            index.append(int(part))
        elif ":" in part and part.count(":") <= 2:
            bounds = [_bound(bound, address, column) for bound in part.split(":")]
            index.append(slice(*bounds))
        else:
            _refuse(address, column, f"'{part}' is no index: a number, a slice or '...'")
        column += len(part) + 1
    return tuple(index)


def _bound(text: str, address: str, column: int) -> int | None:
    if not text.strip():
        return None
    if not _INTEGER.fullmatch(text):
        _refuse(address, column, f"'{text}' is no bound of a slice")
    return int(text)


def _refuse(address: str, column: int, what: str) -> NoReturn:
    raise AddressError(f"address '{address}': {what}", where=f"column {column + 1}")


def _resolve_literally(names: Collection[str], address: str) -> list[Match]:
    if address in names:
        return [Match(address, ())]
    below = address + "."
    return [Match(name, ()) for name in names if name.startswith(below)]


class _Walk:
    """One address with index brackets or wildcards, followed from the root of the layers."""

    def __init__(self, names: Collection[str], address: str) -> None:
        self.names = names
        self.address = address
        self.root = build_layers(names)

    def matches(self) -> list[Match]:
        pieces = list(_PIECE.finditer(self.address))
        if "".join(piece[0] for piece in pieces) != self.address:
            column = next(i for i, c in enumerate(self.address + "[") if c in "[]")
            _refuse(self.address, column, "a bracket without its other half")
        layers = [self.root]
        for place, piece in enumerate(pieces):
            if piece[1] is not None:
                layers = self._descend(layers, piece[1], piece.start())
            elif layers and all(layer.is_parameter and not layer.children for layer in layers):
                if place != len(pieces) - 1:
                    _refuse(self.address, piece.end(), "something behind the slice of a parameter")
                index = parse_index(piece[2], self.address, piece.start(2))
                return [Match(layer.name, index) for layer in layers]
            else:
                layers = [self._child(layer, piece) for layer in layers]
        chosen = {name for layer in layers for name in _parameters(layer)}
        if not chosen:
            self._nothing(self.root, self.address)
        return [Match(name, ()) for name in self.names if name in chosen]

    def _descend(self, layers: list[Layer], text: str, column: int) -> list[Layer]:
        parts = split_parts(text.removeprefix(".") if column else text)
        found = [node for layer in layers for node in follow(layer, parts)]
        if not found:
            self._nothing(layers[0], text)
        return list(dict.fromkeys(found))

    def _child(self, layer: Layer, piece: re.Match[str]) -> Layer:
        text = piece[2].strip()
        if text in layer.children:
            return layer.children[text]
        if not _INTEGER.fullmatch(text):
            _refuse(self.address, piece.start(2), f"'{text}' is no index of a layer's child")
        children = list(layer.children.values())
        if not -len(children) <= int(text) < len(children):
            where = f"layer '{layer.name}'" if layer.name else "the model"
            _refuse(
                self.address, piece.start(2), f"{where} has {len(children)} children, no [{text}]"
            )
        return children[int(text)]

    def _nothing(self, layer: Layer, text: str) -> NoReturn:
        close = find_closest(self.address, _closest_pool(self.root))
        close = close or [child.name for child in list(layer.children.values())[:3]]
        hint = f"closest: {', '.join(close)}" if close else "the model has no parameters"
        if "*" in text and "**" not in text:
            hint = "'*' stands for one part between dots, '**' for any number of them"
        elif found := _RANGE.search(text):
            hint = f"'{found[0]}' stands for the numbers in names, 'h.[0-3]'; a slice is '[0:3]'"
        raise AddressError(f"no parameter or layer '{self.address}'", hint=hint)


def _closest_pool(root: Layer) -> Iterator[str]:
    """Yield names breadth first: the short ones are the likelier."""
    level = [root]
    while level:
        level = [child for layer in level for child in layer.children.values()]
        yield from (layer.name for layer in level)


def _parameters(layer: Layer) -> Iterator[str]:
    """Yield the names of the parameters at and below a layer, in order."""
    stack = [layer]
    while stack:
        node = stack.pop()
        if node.is_parameter:
            yield node.name
        stack.extend(reversed(node.children.values()))
