"""What differs in what two models say of themselves, and what it all comes to, for people."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments

from paramctl.diff.comparison import Change, Comparison
from paramctl.diff.facts import ABSENT, Fact
from paramctl.views.clipping import clip, cut, ellipsis_of
from paramctl.views.columns import DIM, PLAIN
from paramctl.views.diff_table import MARKS
from paramctl.views.diffs import value_text
from paramctl.views.escaping import escape
from paramctl.views.tables import INDENT
from paramctl.views.units import count_noun


def print_facts(
    console: Console, title: str, facts: Sequence[Fact], width: int | None, arrow: str
) -> None:
    """Print what differs in the metadata or in the classes of layers, a line each."""
    if facts:
        marks = arrow, ellipsis_of(console)
        lines = (segment for fact in facts for segment in _segments(fact, width, *marks))
        segments = Segments([Segment(f"{title}\n", DIM), *lines])
        console.print(segments, soft_wrap=True, end="")


def summary_lines(comparison: Comparison) -> Iterator[str]:
    """Say what it comes to."""
    counts = comparison.counts
    said = ", ".join(f"{counts[change]:,} {change}" for change in MARKS if counts[change])
    total = count_noun(len(comparison.parameters), "parameter")
    yield f"{total}: {said}" if said else total
    if comparison.metadata:
        yield f"{count_noun(len(comparison.metadata), 'key')} of the metadata changed"
    if comparison.classes:
        yield f"{count_noun(len(comparison.classes), 'layer')} of another class"


def _segments(fact: Fact, width: int | None, arrow: str, ellipsis: str) -> Iterator[Segment]:
    """Yield a line, or the key above a line for each side where they have no room beside it."""
    mark, style = MARKS[_change(fact)]
    sides = [escape(value_text(side)) for side in (fact.a, fact.b) if side is not ABSENT]
    key, values = f"{mark} {escape(fact.key)}:", f" {arrow} ".join(sides)
    if width is None or cell_len(f"{key} {values}") <= width:
        yield Segment(f"{key} ", style)
        yield Segment(f"{values}\n", PLAIN)
        return
    yield Segment(f"{clip(key, width, ellipsis)}\n", style)
    begin = max(0, _find_difference(sides) - width // 2)
    for lead, side in zip((INDENT, f"{arrow} ".rjust(len(INDENT))), sides, strict=False):
        shown = ellipsis + side[begin:] if begin else side
        yield Segment(f"{lead}{cut(shown, width - len(INDENT), ellipsis)}\n", PLAIN)


def _find_difference(sides: Sequence[str]) -> int:
    """Return how far texts are the same; 0 where there is one only."""
    if len(sides) == 1:
        return 0
    pairs = enumerate(zip(*sides, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(map(len, sides)))


def _change(fact: Fact) -> Change:
    if fact.a is ABSENT:
        return "added"
    return "removed" if fact.b is ABSENT else "changed"
