"""Orders of a listing."""

import re
from collections.abc import Sequence
from typing import Literal

from paramctl.views.rows import Row

SortKey = Literal["file", "name", "size"]

_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts `h.2` before `h.10`."""
    return [
        (0, int(part)) if part.isdecimal() and len(part) < 20 else (1, part)
        for part in _DIGITS.split(name)
    ]


def sort_rows(rows: Sequence[Row], sort: SortKey) -> Sequence[Row]:
    """Return the rows by their place in the file, by name (naturally), or largest first."""
    if sort == "name":
        return sorted(rows, key=lambda row: natural_key(row.name))
    if sort == "size":
        return sorted(rows, key=lambda row: -(row.nbytes or 0))
    return rows
