"""The tree table: layers and parameters with their shapes, siblings that repeat folded into one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.layers import Layer, build_layers, split_number
from paramctl.views.rows import Row
from paramctl.views.sorting import SortKey, natural_key

MIN_FOLD = 3  # siblings; two are shown as they are


class Line(NamedTuple):
    """A line of the tree: the guides before it, its label, and the row of a parameter.

    A line of a layer has no row; `type` is the layer's class, `times` how many layers are folded
    into it, `numel` and `nbytes` the sums of all of them, what is tied counted once.
    """

    guides: str
    label: str
    row: Row | None
    type: str
    times: int
    numel: int | None
    nbytes: int | None


class Guides(NamedTuple):
    """The strokes that a tree is drawn with."""

    branch: str
    last: str
    pass_by: str
    blank: str = "   "


UNICODE_GUIDES = Guides("├─ ", "└─ ", "│  ")
ASCII_GUIDES = Guides("|- ", "`- ", "|  ")


class Group(NamedTuple):
    """A label and the layers that share it: one, or siblings that are folded."""

    label: str
    layers: Sequence[Layer]


class TreeBuilder:
    """Lays the rows of a checkpoint out as a tree."""

    def __init__(
        self, checkpoint: Checkpoint, rows: Sequence[Row], *, fold: bool, guides: Guides
    ) -> None:
        self.rows = {row.name: row for row in rows}
        self.types = checkpoint.types
        self.fold = fold
        self.guides = guides
        self.root = build_layers(self.rows)
        self.sums: dict[Layer, tuple[int, int]] = {}
        self._alike: dict[Layer, int] = {}
        self._summarize()

    def _row(self, layer: Layer) -> Row | None:
        return self.rows.get(layer.name) if layer.is_parameter else None

    def _summarize(self) -> None:
        """Add up every layer, and give it the number of its structure: alike, the same number."""
        order, stack = [], [self.root]
        while stack:
            layer = stack.pop()
            order.append(layer)
            stack.extend(layer.children.values())
        structures: dict[tuple[object, ...], int] = {}
        for layer in reversed(order):
            row = self._row(layer)
            numel, nbytes = (row.numel or 0, row.nbytes or 0) if row and not row.tied else (0, 0)
            below = []
            for part, child in layer.children.items():
                below.append((part, self._alike[child]))
                numel += self.sums[child][0]
                nbytes += self.sums[child][1]
            structure = (self.types.get(layer.name), row and row[1:], frozenset(below))
            self._alike[layer] = structures.setdefault(structure, len(structures))
            self.sums[layer] = (numel, nbytes)

    def lines(self, depth: int | None, sort: SortKey) -> Iterator[Line]:
        """Yield the tree's lines down to `depth`, siblings sorted."""
        stack = [(group, "", 1) for group in reversed(self._groups(self.root, sort))]
        while stack:
            group, indent, level = stack.pop()
            label, layer, times = self._join_chain(group, sort)
            is_last = not stack or stack[-1][2] < level
            stroke, below = self._strokes(level, is_last=is_last)
            yield self._line(indent + stroke, label, layer, times)
            if depth is None or level < depth:
                children = reversed(self._groups(layer, sort))
                stack += [(child, indent + below, level + 1) for child in children]

    def _line(self, guides: str, label: str, layer: Layer, times: int) -> Line:
        row = self._row(layer)
        numel, nbytes = (sum_ * times for sum_ in self.sums[layer])
        if row:
            own = [count and count * times for count in (row.numel, row.nbytes)]
            return Line(guides, label, row, row.type, times, *own)
        return Line(guides, label, None, self.types.get(layer.name, ""), times, numel, nbytes)

    def _strokes(self, level: int, *, is_last: bool) -> tuple[str, str]:
        if level == 1:
            return "", ""
        guides = self.guides
        return (guides.last, guides.blank) if is_last else (guides.branch, guides.pass_by)

    def _join_chain(self, group: Group, sort: SortKey) -> tuple[str, Layer, int]:
        """Join a layer that holds one thing only with that: `h.[0-11]`, `wte.weight`."""
        label, layers = group
        layer, times = layers[0], len(layers)
        while len(layer.children) and not layer.is_parameter:
            groups = self._groups(layer, sort)
            if len(groups) > 1 or layer.name in self.types:
                break
            label = f"{label}.{groups[0].label}"
            layer = groups[0].layers[0]
            times *= len(groups[0].layers)
        return label, layer, times

    def _groups(self, layer: Layer, sort: SortKey) -> list[Group]:
        """Return a layer's children, neighbours that repeat in one group."""
        children = list(layer.children.items())
        if sort == "name":
            children.sort(key=lambda child: natural_key(child[0]))
        elif sort == "size":
            children.sort(key=lambda child: -self.sums[child[1]][1])
        groups: list[Group] = []
        start = 0
        while start < len(children):
            end = self._run_end(children, start) if self.fold else start + 1
            if end - start < MIN_FOLD:
                end = start + 1
            layers = [child for _, child in children[start:end]]
            groups.append(Group(_fold_label([part for part, _ in children[start:end]]), layers))
            start = end
        return groups

    def _run_end(self, children: Sequence[tuple[str, Layer]], start: int) -> int:
        """Return where the run of alike, evenly numbered siblings that begins at `start` ends."""
        first = split_number(children[start][0])
        step = None
        end = start + 1
        while first and end < len(children):
            numbered = split_number(children[end][0])
            if not numbered or numbered[0] != first[0]:
                break
            distance = numbered[1] - first[1]
            step = step or distance
            alike = self._alike[children[end][1]] == self._alike[children[start][1]]
            if not alike or distance != step * (end - start):
                break
            end += 1
        return end


def _fold_label(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    (prefix, first), (_, second), (_, last) = (
        numbered for part in (parts[0], parts[1], parts[-1]) if (numbered := split_number(part))
    )
    return (
        f"{prefix}[{first}-{last}]"
        if second == first + 1
        else f"{prefix}[{first},{second}..{last}]"
    )


def flat_lines(rows: Iterable[Row]) -> Iterator[Line]:
    """Yield a line for each row, labelled with its whole name."""
    for row in rows:
        yield Line("", row.name, row, row.type, 1, row.numel, row.nbytes)
