"""The layers of a listing, counted: what each adds up to, and which are built alike."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.layers import Layer, build_layers
from paramctl.views.rows import Row


class Sums(NamedTuple):
    """The values of a layer and their bytes, what is tied counted once."""

    numel: int
    nbytes: int


class Census:
    """The layers that rows of a checkpoint make, their types and their sums."""

    def __init__(self, checkpoint: Checkpoint, rows: Sequence[Row]) -> None:
        self.rows = {row.name: row for row in rows}
        self.types = checkpoint.types
        self.root = build_layers(self.rows)
        self._downwards = _downwards(self.root)
        self.sums = self._add_up()

    def row(self, layer: Layer) -> Row | None:
        """Return the row of a layer that is a parameter."""
        return self.rows[layer.name] if layer.is_parameter else None

    def _add_up(self) -> dict[Layer, Sums]:
        sums: dict[Layer, Sums] = {}
        for layer in reversed(self._downwards):
            row = self.row(layer)
            numel, nbytes = (row.numel or 0, row.nbytes or 0) if row and not row.tied else (0, 0)
            for child in layer.children.values():
                numel += sums[child].numel
                nbytes += sums[child].nbytes
            sums[layer] = Sums(numel, nbytes)
        return sums

    def alike(self, facts: Callable[[Row], Hashable]) -> dict[Layer, int]:
        """Number the layers, those that are built alike with the same number.

        They have the same type, and in them parameters of the same names, alike in these facts.
        """
        numbers: dict[Hashable, int] = {}
        alike: dict[Layer, int] = {}
        for layer in reversed(self._downwards):
            row = self.row(layer)
            below = frozenset([(part, alike[child]) for part, child in layer.children.items()])
            structure = (self.types.get(layer.name), row and facts(row), below)
            alike[layer] = numbers.setdefault(structure, len(numbers))
        return alike


def _downwards(root: Layer) -> list[Layer]:
    """Return all layers, each before those in it."""
    order, stack = [], [root]
    while stack:
        layer = stack.pop()
        order.append(layer)
        stack.extend(layer.children.values())
    return order
