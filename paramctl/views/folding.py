"""Siblings of a tree folded into one line: those that repeat, and those that are too many."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from paramctl.layers import Layer, natural_key, split_number
from paramctl.views.census import Census
from paramctl.views.sorting import SortKey

MIN_FOLD = 3  # siblings; two are shown as they are


class Group(NamedTuple):
    """What a line stands for: a layer, `times` siblings that are alike, or those left out.

    `layers` are all of them or, where they are the same in all, the first. `folds` are, from the
    top down to it, the siblings that were folded: of each the first, the second and the last.
    """

    label: str
    layers: Sequence[Layer]
    times: int
    left_out: bool = False
    folds: tuple[Sequence[Layer], ...] = ()


class Folding:
    """Groups the children of layers.

    Neighbours that are numbered evenly and have the same number in one of `alike` are one group;
    without any nothing is folded. `merge` says that they may differ in shape: then what is below
    them is the sum of all. Of more than `limit` groups the last are one that says how many they
    are.
    """

    def __init__(
        self,
        census: Census,
        sort: SortKey,
        alike: Sequence[Mapping[Layer, int]],
        *,
        merge: bool = False,
        limit: int | None = None,
    ) -> None:
        self.census = census
        self.sort = sort
        self.alike = alike
        self.merge = merge
        self.limit = limit
        self.root = Group("", [census.root], 1)

    def children(self, group: Group) -> list[Group]:
        """Return the groups of a group's children; a layer that holds but one is joined to it."""
        return [] if group.left_out else [self._join(child) for child in self._groups(group)]

    def depth_within(self, lines: int) -> int:
        """Return the greatest depth down to which the tree has at most so many lines."""
        depth, level = -1, [self.root]
        lines += 1
        while level and (lines := lines - len(level)) >= 0:
            depth += 1
            level = [child for group in level for child in self.children(group)]
        return depth

    def _join(self, group: Group) -> Group:
        """Join a layer that holds one thing only with that: `h.[0-11]`, `wte.weight`."""
        while group.layers[0].children and not group.layers[0].is_parameter and not group.left_out:
            groups = self._groups(group)
            if len(groups) > 1 or group.layers[0].name in self.census.types:
                break
            child = groups[0]
            times = child.times * (1 if self.merge else group.times)
            group = child._replace(label=f"{group.label}.{child.label}", times=times)
        return group

    def _groups(self, group: Group) -> list[Group]:
        layers = group.layers
        children = self._in_order(layers[0])
        if self.limit is None:
            return list(self._fold(group, children))
        groups = list(islice(self._fold(group, children), self.limit + 1))
        if len(groups) > self.limit:
            del groups[self.limit - 1 :]
            shown = sum(child.times for child in groups) // len(layers)
            rest = [layer.children[part] for layer in layers for part, _ in children[shown:]]
            label = f"{len(children) - shown:,} more"
            groups.append(Group(label, rest, len(layers), left_out=True))
        return groups

    def _in_order(self, layer: Layer) -> list[tuple[str, Layer]]:
        children = list(layer.children.items())
        if self.sort == "name":
            children.sort(key=lambda child: natural_key(child[0]))
        elif self.sort == "size":
            children.sort(key=lambda child: -self.census.sums[child[1]].nbytes)
        return children

    def _fold(self, group: Group, children: Sequence[tuple[str, Layer]]) -> Iterator[Group]:
        start = 0
        while start < len(children):
            end = self._run_end(children, start)
            if end - start < MIN_FOLD:
                end = start + 1
            run = children[start:end]
            alike = [layer.children[part] for layer in group.layers for part, _ in run]
            layers = alike if self.merge else alike[:1]
            folds = group.folds
            if len(run) > 1:
                folds = (*folds, [run[place][1] for place in (0, 1, -1)])
            yield Group(fold_label([part for part, _ in run]), layers, len(alike), folds=folds)
            start = end

    def _run_end(self, children: Sequence[tuple[str, Layer]], start: int) -> int:
        """Return where the run of alike, evenly numbered siblings that begins at `start` ends."""
        return max((_run_end(alike, children, start) for alike in self.alike), default=start + 1)


def _run_end(alike: Mapping[Layer, int], children: Sequence[tuple[str, Layer]], start: int) -> int:
    first = split_number(children[start][0])
    step = None
    end = start + 1
    while first and end < len(children):
        numbered = split_number(children[end][0])
        if not numbered or numbered[0] != first[0]:
            break
        distance = numbered[1] - first[1]
        step = step or distance
        is_alike = alike[children[end][1]] == alike[children[start][1]]
        if not is_alike or distance != step * (end - start):
            break
        end += 1
    return end


def fold_label(parts: Sequence[str]) -> str:
    """Name siblings that are numbered evenly: `[0-11]`, `block [0,2..10]`."""
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
