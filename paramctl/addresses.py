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
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, TypeVar

from paramctl.checkpoint import Checkpoint
from paramctl.errors import AddressError
from paramctl.layer_types import keep_types
from paramctl.layers import Layer, build_layers, range_below
from paramctl.patterns import RANGE
from paramctl.slices import Index
from paramctl.walks import Walk, parse_index

_RANGE = re.compile(RANGE)
_ESCAPE = re.compile(
    r"\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})",
)

Found = TypeVar("Found")


class Match(NamedTuple):
    """A parameter that an address names, and the part of it."""

    name: str
    slices: Index


def resolve(names: Collection[str], address: str) -> list[Match]:
    """Return what `address` names among `names`, in their order.

    Raises:
        AddressError: it does not parse, or names nothing; says the closest names.
    """
    return Resolver(names).matches(address)


def resolve_all(names: Collection[str], addresses: Collection[str]) -> list[str]:
    """Return the names of all parameters that the addresses name, in the model's order.

    Raises:
        AddressError: as `resolve`, or an address has a slice.
    """
    if not addresses:
        return list(names)
    chosen = set()
    resolver = Resolver(names)
    for address in addresses:
        for name, slices in resolver.matches(address):
            if slices:
                raise AddressError(f"'{address}' is a slice", hint=f"name the parameter: {name}")
            chosen.add(name)
    return [name for name in names if name in chosen]


def keep_matches(
    checkpoint: Checkpoint, matches: Collection[Match], types: Collection[str]
) -> list[Match]:
    """Return those that are in, or below, layers of these classes; without `types`, all.

    Raises:
        UsageError: as `keep_types`.
    """
    kept = set(keep_types(checkpoint, [match.name for match in matches], types))
    return [match for match in matches if match.name in kept]


def find_nodes(names: Collection[str], address: str) -> list[str]:
    """Return the names of the parameters and layers that an address leads to, and none below them.

    Raises:
        AddressError: as `resolve`, or the address has a slice.
    """
    return Resolver(names).nodes(address)


class Resolver:
    """The names of a model, to look addresses up in: what it takes is made once for all of them."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def matches(self, address: str) -> list[Match]:
        """Return the parameters that an address names, and the part of them, in order.

        Raises:
            AddressError: it does not parse, or names nothing; says the closest names.
        """
        return _look_up(self._matches, address)

    def nodes(self, address: str) -> list[str]:
        """Return the names of the parameters and layers that an address leads to.

        Raises:
            AddressError: as `matches`, or the address has a slice.
        """
        return _look_up(self._nodes, address)

    def _matches(self, address: str) -> list[Match]:
        if literal := self._literally(address):
            return [Match(name, ()) for name in literal]
        if sliced := self._slice(address):
            return [sliced]
        layers, slices = Walk(self._root, address).follow()
        if slices is not None:
            return [Match(layer.name, slices) for layer in layers]
        return [Match(name, ()) for name in self._in_order(_parameters(layers))]

    def _nodes(self, address: str) -> list[str]:
        if self._literally(address):
            return [address]
        sliced = self._slice(address)
        layers, slices = ([], sliced.slices) if sliced else Walk(self._root, address).follow()
        if slices is not None:
            raise AddressError(f"'{address}' is a slice", hint="name the whole parameter")
        return [layer.name for layer in layers]

    def _literally(self, address: str) -> list[str]:
        """Return the parameter of this name, else those of the layer of this name."""
        if address in self.names:
            return [address]
        below = range_below(self._sorted, address)
        return self._in_order(self._sorted[below.start : below.stop])

    def _slice(self, address: str) -> Match | None:
        """Read a name as it is and a slice behind it."""
        base, bracket, index = address.rpartition("[")
        if base not in self.names or index[-1:] != "]" or _RANGE.fullmatch(bracket + index):
            return None
        return Match(base, parse_index(index[:-1], address, len(base) + 1))

    def _in_order(self, names: Collection[str]) -> list[str]:
        return sorted(names, key=self._places.__getitem__)

    @cached_property
    def _root(self) -> Layer:
        """The root of the names' layers."""
        return build_layers(self.names)

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.names)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}


def unescape(text: str) -> str:
    """Return a name that is typed as a listing shows it."""
    return _ESCAPE.sub(lambda escape: escape[0].encode().decode("unicode_escape"), text)


def _look_up(find: Callable[[str], list[Found]], address: str) -> list[Found]:
    """Find what an address names as it is, else what it names with its escapes read."""
    if not address:
        raise AddressError("an empty address", hint="name a layer or a parameter")
    try:
        return find(address)
    except AddressError:
        plain = unescape(address)
        if plain != address:
            with suppress(AddressError):
                return find(plain)
        raise


def _parameters(layers: list[Layer]) -> set[str]:
    """Return the names of the parameters at and below layers, each of which is visited once."""
    seen: set[Layer] = set()
    stack = list(layers)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += node.children.values()
    return {node.name for node in seen if node.is_parameter}
