"""What differs in what two models say of themselves, and what it all comes to, for people."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments

from paramctl.diff.comparison import Change, Comparison
from paramctl.diff.facts import ABSENT, Fact
from paramctl.views.clipping import cut, ellipsis_of
from paramctl.views.columns import DIM, PLAIN
from paramctl.views.diff_table import MARKS
from paramctl.views.diffs import value_text
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun


def print_facts(
    console: Console, title: str, facts: Sequence[Fact], width: int | None, arrow: str
) -> None:
    """Print what differs in the metadata or in the classes of layers, a line each."""
    if facts:
        marks = f" {arrow} ", ellipsis_of(console)
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
    mark, style = MARKS[_change(fact)]
    sides = [escape(value_text(side)) for side in (fact.a, fact.b) if side is not ABSENT]
    key = f"{mark} {escape(fact.key)}: "
    if width is not None:
        key = cut(key, width, ellipsis)
        room = max(0, width - cell_len(key) - len(arrow) * (len(sides) - 1))
        sides = [cut(side, room // len(sides), ellipsis) for side in sides]
    yield Segment(key, style)
    yield Segment(arrow.join(sides) + "\n", PLAIN)


def _change(fact: Fact) -> Change:
    if fact.a is ABSENT:
        return "added"
    return "removed" if fact.b is ABSENT else "changed"
