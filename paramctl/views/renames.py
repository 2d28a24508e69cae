"""Names that are about to change, as people and programs read them."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from paramctl.checkpoint import Checkpoint
from paramctl.views.changes import Changes
from paramctl.views.escaping import escape
from paramctl.views.tree import MAX_LINES

if TYPE_CHECKING:
    from rich.console import Console

Pairs = Sequence[tuple[str, str]]


def show_renamed(old: Checkpoint, new: Checkpoint) -> Changes:
    """Return the names of `old` that are others in `new`, which has the same parameters."""
    pairs = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    summary = f"to rename: {len(pairs):,} of {len(new):,} names"
    lines = ("\t".join(map(escape, pair)) for pair in pairs)
    return Changes((), summary, lines, partial(draw_renamed, pairs))


def draw_renamed(pairs: Pairs, console: "Console", width: int | None, arrow: str) -> bool:
    """Print what becomes of names, a line each as far as these are few; return whether all are."""
    from paramctl.views.columns import Column, Row  # noqa: PLC0415 (loads rich)
    from paramctl.views.diff_table import GREEN  # noqa: PLC0415 (the same)
    from paramctl.views.folded_names import fold  # noqa: PLC0415 (only for terminals)
    from paramctl.views.tables import print_rows  # noqa: PLC0415 (the same)

    folded = list(islice(fold(pairs), MAX_LINES + 1))
    rows = []
    for name, becomes, times in folded[:MAX_LINES]:
        label = (escape(name) or "''") + (f"  x{times:,}" if times > 1 else "")
        rows.append(Row("", label, {"new": f"{arrow} {escape(becomes)}"}))
    print_rows(console, rows, {"new": Column("", GREEN, 0, flows=True)}, width)
    return len(folded) <= MAX_LINES
