"""The ties of a spec: what is defined once and stands in several places, and what `tie` names."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import yaml

from paramctl.checkpoint import Checkpoint
from paramctl.documents import error_at
from paramctl.errors import find_closest
from paramctl.layers import prefixes
from paramctl.models.spec import Spec, places_of


def tie_places(checkpoint: Checkpoint, spec: Spec) -> None:
    """Make the parameters of a spec's model one where the spec says that they are.

    Raises:
        UsageError: what is to be tied is not there, or differs in shape; says where.
    """
    roots = _Roots(checkpoint)
    paths: dict[str, list[str]] = defaultdict(list)
    for path, place in places_of(spec.root):
        if place.definition:
            paths[place.definition].append(path)
    for places in paths.values():
        _join_layers(roots, places)
    for alias, stored in spec.ties:
        _join(roots, alias, stored)
    checkpoint.aliases = roots.aliases()


class _Roots:
    """For each parameter, the first of those that it is one with."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.order = {name: place for place, name in enumerate(checkpoint)}
        self.above: dict[str, str] = {}
        self.members: dict[str, dict[str, str]] = defaultdict(dict)
        for name in checkpoint:
            for layer in prefixes(name):
                self.members[layer][name[len(layer) + 1 :]] = name

    def root(self, name: str) -> str:
        while name in self.above:
            name = self.above[name]
        return name

    def join(self, one: str, other: str) -> bool:
        """Make two one; return whether they were not."""
        first, second = sorted((self.root(one), self.root(other)), key=self.order.__getitem__)
        if first != second:
            self.above[second] = first
        return first != second

    def aliases(self) -> dict[str, str]:
        return {name: self.root(name) for name in self.order if name in self.above}

    def inside(self, layer: str) -> dict[str, str]:
        """Return a layer's parameters, by what follows its name; of a parameter itself, by ""."""
        return self.members.get(layer, {})


def _join_layers(roots: _Roots, layers: Sequence[str]) -> None:
    """Tie layers that are one module: they have the same parameters."""
    first = roots.inside(layers[0])
    for layer in layers[1:]:
        for leaf, name in roots.inside(layer).items():
            roots.join(first[leaf], name)


def _join(roots: _Roots, alias: yaml.Node, stored: yaml.Node) -> None:
    """Tie what a line of `tie` names."""
    ones, others = _find(roots, alias), _find(roots, stored)
    for leaf in (*others, *ones):
        if leaf not in ones or leaf not in others:
            what = f"'{alias.value}' and '{stored.value}' differ: only one has '{leaf}'"
            raise error_at(stored, what)
        one, other = (roots.checkpoint[each[leaf]] for each in (ones, others))
        if one.summary != other.summary:
            what = f"'{one.name}' of {one.summary} and '{other.name}' of {other.summary} differ"
            raise error_at(stored, what)
    for leaf, name in ones.items():
        if not roots.join(name, others[leaf]):
            what = f"'{name}' and '{others[leaf]}' are one already"
            raise error_at(stored, what)


def _find(roots: _Roots, node: yaml.Node) -> dict[str, str]:
    found = roots.inside(node.value)
    if not found:
        close = find_closest(node.value, _names(roots))
        hint = f"closest: {', '.join(close)}" if close else ""
        raise error_at(node, f"no layer or parameter '{node.value}' to tie", hint=hint)
    return found


def _names(roots: _Roots) -> Iterator[str]:
    yield from roots.order
    yield from (path for path in roots.checkpoint.types if path)
