"""Two models side by side: what each parameter is in both, and what they say of themselves."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Self

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.diff.choosing import Models
from paramctl.diff.facts import Fact, compare_classes, compare_metadata, own_metadata
from paramctl.diff.names import Pair
from paramctl.diff.outcomes import Outcome, compare_all
from paramctl.diff.values import Tolerance
from paramctl.dtypes import UNKNOWN
from paramctl.groups import Groups
from paramctl.passes import Progress

Aspect = Literal["shape", "dtype", "layout", "tie", "values"]
Change = Literal["equal", "changed", "added", "removed", "renamed", "uncompared"]
ALONE = Outcome(is_equal=None)
RENAMED = Outcome(is_equal=True)  # which is how it was found


class Parameter(NamedTuple):
    """A parameter in A and in B; None where it is in one only.

    `tied_a` and `tied_b` are the names of the first parameter that it is tied to, among those that
    both models have; its own where that is itself.
    """

    pair: Pair
    a: Entry | None
    b: Entry | None
    outcome: Outcome
    differs: tuple[Aspect, ...] = ()
    tied_a: str = ""
    tied_b: str = ""

    @property
    def name(self) -> str:
        """What it is called in A, or in B if it is only there."""
        name = self.pair.b if self.pair.a is None else self.pair.a
        return name or ""

    @property
    def change(self) -> Change:
        """The one word for how it differs."""
        if self.a is None:
            return "added"
        if self.b is None:
            return "removed"
        if self.pair.is_renamed:
            return "renamed"
        if self.differs:
            return "changed"
        return "equal" if self.outcome.is_equal else "uncompared"


class Comparison(NamedTuple):
    """How two models differ; `parameters` are all of them, equal or not."""

    a: Checkpoint
    b: Checkpoint
    parameters: Sequence[Parameter]
    metadata: Sequence[Fact]
    classes: Sequence[Fact]

    def __repr__(self) -> str:
        beside = {"in metadata": len(self.metadata), "in classes": len(self.classes)}
        told = {str(change): count for change, count in self.counts.items()} | beside
        return f"<Comparison: {', '.join(f'{n:,} {what}' for what, n in told.items() if n)}>"

    @classmethod
    def of(
        cls,
        models: Models,
        parameters: Sequence[Parameter],
        ignored: Collection[str],
        tell: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Self:
        """Compare what two models say beside their parameters, which have been compared.

        `tell` tells metadata in values that compare. It is ignored where a model has no values yet.
        """
        a, b = models
        is_said = "metadata" not in ignored and not a.is_planned and not b.is_planned
        facts = compare_metadata(tell(own_metadata(a)), tell(own_metadata(b))) if is_said else []
        return cls(
            a,
            b,
            parameters,
            [fact for fact in facts if not fact.is_of_form],
            compare_classes(a.types, b.types) if "class" not in ignored else [],
        )

    @property
    def counts(self) -> Counter[Change]:
        """How many parameters there are of each change."""
        return Counter(parameter.change for parameter in self.parameters)

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs, as far as it was looked at, and all of it could be."""
        return not (set(self.counts) - {"equal"} or self.metadata or self.classes)


def compare_parameters(
    models: Models,
    pairs: Sequence[Pair],
    tolerance: Tolerance,
    progress: Progress,
    ignored: Collection[str] = (),
) -> list[Parameter]:
    """Compare parameters that are paired; those that are tied in both models are read once.

    Raises:
        ParamctlError: as `compare_all`.
    """
    a, b = models
    groups = Groups(a.aliases), Groups(b.aliases)
    stored = {
        pair: (groups[0].stored(pair.a), groups[1].stored(pair.b))
        for pair in pairs
        if pair.a is not None and pair.b is not None
    }
    couples = {
        key: (a.entries[key[0]], b.entries[key[1]])
        for pair, key in stored.items()
        if not pair.is_renamed
    }
    outcomes = dict(
        zip(couples, compare_all(list(couples.values()), tolerance, progress), strict=True)
    )
    roots = _roots(groups[0], stored, 0), _roots(groups[1], stored, 1)
    return [
        _parameter(
            pair,
            models,
            outcomes.get(stored[pair], RENAMED),
            (roots[0][pair], roots[1][pair]),
            ignored,
        )
        if pair in stored
        else _alone(pair, models)
        for pair in pairs
    ]


def _roots(groups: Groups, pairs: Iterable[Pair], side: int) -> dict[Pair, str]:
    """Return for each pair the first in their order that it is tied to, by its name in A."""
    first: dict[str, str] = {}
    return {pair: first.setdefault(groups.stored(pair[side] or ""), pair.a or "") for pair in pairs}


def _alone(pair: Pair, models: Models) -> Parameter:
    return Parameter(pair, *_entries(pair, models), ALONE)


def _entries(pair: Pair, models: Models) -> tuple[Entry | None, Entry | None]:
    a, b = models
    return (
        None if pair.a is None else a.entries[pair.a],
        None if pair.b is None else b.entries[pair.b],
    )


def _parameter(
    pair: Pair,
    models: Models,
    outcome: Outcome,
    tied: tuple[str, str],
    ignored: Collection[str],
) -> Parameter:
    a, b = _entries(pair, models)
    differs = tuple(each for each in _aspects(a, b, outcome, tied) if each not in ignored)
    return Parameter(pair, a, b, outcome, differs, *tied)


def _aspects(
    a: Entry | None, b: Entry | None, outcome: Outcome, tied: tuple[str, str]
) -> Iterator[Aspect]:
    """Yield in what two entries differ; where one is missing, nothing is known of what it is."""
    if a and b and UNKNOWN not in (a.dtype, b.dtype):
        if a.shape != b.shape:
            yield "shape"
        if a.dtype != b.dtype:
            yield "dtype"
        if a.layout != b.layout and not outcome.is_equal:
            yield "layout"
    if tied[0] != tied[1]:
        yield "tie"
    if outcome.is_equal is False:
        yield "values"
