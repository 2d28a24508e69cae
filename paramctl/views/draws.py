"""The plan of an initialization: what every parameter gets, and by which rule."""

from collections.abc import Iterator

from paramctl.checkpoint import Checkpoint
from paramctl.edits.draws import KEPT_BY_RULE, Draw, Plan
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.rows import total
from paramctl.views.summary import total_line


def show_plan(checkpoint: Checkpoint, plan: Plan) -> Changes:
    """Return what is initialized and what is kept, in the model's order."""
    drawn = {name: "" for draw in plan.draws for name in draw.names}
    drawn |= {draw.names[0]: note_on(draw) for draw in plan.draws}
    kept = {name: _note_kept(why) for name, why in plan.kept.items()}
    notes = drawn | kept
    rows = rows_with_notes(checkpoint, {name: notes[name] for name in checkpoint if name in notes})
    totals = total(checkpoint, (row for row in rows if row.name in drawn))
    return Changes(rows, f"to initialize: {total_line(totals)}", tsv_lines(plan))


def note_on(draw: Draw) -> str:
    """Return the scheme, what std and mean it should have where it is random, and the rule."""
    scheme, mean, std = draw.rule.scheme, draw.distribution.mean, draw.distribution.std
    if scheme and mean is not None and std:
        return f"{scheme.scheme.name}: std {std:.4g}, mean {mean:.4g} ({draw.rule.text})"
    return f"{scheme} ({draw.rule.text})"


def _note_kept(why: str) -> str:
    return "kept" if why == KEPT_BY_RULE else f"kept: {why}"


def tsv_lines(plan: Plan) -> Iterator[str]:
    """Yield name, shape, scheme, mean, std, rule and stored name between tabs, then what is kept.

    `-` stands where there is nothing to say.
    """
    for draw in plan.draws:
        for name in draw.names:
            yield _line(*_cells(draw, name))
    for name, why in plan.kept.items():
        yield _line(name, "", "keep", "", "", why, "")


def _cells(draw: Draw, name: str) -> tuple[str, ...]:
    return (
        name,
        str(list(draw.entry.shape)),
        str(draw.rule.scheme),
        _number(draw.distribution.mean),
        _number(draw.distribution.std),
        draw.rule.text,
        "" if name == draw.names[0] else draw.names[0],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _line(*cells: str) -> str:
    return "\t".join(escape(cell) or "-" for cell in cells)
