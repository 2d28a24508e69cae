"""Addresses with index brackets or wildcards, followed from the root of the layers."""

import re
from collections.abc import Iterator
from typing import NoReturn

from paramctl.errors import AddressError, NoMatchError, find_closest
from paramctl.layers import Layer, split_number
from paramctl.patterns import RANGE, follow, split_parts
from paramctl.slices import Index, Step

ALL_NUMBERS = "[0-999999999]"

_RANGE = re.compile(RANGE.replace(r"\d{1,9}", r"(\d{1,9})", 1))
_PIECE = re.compile(rf"((?:[^\[\]]|{RANGE})+)|\[([^\[\]]*)\]")
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*")


def parse_index(text: str, address: str, column: int) -> Index:
    """Parse what stands between the brackets of `w[0, :5, ..., -1]`.

    Raises:
        AddressError: it is not a list of numbers, slices and at most one ellipsis.
    """
    index: list[Step] = []
    parts = text.split(",")
    if len(parts) > 1 and not parts[-1].strip():  # `0,` is a tuple in Python
        parts.pop()
    for part in parts:
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


class Walk:
    """The way that one address leads through the layers."""

    def __init__(self, root: Layer, address: str) -> None:
        self.root = root
        self.address = address

    def follow(self) -> tuple[list[Layer], Index | None]:
        """Return the nodes that the address leads to, and the slice of them that it ends in.

        Raises:
            AddressError: it does not parse, or leads nowhere; says the closest names.
        """
        pieces = list(_PIECE.finditer(self.address))
        if "".join(piece[0] for piece in pieces) != self.address:
            column = next(i for i, c in enumerate(self.address + "[") if c in "[]")
            _refuse(self.address, column, "a bracket without its other half")
        layers = [self.root]
        for place, piece in enumerate(pieces):
            if piece[1] is not None:
                layers = self._descend(layers, piece[1], piece.start())
            elif all(layer.is_parameter and not layer.children for layer in layers):
                if place != len(pieces) - 1:
                    _refuse(self.address, piece.end(), "something behind the slice of a parameter")
                return layers, parse_index(piece[2], self.address, piece.start(2))
            else:
                layers = [self._child(layer, piece) for layer in layers]
        return layers, None

    def _descend(self, layers: list[Layer], text: str, column: int) -> list[Layer]:
        parts = split_parts(text.removeprefix(".") if column else text)
        found = [node for layer in layers for node in follow(layer, parts) if node is not self.root]
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
            owner = f"layer '{layer.name}'" if layer.name else "the model"
            what = f"address '{self.address}': {owner} has {len(children)} children, no [{text}]"
            raise NoMatchError(what, where=f"column {piece.start(2) + 1}")
        return children[int(text)]

    def _nothing(self, layer: Layer, text: str) -> NoReturn:
        hint = self._advise(layer, text)
        raise NoMatchError(f"no parameter or layer '{self.address}'", hint=hint)

    def _advise(self, layer: Layer, text: str) -> str:
        """Return what a part of an address that leads nowhere from a layer may stand for."""
        if "*" in text and "**" not in text:
            return "'*' stands for one part between dots, '**' for any number of them"
        meant, ranged = self.address, _RANGE.search(text)
        if ranged:
            if any(follow(layer, split_parts(text[: ranged.start()]))):
                what = f"'{ranged[0]}' stands for the numbers in names, 'h.[0-3]'"
                return f"{what}; a slice is '[0:3]'"
            if numbers := _numbers_there(layer, text, ranged):
                return f"closest: {self.address.replace(ranged[0], numbers)}"
            meant = self.address.replace(ranged[0], ranged[1])
        close = find_closest(meant, closest_pool(self.root))
        close = close or [child.name for child in list(layer.children.values())[:3]]
        return f"closest: {', '.join(close)}" if close else "the model has no parameters"


def _numbers_there(layer: Layer, text: str, ranged: re.Match[str]) -> str:
    """Return the range of the numbers that there are where another one stands in an address."""
    before, behind = text[: ranged.start()], text[ranged.end() :]
    nodes = follow(layer, split_parts(before + ALL_NUMBERS))
    numbers = [found[1] for node in nodes if (found := split_number(node.name))]
    there = f"[{min(numbers)}-{max(numbers)}]" if numbers else ""
    return there if there and any(follow(layer, split_parts(before + there + behind))) else ""


def closest_pool(root: Layer) -> Iterator[str]:
    """Yield names breadth first: the short ones are the likelier."""
    level = [root]
    while level:
        level = [child for layer in level for child in layer.children.values()]
        yield from (layer.name for layer in level)
