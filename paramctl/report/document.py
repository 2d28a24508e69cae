"""All that is on the page, as one JSON document; every text in it is escaped as on a terminal."""

from collections.abc import Sequence
from typing import Any

from paramctl import __version__
from paramctl.check.findings import Checked
from paramctl.checkpoint import Checkpoint
from paramctl.diff.comparison import Comparison
from paramctl.report.boxes import choose_boxes
from paramctl.report.columns import (
    HISTOGRAMS,
    Placed,
    layer_columns,
    order_layers,
    parameter_columns,
)
from paramctl.report.comparison import comparison_facts
from paramctl.report.facts import (
    drawn_facts,
    found_facts,
    metadata_facts,
    model_facts,
    remarks,
    tie_groups,
    title_of,
)
from paramctl.report.values import Read
from paramctl.views.census import Census
from paramctl.views.rows import make_rows


def make_document(
    checkpoint: Checkpoint, read: Read, checked: Checked, comparison: Comparison | None
) -> dict[str, Any]:
    """Put together what was found of a model, and how another one differs."""
    rows = make_rows(checkpoint, checkpoint)
    census = Census(checkpoint, rows)
    placed = order_layers(census.root)
    places = {name: place for place, name in enumerate(checkpoint)}
    return {
        "version": __version__,
        "model": model_facts(checkpoint, rows),
        "remarks": remarks(checkpoint),
        "layers": layer_columns(census, placed, places),
        "parameters": parameter_columns(checkpoint, rows, read, places),
        "without_bins": max(0, len(read.values) - HISTOGRAMS),
        "boxes": _box_columns(census, placed, title_of(checkpoint)),
        "ties": tie_groups(checkpoint, places),
        "findings": found_facts(checked, places),
        **metadata_facts(checkpoint),
        "init": drawn_facts(checkpoint, places),
        "comparison": comparison and comparison_facts(comparison, places),
    }


def _box_columns(census: Census, placed: Sequence[Placed], title: str) -> dict[str, Any]:
    """Return the boxes as columns; `layer` is the place in the tree, -1 of what stands for several.

    `left_out` counts the parameters that have no box of their own.
    """
    boxes, drawn = choose_boxes(census, title)
    at = {each.layer: place for place, each in enumerate(placed)}
    sized = [row for row in census.rows.values() if row.numel and not row.tied]
    return {
        "parent": [box.parent for box in boxes],
        "label": [box.label for box in boxes],
        "values": [box.values for box in boxes],
        "layer": [-1 if box.layer is None else at[box.layer] for box in boxes],
        "left_out": len(sized) - drawn,
    }
