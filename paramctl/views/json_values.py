"""Values as JSON, a block at a time: the memory that it takes does not depend on theirs.

Complex values are pairs; NaN and infinities, which JSON lacks, are strings.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from json import dumps
from math import prod
from typing import Any

import numpy as np

from paramctl import arrays
from paramctl.checkpoint import Entry
from paramctl.dtypes import UNKNOWN
from paramctl.views.shown import Shown, refusal
from paramctl.views.values import format_index

NO_NUMBERS = (("NaN", '"nan"'), ("-Infinity", '"-inf"'), ("Infinity", '"inf"'))


def json_blocks(shown: Sequence[Shown]) -> Iterator[str]:
    """Yield a JSON list of the parameters, their facts first, their values in nested lists.

    Raises:
        UsageError: the only one of them has no values.
        MalformedError: it is missing, or one of them reaches past its storage.
    """
    refusals = [refusal(value) for value in shown]
    if len(shown) == 1 and refusals[0]:
        raise refusals[0]
    return chain("[", _joined(map(_object, shown, refusals)), "]")


def _object(shown: Shown, refused: Exception | None) -> Iterator[str]:
    """Write a parameter; of one that is no array its layout, and the parts that can be read."""
    facts = _facts(shown)
    if not refused and not shown.parts:
        return _with_values(facts, shown.part)
    facts |= {"values": None, "layout": shown.entry.layout}
    if refused:
        return iter([dumps(facts)])
    return _with_list(facts, "parts", _joined(map(_part, shown.parts)))


def _facts(shown: Shown) -> dict[str, Any]:
    entry = shown.entry
    is_known = entry.dtype is not UNKNOWN
    return {
        "name": entry.name,
        "index": format_index(shown.slices) or None,
        "dtype": entry.dtype.name if is_known else None,
        "shape": list(shown.part.shape) if is_known else None,
        "kind": entry.kind,
        "requires_grad": entry.requires_grad,
        "grad": None,
        "tied": list(shown.tied),
    }


def _part(part: Entry) -> Iterator[str]:
    known = {"name": part.name, "dtype": part.dtype.name, "shape": list(part.shape)}
    return _with_values(known, part)


def _with_values(facts: dict[str, Any], entry: Entry) -> Iterator[str]:
    yield dumps(facts)[:-1] + ', "values": '
    yield from nested_lists(entry)
    yield "}"


def _with_list(facts: dict[str, Any], key: str, items: Iterator[str]) -> Iterator[str]:
    yield dumps(facts)[:-1] + f', "{key}": ['
    yield from items
    yield "]}"


def _joined(items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Put a comma between items that are each written in pieces."""
    for place, item in enumerate(items):
        if place:
            yield ", "
        yield from item


def nested_lists(entry: Entry) -> Iterator[str]:
    """Yield, in pieces, what `json.dumps` makes of an array's nested lists."""
    is_complex = arrays.value_type(entry).kind == "c"
    shape = (*entry.shape, 2) if is_complex else entry.shape
    empty = shape.index(0) if 0 in shape else len(shape)
    sizes = [prod(shape[place:empty]) for place in range(empty)]
    begin = 0
    for cells in _cells(entry) if entry.numel else _empty_cells(prod(shape[:empty])):
        _bracket(cells, begin, sizes)
        yield (", " if begin else "") + ", ".join(cells)
        begin += len(cells)


def _cells(entry: Entry) -> Iterator[list[str]]:
    """Yield lists of numbers as JSON writes them."""
    for block in arrays.blocks(entry):
        values = block.view(block.real.dtype)
        text = dumps(values.tolist())[1:-1]
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            for javascript, string in NO_NUMBERS:
                text = text.replace(javascript, string)
        yield text.split(", ")


def _empty_cells(count: int) -> Iterator[list[str]]:
    """Yield lists of empty lists."""
    for begin in range(0, count, arrays.NUMBERS):
        yield ["[]"] * min(arrays.NUMBERS, count - begin)


def _bracket(cells: list[str], begin: int, sizes: list[int]) -> None:
    """Open and close the lists that begin and end here; one holds `size` cells in all."""
    for size in sizes:
        for place in range(-begin % size, len(cells), size):
            cells[place] = "[" + cells[place]
        for place in range((-begin - 1) % size, len(cells), size):
            cells[place] += "]"
