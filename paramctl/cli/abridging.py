"""Rows that no screen holds: a terminal gets the first of them."""

from collections.abc import Sequence
from typing import TypeVar

from paramctl.cli.environment import Environment

MAX_ROWS = 400

AnyRow = TypeVar("AnyRow")


def abridge(
    environment: Environment, rows: Sequence[AnyRow], form: str
) -> tuple[Sequence[AnyRow], str]:
    """Return the rows to show, and the line that says so where these are not all."""
    if not environment.out_is_terminal or len(rows) <= MAX_ROWS:
        return rows, ""
    what = f"the first {MAX_ROWS} of {len(rows):,} rows"
    return rows[:MAX_ROWS], f"abridged: {what}; '--format {form} | less' shows all\n"
