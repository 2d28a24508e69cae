"""A model's modules as `print(net)` shows them, and how many parameters each has."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from paramctl.outline import Outline
from paramctl.views.escaping import escape, escape_json
from paramctl.views.units import count_noun


class Counts(NamedTuple):
    """Numbers of values: those of a module's parameters, and of those tied to ones above it."""

    own: int = 0
    tied: int = 0


class Line(NamedTuple):
    """A line of the tree; `counts` are those of the module which begins in it.

    Where it stands for several modules that are alike, `times` says for how many.
    """

    text: str
    counts: Counts | None = None
    times: int = 1


def tree_lines(outline: Outline) -> list[str]:
    """Return the lines of `str(net)`, what does not print in them escaped."""
    return [line.text for line in _Drawing({}).block(outline)]


def counted_lines(outline: Outline, aliases: Mapping[str, str]) -> Iterator[str]:
    """Yield the same with the parameters of each module, and their sum at the end.

    A parameter that `aliases` maps to another's name is counted where that one stands.
    """
    drawing = _Drawing(aliases)
    lines = drawing.block(outline)
    for line in lines:
        count = _spell(line)
        yield f"{line.text}  # {count}" if count else line.text
    total = count_noun(_sum(lines[:1]).own, "parameter")
    ties = f", {count_noun(drawing.ties, 'tie')} counted once" if drawing.ties else ""
    yield total + ties


class _Drawing:
    """Draws a tree from the leaves up; `ties` counts the aliases that were met."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.aliases = aliases
        self.ties = 0

    def block(self, outline: Outline | None, path: str = "") -> list[Line]:
        """Return the lines of a module whose names begin with `path`."""
        if outline is None:
            return [Line("None")]
        own = self._count(outline, path)
        if outline.text:
            first, *rest = map(escape_json, outline.text.split("\n"))
            return [Line(first, own), *map(Line, rest)]
        name, extra = escape(outline.class_name), _extra_lines(outline)
        if len(extra) <= 1 and not outline.children:
            return [Line(f"{name}({''.join(extra)})", own)]
        blocks = [self.block(child, f"{path}{key}.") for key, child in outline.children]
        keys = [key for key, _ in outline.children]
        labelled = list(_fold(blocks) if outline.folds else _label(keys, blocks))
        counts = _sum([Line("", own), *(block[0] for _, block in labelled)])
        below = [Line(f"  {line}") for line in extra]
        below += [line for label, block in labelled for line in _put_below(label, block)]
        return [Line(f"{name}(", counts), *below, Line(")")]

    def _count(self, outline: Outline, path: str) -> Counts:
        tied = [size for name, size in outline.parameters.items() if path + name in self.aliases]
        self.ties += len(tied)
        return Counts(sum(outline.parameters.values()) - sum(tied), sum(tied))


def _extra_lines(outline: Outline) -> list[str]:
    if outline.folds or not outline.extra:
        return []
    return [escape_json(line) for line in outline.extra.split("\n")]


def _put_below(label: str, block: list[Line]) -> Iterator[Line]:
    """Yield a child's lines as its parent has them; blank ones stay empty, as torch keeps them."""
    first, *rest = block
    yield first._replace(text=f"  {label}{first.text}")
    for line in rest:
        yield line._replace(text=f"  {line.text}" if line.text.strip() else "")


def _label(keys: Iterable[str], blocks: Iterable[list[Line]]) -> Iterator[tuple[str, list[Line]]]:
    for key, block in zip(keys, blocks, strict=True):
        yield f"({escape(key)}): ", block


def _fold(blocks: Iterable[list[Line]]) -> Iterator[tuple[str, list[Line]]]:
    """Yield blocks with their labels; those that read alike, one behind the other, as one."""
    begin = 0
    for _, group in groupby(blocks, lambda block: [line.text for line in block]):
        alike = list(group)
        end = begin + len(alike) - 1
        label = f"({begin}): " if begin == end else f"({begin}-{end}): {len(alike)} x "
        yield label, _merge(alike)
        begin = end + 1


def _merge(alike: list[list[Line]]) -> list[Line]:
    """Return blocks that read alike as one: its counts are those of each, else of all together."""
    first, *rest = alike[0]
    if all(block == alike[0] for block in alike):
        return [first._replace(times=len(alike)), *rest]
    return [Line(lines[0].text, _sum(lines)) for lines in zip(*alike, strict=True)]


def _sum(lines: Iterable[Line]) -> Counts:
    counted = [(line.counts, line.times) for line in lines if line.counts]
    return Counts(
        sum(counts.own * times for counts, times in counted),
        sum(counts.tied * times for counts, times in counted),
    )


def _spell(line: Line) -> str:
    """Write `40`, `72 tied`, `40 + 72 tied`, `4 x 40`; nothing where there are no parameters."""
    own, tied = line.counts or Counts()
    text = " + ".join([f"{own:,}"] * bool(own) + [f"{tied:,} tied"] * bool(tied))
    if line.times == 1 or not text:
        return text
    return f"{line.times} x ({text})" if own and tied else f"{line.times} x {text}"
