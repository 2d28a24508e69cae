"""What the page tells of another model: what was added, removed, renamed and changed."""

from collections.abc import Mapping
from typing import Any

from paramctl.diff.comparison import Comparison, Parameter
from paramctl.diff.facts import Fact
from paramctl.report.columns import plain
from paramctl.report.facts import title_of
from paramctl.views.diff_summary import summary_lines
from paramctl.views.diffs import notes_of, place_of, value_text
from paramctl.views.escaping import escape
from paramctl.views.summary import header_line

LISTED = 2_000  # parameters that differ
FACTS = 200  # keys of the metadata, and classes


def comparison_facts(comparison: Comparison, places: Mapping[str, int]) -> dict[str, Any]:
    """Return what `diff` says; `changes` is the change of each of our parameters."""
    differing = [each for each in comparison.parameters if each.change != "equal"]
    changes = ["equal"] * len(places)
    for each in differing:
        if each.pair.a is not None:
            changes[places[each.pair.a]] = each.change
    facts = [("metadata", fact) for fact in comparison.metadata]
    facts += [("class", fact) for fact in comparison.classes]
    return {
        "title": title_of(comparison.b),
        "header": header_line(comparison.b),
        "summary": list(summary_lines(comparison)),
        "changes": changes,
        "listed": [_parameter(each, places) for each in differing[:LISTED]],
        "facts": [_fact(kind, fact) for kind, fact in facts[:FACTS]],
        "left_out": max(0, len(differing) - LISTED) + max(0, len(facts) - FACTS),
    }


def _parameter(each: Parameter, places: Mapping[str, int]) -> dict[str, Any]:
    difference = each.outcome.difference
    place = place_of(each)
    told = {
        "change": each.change,
        "parameter": None if each.pair.a is None else places[each.pair.a],
        "name": escape(each.name) or "''",
        "a": each.a and each.a.summary,
        "b": each.b and each.b.summary,
        "note": escape("; ".join(notes_of(each))),
    }
    if difference is None:
        return told
    return told | {
        "largest": _number(difference.largest),
        "at": None if place is None else str(list(place)),
        "relative": _number(difference.distance),
        "cosine": _number(difference.cosine),
        "equal": plain(difference.share_equal),
    }


def _number(value: float | None) -> float | str | None:
    """Return a number as JSON has it; one that is not finite as text."""
    return value if value is None else plain(value) if plain(value) is not None else str(value)


def _fact(kind: str, fact: Fact) -> dict[str, str]:
    a, b = (escape(value_text(side)) for side in (fact.a, fact.b))
    return {"kind": kind, "key": escape(fact.key), "a": a, "b": b}
