"""Layers and parameters as columns, which JSON holds in half the room that rows take."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from paramctl.checkpoint import Checkpoint
from paramctl.layers import Layer
from paramctl.report.values import Read, Values
from paramctl.views.census import Census
from paramctl.views.escaping import escape
from paramctl.views.rows import Row
from paramctl.views.stats import NUMBERS

HISTOGRAMS = 2_000  # parameters that have all bins on the page, the largest ones
BARS, HEIGHT = 16, 9  # of a small histogram
MEASURED = tuple(column for column in NUMBERS if column != "numel")

Columns = dict[str, list[Any]]


class Placed(NamedTuple):
    """A layer, the place of the one that it is in (-1: in none), and the last part of its name."""

    layer: Layer
    parent: int
    label: str


def order_layers(root: Layer) -> list[Placed]:
    """Return all layers, each before those in it."""
    placed: list[Placed] = []
    stack = [Placed(root, -1, "")]
    while stack:
        each = stack.pop()
        children = reversed(each.layer.children.items())
        stack += [Placed(child, len(placed), part) for part, child in children]
        placed.append(each)
    return placed


def layer_columns(census: Census, placed: Sequence[Placed], places: Mapping[str, int]) -> Columns:
    """Return the tree; a parameter has its place among the parameters, a layer -1.

    Values and bytes are sums, what is tied counted once.
    """
    sums = [census.sums[layer] for layer, _, _ in placed]
    return {
        "parent": [parent for _, parent, _ in placed],
        "label": [escape(label) for _, _, label in placed],
        "class": [escape(census.types.get(layer.name, "")) for layer, _, _ in placed],
        "values": [each.numel for each in sums],
        "bytes": [each.nbytes for each in sums],
        "parameter": [places[la.name] if la.is_parameter else -1 for la, _, _ in placed],
    }


def parameter_columns(
    checkpoint: Checkpoint, rows: Sequence[Row], read: Read, places: Mapping[str, int]
) -> Columns:
    """Return what is known of each parameter, in the model's order; `stored` is what it is tied to.

    `bars` are a digit each, from 0 for no value to HEIGHT. `bins` are the first edge, the last, and
    the counts, of the other model too where it has been read.
    """
    owners = [row.tied or row.name for row in rows]
    found = [read.values.get(owner) for owner in owners]
    entries = checkpoint.entries
    with_bins = _largest(rows)
    columns: Columns = {
        "shape": [None if row.shape is None else str(list(row.shape)) for row in rows],
        "dtype": [row.dtype for row in rows],
        "values": [row.numel for row in rows],
        "bytes": [row.nbytes for row in rows],
        "kind": [row.kind for row in rows],
        "trained": [entries[row.name].requires_grad for row in rows],
        "stored": [places[row.tied] if row.tied else None for row in rows],
        "note": [
            _note(row, read.why.get(owner, "")) for row, owner in zip(rows, owners, strict=True)
        ],
        "bars": [draw_bars(each.counts[0]) if each and each.counts else None for each in found],
        "bins": [
            _bins(each) if each and row.name in with_bins else None
            for row, each in zip(rows, found, strict=True)
        ],
    }
    for column in MEASURED:
        columns[column] = [each and plain(each.numbers[column]) for each in found]
    return columns


def draw_bars(counts: Sequence[int]) -> str:
    """Return a digit for each of at most BARS bars: any value at all is 1, the most are HEIGHT."""
    if not counts:
        return ""
    starts = np.arange(0, len(counts), -(-len(counts) // BARS))  # all as wide: no gaps of ours
    sums = np.add.reduceat(np.asarray(counts, np.int64), starts)
    heights = np.ceil(sums * (HEIGHT / max(1, int(sums.max())))).astype(int)
    return "".join(map(str, np.minimum(heights, HEIGHT).tolist()))


def plain(value: float | None) -> float | None:
    """Return a number as JSON has it, with nine digits; None where there is none."""
    if value is None or isinstance(value, int):
        return None if value is None else int(value)  # of a bool too
    return float(f"{value:.9g}") if isfinite(value) else None


def _largest(rows: Iterable[Row]) -> set[str]:
    stored = (row for row in rows if not row.tied)
    return {row.name for row in nlargest(HISTOGRAMS, stored, key=lambda row: row.numel or 0)}


def _bins(values: Values) -> list[Any] | None:
    return [values.low, values.high, *values.counts] if values.counts else None


def _note(row: Row, why: str) -> str:
    notes = [row.note] if row.note else []
    if row.dtype.startswith("complex"):
        notes.append("statistics are of absolute values")
    return escape(", ".join([*notes, *([why] if why and why not in notes else [])]))
