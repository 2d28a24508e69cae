"""The plan of an initialization: what every parameter gets, and by which rule."""

from collections.abc import Iterator
from typing import NamedTuple

from paramctl.edits.draws import Draw, Plan
from paramctl.views.escaping import escape


class PlanRow(NamedTuple):
    """A parameter, and what is planned for it; "" where there is nothing to say."""

    name: str
    shape: str
    scheme: str
    mean: str
    std: str
    rule: str


HEADINGS = PlanRow("parameter", "shape", "scheme", "mean", "std", "rule")


def plan_rows(plan: Plan) -> Iterator[PlanRow]:
    """Yield a row for every name that is initialized, then one for every one that is kept."""
    for draw in plan.draws:
        for name in draw.names:
            yield _row(draw, name)
    for name, why in plan.kept.items():
        yield PlanRow(escape(name), "", "keep", "", "", escape(why))


def _row(draw: Draw, name: str) -> PlanRow:
    tied = "" if name == draw.names[0] else f", tied to {escape(draw.names[0])}"
    return PlanRow(
        escape(name),
        str(list(draw.entry.shape)),
        escape(str(draw.rule.scheme)),
        _number(draw.distribution.mean),
        _number(draw.distribution.std),
        escape(draw.rule.text) + tied,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def tsv_lines(plan: Plan) -> Iterator[str]:
    """Yield the rows' columns between tabs, `-` where there is nothing to say."""
    return ("\t".join(cell or "-" for cell in row) for row in plan_rows(plan))


def table_lines(plan: Plan) -> Iterator[str]:
    """Yield the rows in aligned columns, under their headings."""
    rows = [HEADINGS, *plan_rows(plan)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
