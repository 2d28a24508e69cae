"""Names before and after, those that differ in numbers only told as one: `h.[0-11]`."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, zip_longest
from math import prod
from typing import NamedTuple

from paramctl.views.folding import MIN_FOLD, fold_label

MAX_DIGITS = 9

_NUMBER = re.compile(r"([0-9]+)")

Column = tuple[str, ...]  # the number at one place of every name


class Renamed(NamedTuple):
    """A name and what becomes of it; `times` of them where their numbers are folded."""

    old: str
    new: str
    times: int = 1


class _Family(NamedTuple):
    """Names that differ in numbers only: the texts between, and the numbers at each place."""

    texts: tuple[str, ...]
    columns: list[Column]

    def fill(self, labels: dict[Column, str]) -> str:
        """Return one name for all, its numbers by their labels."""
        numbers = [labels[column] for column in self.columns]
        return "".join(chain.from_iterable(zip_longest(self.texts, numbers, fillvalue="")))


def fold(pairs: Iterable[tuple[str, str]]) -> Iterator[Renamed]:
    """Yield what has become of names, those whose numbers all stay what they are as one."""
    families: dict[object, list[tuple[str, str]]] = {}
    for pair in pairs:
        families.setdefault(tuple(map(_texts, pair)), []).append(pair)
    for family in families.values():
        yield from _fold_family(family)


def _fold_family(pairs: Sequence[tuple[str, str]]) -> Iterator[Renamed]:
    """Fold names of one family; those apart whose numbers are others where no label fits them."""
    columns = _family([old for old, _ in pairs]).columns
    unlabelled = [column for column in columns if not _label(column)]
    groups: dict[Column, list[tuple[str, str]]] = {}
    for place, pair in enumerate(pairs):
        groups.setdefault(tuple(column[place] for column in unlabelled), []).append(pair)
    for group in groups.values():
        folded = _fold(group) if len(group) >= MIN_FOLD else None
        yield from [folded] if folded else (Renamed(*pair) for pair in group)


def _fold(pairs: Sequence[tuple[str, str]]) -> Renamed | None:
    """Return one pair for all, None where numbers are others or not all there."""
    old, new = (_family(names) for names in zip(*pairs, strict=True))
    labels = {column: _label(column) for column in (*old.columns, *new.columns)}
    varying = {column for column in labels if len(set(column)) > 1}
    is_grid = prod(len(set(column)) for column in set(old.columns)) == len(pairs)
    if not is_grid or not varying <= set(old.columns) or not all(labels.values()):
        return None
    return Renamed(old.fill(labels), new.fill(labels), len(pairs))


def _texts(name: str) -> tuple[str, ...]:
    return tuple(_NUMBER.split(name)[::2])


def _family(names: Sequence[str]) -> _Family:
    numbers = zip(*(_NUMBER.split(name)[1::2] for name in names), strict=True)
    return _Family(_texts(names[0]), list(numbers))


def _label(column: Column) -> str:
    """Name the numbers at one place; nothing where they are not evenly spaced."""
    texts = sorted(set(column), key=lambda text: (len(text), text))
    if len(texts) == 1:
        return texts[0]
    if len(texts[-1]) > MAX_DIGITS or any(text != "0" and text[0] == "0" for text in texts):
        return ""
    values = [int(text) for text in texts]
    steps = {after - before for before, after in pairwise(values)}
    if len(steps) > 1 or (len(values) < MIN_FOLD and steps != {1}):
        return ""
    return fold_label(texts)
