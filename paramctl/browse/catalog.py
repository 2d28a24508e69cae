"""What is browsed: a model, or two of them side by side."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.groups import Groups
from paramctl.layers import Layer, build_layers, prefixes
from paramctl.views.census import Census, Sums
from paramctl.views.rows import Row, Totals, make_rows, total

FIRST_ONLY, SECOND_ONLY, DIFFERENT = "-", "+", "≠"
SIDES = "AB"  # what the two models are called where there are two


class Side(NamedTuple):
    """One of the models: its rows and the sums of its layers, by name."""

    checkpoint: Checkpoint
    groups: Groups
    rows: dict[str, Row]
    sums: dict[str, Sums]
    totals: Totals
    root: Layer

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Side":
        """Count a model."""
        rows = make_rows(checkpoint, checkpoint)
        census = Census(checkpoint, rows)
        sums = {layer.name: counted for layer, counted in census.sums.items()}
        totals = total(checkpoint, rows)
        groups = Groups(checkpoint.aliases)
        return cls(checkpoint, groups, census.rows, sums, totals, census.root)


class Catalog:
    """The names in one model or in either of two, and how the two differ in them.

    `root` is that of their layers. `marks` tells of a parameter that it is in one of them only, or
    has another shape or type in the other; `differing` counts those in a layer.
    """

    def __init__(self, first: Checkpoint, second: Checkpoint | None = None) -> None:
        self.sides = [Side.of(each) for each in (first, second) if each is not None]
        self.names = list(dict.fromkeys(chain(*(side.checkpoint for side in self.sides))))
        self.types = dict(chain(*(side.checkpoint.types.items() for side in reversed(self.sides))))
        self.root = self.sides[0].root if second is None else build_layers(self.names)
        self.marks = dict(self._compare()) if second is not None else {}
        above = chain(*(prefixes(name)[1:] for name in self.marks))
        self.differing = Counter(above)

    def _compare(self) -> Iterator[tuple[str, str]]:
        first, second = (side.checkpoint.entries for side in self.sides)
        for name in self.names:
            if name not in second:
                yield name, FIRST_ONLY
            elif name not in first:
                yield name, SECOND_ONLY
            elif _form(first[name]) != _form(second[name]):
                yield name, DIFFERENT

    def matching(self, text: str, *, only_different: bool) -> list[str]:
        """Return the names that hold `text`, in letters of either case."""
        wanted = text.lower()
        names = self.marks if only_different else self.names
        return [name for name in names if wanted in name.lower()]

    def row(self, name: str) -> Row:
        """Return the row of a parameter, of the first model that has it."""
        return next(side.rows[name] for side in self.sides if name in side.rows)

    def numel(self, name: str) -> int:
        """Return the number of values in a layer, of the first model that has it."""
        return next((side.sums[name].numel for side in self.sides if name in side.sums), 0)

    def is_parameter(self, name: str) -> bool:
        """Whether a name is that of a parameter in one of the models."""
        return any(name in side.rows for side in self.sides)


def _form(entry: Entry) -> tuple[object, ...]:
    return entry.shape, entry.dtype, entry.layout
