"""Which parameters of two models are one: those of one name, or of one content under two names."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import NamedTuple, TypeVar

from paramctl.checkpoint import AnyCheckpoint, Checkpoint, Entry
from paramctl.contents import Content, read_content
from paramctl.diff.choosing import Models, Names
from paramctl.errors import LimitError, UsageError, blaming
from paramctl.groups import Groups
from paramctl.layers import natural_key
from paramctl.slices import check_expansion

THREADS = 4

MAX_TRIED = 100  # names that are looked for without their first parts
MAX_DOTS = 8

_DOT = re.compile(r"\.")

Value = TypeVar("Value")


class Pair(NamedTuple):
    """The name of a parameter in A and in B, None where it is not there."""

    a: str | None
    b: str | None

    @property
    def is_renamed(self) -> bool:
        """Whether it has two names."""
        return None not in self and self.a != self.b


def strip_prefixes(checkpoint: AnyCheckpoint, prefixes: Sequence[str]) -> AnyCheckpoint:
    """Return the checkpoint under names without the first of the prefixes that each begins with.

    The entries keep their names.

    Raises:
        UsageError: two parameters would have one name.
    """
    if not prefixes:
        return checkpoint
    names = _stripped(checkpoint.entries, prefixes)
    _check_distinct(names, checkpoint.file)
    layers = _stripped((f"{layer}." for layer in checkpoint.types), prefixes)
    return replace(
        checkpoint,
        entries=_renamed(checkpoint.entries, names),
        aliases={names[alias]: names[name] for alias, name in checkpoint.aliases.items()},
        types={layers[f"{layer}."][:-1]: name for layer, name in checkpoint.types.items()},
    )


def _check_distinct(names: Mapping[str, str], file: str) -> None:
    first: dict[str, str] = {}
    for name, stripped in names.items():
        if (other := first.setdefault(stripped, name)) != name:
            what = f"without prefixes '{other}' and '{name}' are both '{stripped}'"
            raise UsageError(what, hint="strip fewer", file=file)


def _stripped(names: Iterable[str], prefixes: Sequence[str]) -> dict[str, str]:
    beginnings = tuple(prefixes)
    return {
        name: next(name[len(each) :] for each in beginnings if name.startswith(each))
        if name.startswith(beginnings)
        else name
        for name in names
    }


def _renamed(values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    return {names[name]: value for name, value in values.items()}


def find_prefix(a: Collection[str], b: Collection[str]) -> str:
    """Return a prefix that the names of one model have and those of the other lack, or nothing."""
    for names, others in ((a, b), (b, a)):
        for name in islice(names, MAX_TRIED):
            for dot in islice(_DOT.finditer(name), MAX_DOTS):
                if name[dot.end() :] in others:
                    return name[: dot.end()]
    return ""


def pair_names(a: Collection[str], b: Collection[str]) -> list[Pair]:
    """Pair the names of two models in the order of A; what B adds stands behind what it follows."""
    behind: dict[str | None, list[Pair]] = {None: []}
    last = None
    for name in b:
        if name in a:
            last = name
        else:
            behind.setdefault(last, []).append(Pair(None, name))
    first = behind.pop(None)
    pairs: list[Pair] = []
    for name in a:
        if name not in b:
            pairs.append(Pair(name, None))
            continue
        pairs += [*first, Pair(name, name), *behind.get(name, ())]
        first = []
    return pairs + first


def pair_chosen(models: Models, chosen: Names) -> list[Pair]:
    """Pair the names of both models, by content too, and keep those that are chosen.

    Raises:
        ParamctlError: what looks renamed cannot be read.
    """

    def is_chosen(pair: Pair) -> bool:
        return pair.a in chosen[0] or pair.b in chosen[1]

    a, b = models
    pairs = pair_names(a.entries, b.entries)
    pairs = find_renamed(pairs, a, b, set(filter(is_chosen, pairs)))
    return list(filter(is_chosen, pairs))


def find_renamed(
    pairs: Sequence[Pair], a: Checkpoint, b: Checkpoint, chosen: Collection[Pair]
) -> list[Pair]:
    """Join what A has lost with what B has gained and that is equal byte for byte.

    Only those are read of which there is one of the same shape and dtype on the other side, one of
    the two being among the `chosen`. Numbers that are one throughout, as those of fresh biases and
    norms, are the same by chance; the last parts of their names must be too.
    """
    lost = [pair.a for pair in pairs if pair.a is not None and pair.b is None]
    gained = [pair.b for pair in pairs if pair.b is not None and pair.a is None]
    wanted_a = {pair.a for pair in chosen}
    wanted_b = {pair.b for pair in chosen}
    kinds = _kinds(a, lost), _kinds(b, gained)
    alike = {
        kind
        for kind, names in kinds[0].items()
        if kind in kinds[1]
        and not (wanted_a.isdisjoint(names) and wanted_b.isdisjoint(kinds[1][kind]))
    }
    old, new = (
        _contents(side, [name for kind in alike for name in each[kind]])
        for side, each in zip((a, b), kinds, strict=True)
    )
    found: dict[str, str] = {}
    for content, names in old.items():
        found |= _join(names, new.get(content, []), is_constant=content.is_constant)
    gone = set(found.values())
    return [
        Pair(pair.a, found.get(pair.a)) if pair.a is not None and pair.b is None else pair
        for pair in pairs
        if pair.a is not None or pair.b not in gone
    ]


def _kinds(checkpoint: Checkpoint, names: Iterable[str]) -> dict[tuple[object, ...], list[str]]:
    kinds: dict[tuple[object, ...], list[str]] = {}
    for name in names:
        entry = checkpoint.entries[name]
        if entry.layout != "strided" or entry.storage is None or not entry.numel:
            continue
        with suppress(LimitError):  # of a few bytes that stand for far more
            check_expansion(entry, entry.nbytes, entry.storage.nbytes)
            kinds.setdefault((entry.dtype, entry.shape), []).append(name)
    return kinds


def _contents(checkpoint: Checkpoint, names: Sequence[str]) -> dict[Content, list[str]]:
    """Return content -> the names that have it; what is tied is read once."""
    groups = Groups(checkpoint.aliases)
    stored = {groups.stored(name): name for name in names}
    entries: list[Entry] = [checkpoint.entries[name] for name in stored]
    with blaming(checkpoint.file), ThreadPoolExecutor(THREADS) as pool:
        read = dict(zip(stored, pool.map(read_content, entries), strict=True))
    contents: dict[Content, list[str]] = {}
    for name in names:
        contents.setdefault(read[groups.stored(name)], []).append(name)
    return contents


def _join(old: Sequence[str], new: Sequence[str], *, is_constant: bool) -> dict[str, str]:
    """Join names in the order of the numbers in them, first those whose last parts are the same."""
    found: dict[str, str] = {}
    for last in dict.fromkeys(map(_last_part, old)):
        both = ([name for name in names if _last_part(name) == last] for names in (old, new))
        found.update(zip(*(sorted(names, key=natural_key) for names in both), strict=False))
    if not is_constant:
        taken = set(found.values())
        rest = ([n for n in old if n not in found], [n for n in new if n not in taken])
        found.update(zip(*(sorted(names, key=natural_key) for names in rest), strict=False))
    return found


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]
