"""Metadata that is about to change, as people and programs read it."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from paramctl.checkpoint import Checkpoint
from paramctl.diff.facts import ABSENT, Fact, compare_metadata
from paramctl.views.changes import Changes
from paramctl.views.diffs import value_text
from paramctl.views.escaping import escape

if TYPE_CHECKING:
    from rich.console import Console


def show_metadata(old: Checkpoint, new: Checkpoint) -> Changes:
    """Return the keys that are set or deleted, with what they say."""
    facts = compare_metadata(old.metadata, new.metadata)
    deleted = sum(fact.b is ABSENT for fact in facts)
    summary = f"to change: {len(facts) - deleted} set, {deleted} deleted"
    cells = ((fact.key, value_text(fact.a), value_text(fact.b)) for fact in facts)
    lines = ("\t".join(map(escape, each)) for each in cells)
    return Changes((), summary, lines, partial(_draw, facts))


def _draw(facts: Sequence[Fact], console: "Console", width: int | None, arrow: str) -> bool:
    from paramctl.views.diff_summary import print_facts  # noqa: PLC0415 (loads rich)

    print_facts(console, "metadata", facts, width, arrow)
    return True
