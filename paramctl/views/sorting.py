"""Orders of a listing."""

from collections.abc import Sequence
from typing import Literal

from paramctl.layers import natural_key
from paramctl.views.rows import Row

SortKey = Literal["file", "name", "size"]


def sort_rows(rows: Sequence[Row], sort: SortKey) -> Sequence[Row]:
    """Return the rows by their place in the file, by name (naturally), or largest first."""
    if sort == "name":
        return sorted(rows, key=lambda row: natural_key(row.name))
    if sort == "size":
        return sorted(rows, key=lambda row: -(row.nbytes or 0))
    return rows
