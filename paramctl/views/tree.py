"""The tree: layers and parameters with their shapes, siblings that repeat folded into one."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.layers import Layer
from paramctl.views.census import Census
from paramctl.views.folded_ties import name_ties, relative_tie
from paramctl.views.folding import Folding, Group
from paramctl.views.rows import Row
from paramctl.views.separators import ASCII_ELLIPSIS, UNICODE_ELLIPSIS
from paramctl.views.sorting import SortKey

MAX_LINES = 400  # of a tree that is cut to be looked through
MAX_SIBLINGS = 20


class Line(NamedTuple):
    """A line of the tree: the guides before it, its label, and the row of a parameter.

    A line of a layer has no row and no shape; `type` is the layer's class, `times` how many layers
    are folded into it, `numel` and `nbytes` the sums of all of them, what is tied counted once.
    """

    guides: str
    label: str
    row: Row | None
    shape: str
    type: str
    times: int
    numel: int | None
    nbytes: int | None


class Guides(NamedTuple):
    """The strokes that a tree is drawn with, and what stands for what is left out."""

    branch: str
    last: str
    pass_by: str
    ellipsis: str
    blank: str = "   "


UNICODE_GUIDES = Guides("├─ ", "└─ ", "│  ", UNICODE_ELLIPSIS)
ASCII_GUIDES = Guides("|- ", "`- ", "|  ", ASCII_ELLIPSIS)


class TreeBuilder:
    """Lays the rows of a checkpoint out as a tree."""

    def __init__(
        self, checkpoint: Checkpoint, rows: Sequence[Row], *, fold: bool, guides: Guides
    ) -> None:
        self.census = Census(checkpoint, rows)
        self.guides = guides
        self.is_tied = any(row.tied for row in rows)
        self.alike = self._alike(lambda row: row[1:]) if fold else []

    def _alike(self, facts: Callable[[Row], Hashable]) -> list[dict[Layer, int]]:
        """Number the layers that are alike: tied to the same, and tied to what has their number."""
        alike = [self.census.alike(facts)]
        if self.is_tied:
            alike.append(self.census.alike(lambda row: facts(relative_tie(row))))
        return alike

    def lines(self, depth: int | None, sort: SortKey) -> Iterator[Line]:
        """Yield the tree's lines down to `depth`, siblings sorted."""
        return self._draw(Folding(self.census, sort, self.alike), depth)

    def short_lines(self, sort: SortKey) -> tuple[list[Line], bool]:
        """Return at most MAX_LINES lines, and whether they are the whole tree.

        A tree that has more is folded over shapes that differ, then down to the greatest depth and
        number of siblings that fit. Nothing is lost from the sums.
        """
        whole = self._drawn(Folding(self.census, sort, self.alike, limit=MAX_LINES + 1), None)
        if whole is not None:
            return whole, True
        similar = self._alike(lambda row: (row.dtype, *row[5:]))
        narrow, wide = (
            Folding(self.census, sort, similar, merge=True, limit=limit)
            for limit in (MAX_SIBLINGS, MAX_LINES + 1)
        )
        depth = narrow.depth_within(MAX_LINES)
        return self._drawn(wide, depth) or list(self._draw(narrow, depth)), False

    def _drawn(self, folding: Folding, depth: int | None) -> list[Line] | None:
        lines = list(islice(self._draw(folding, depth), MAX_LINES + 1))
        return lines if len(lines) <= MAX_LINES else None

    def _draw(self, folding: Folding, depth: int | None) -> Iterator[Line]:
        stack = [(group, "", 1) for group in reversed(folding.children(folding.root))]
        while stack:
            group, indent, level = stack.pop()
            is_last = not stack or stack[-1][2] < level
            stroke, below = self._strokes(level, is_last=is_last)
            yield self._line(indent + stroke, group)
            if depth is None or level < depth:
                children = reversed(folding.children(group))
                stack += [(child, indent + below, level + 1) for child in children]

    def _strokes(self, level: int, *, is_last: bool) -> tuple[str, str]:
        if level == 1:
            return "", ""
        guides = self.guides
        return (guides.last, guides.blank) if is_last else (guides.branch, guides.pass_by)

    def _line(self, guides: str, group: Group) -> Line:
        label, layers, times, left_out, folds = group
        label = f"{self.guides.ellipsis} {label}" if left_out else label
        each = 1 if left_out else times // len(layers)
        rows = [] if left_out else [row for row in map(self.census.row, layers) if row]
        if rows:
            numel = _add_up([row.numel for row in rows], each)
            nbytes = _add_up([row.nbytes for row in rows], each)
            row = rows[0]._replace(tied=name_ties(self.census.rows, rows[0], folds))
            return Line(guides, label, row, self._shape(rows), row.type, times, numel, nbytes)
        sums = [self.census.sums[layer] for layer in layers]
        numel, nbytes = (sum(column) * each for column in zip(*sums, strict=True))
        layer_type = "" if left_out else self.census.types.get(layers[0].name, "")
        return Line(guides, label, None, "", layer_type, times, numel, nbytes)

    def _shape(self, rows: Sequence[Row]) -> str:
        """Write the shape of all of these rows, an ellipsis where they differ."""
        shape = rows[0].shape
        is_one = all(row.shape == shape for row in rows)
        return _shape_text(shape) if is_one else self.guides.ellipsis


def _shape_text(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else str(list(shape))


def _add_up(counts: Iterable[int | None], times: int) -> int | None:
    """Return the sum of all counts, so many times; None where none is known."""
    known = [count for count in counts if count is not None]
    return sum(known) * times if known else None


def flat_lines(rows: Iterable[Row]) -> Iterator[Line]:
    """Yield a line for each row, labelled with its whole name."""
    for row in rows:
        yield Line("", row.name, row, _shape_text(row.shape), row.type, 1, row.numel, row.nbytes)
