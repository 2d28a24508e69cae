"""The branches of the tree: layers, parameters, and pages of layers that hold very many."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from paramctl.layers import Layer

PAGE = 200  # children that are shown together; more of them are cut into pages

Child = tuple[str, Layer]


class Branch(NamedTuple):
    """A node: its label, the layer or parameter, None for a page, and what is in it."""

    label: str
    layer: Layer | None
    inside: Sequence[Child]

    @property
    def name(self) -> str | None:
        """The name of the layer or parameter; None for a page."""
        return self.layer.name if self.layer else None

    def leads_to(self, name: str) -> bool:
        """Whether it is, or holds, the parameter or layer of this name."""
        if self.layer is not None:
            return _is_at_or_above(self.layer, name)
        return any(_is_at_or_above(layer, name) for _, layer in self.inside)


def _is_at_or_above(layer: Layer, name: str) -> bool:
    return name == layer.name or not layer.name or name.startswith(f"{layer.name}.")


def branch_of(child: Child, typed: Collection[str]) -> Branch:
    """Return the branch of a layer; one that holds a single thing is joined to it: `wte.weight`.

    Those with a class, `typed`, stay as they are.
    """
    label, layer = child
    while len(layer.children) == 1 and not layer.is_parameter and layer.name not in typed:
        ((part, layer),) = layer.children.items()
        label = f"{label}.{part}"
    return Branch(label, layer, list(layer.children.items()))


def branches_in(branch: Branch, typed: Collection[str]) -> Iterator[Branch]:
    """Yield what is in a branch: at most PAGE branches."""
    step = _step(branch)
    if step == 1:
        yield from (branch_of(child, typed) for child in branch.inside)
        return
    for start in range(0, len(branch.inside), step):
        page = branch.inside[start : start + step]
        yield Branch(f"{page[0][0]} … {page[-1][0]}", None, page)


def count_in(branch: Branch) -> int:
    """Return how many branches are in a branch."""
    return -(-len(branch.inside) // _step(branch))


def _step(branch: Branch) -> int:
    """Return how many children a page holds, 1 where they need no pages."""
    step = 1
    while step * PAGE < len(branch.inside):
        step *= PAGE
    return step
