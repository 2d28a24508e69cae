"""Listings for programs: TSV, JSON, JSON lines, names. One parameter a line."""

from collections.abc import Iterable, Iterator
from typing import Any

from paramctl.checkpoint import Checkpoint
from paramctl.views.escaping import escape
from paramctl.views.rows import Row, Totals

COLUMNS = ("name", "shape", "dtype", "values", "bytes", "kind", "type", "tied", "note")


def tsv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a row's columns between tabs, `-` where there is nothing to say."""
    for name, shape, dtype, numel, nbytes, kind, layer_type, tied, note in rows:
        sizes = "-" if shape is None else str(list(shape))
        yield (
            f"{escape(name)}\t{sizes}\t{dtype or '-'}\t{_number(numel)}\t{_number(nbytes)}\t"
            f"{kind or '-'}\t{escape(layer_type) or '-'}\t{escape(tied) or '-'}\t"
            f"{escape(note) or '-'}"
        )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def name_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the names alone."""
    return (escape(row.name) for row in rows)


def jsonl_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a JSON object a row; names are whole, null stands for nothing to say."""
    from json import dumps  # noqa: PLC0415 (only for JSON)

    return (dumps(_json_row(row)) for row in rows)


def json_text(checkpoint: Checkpoint, rows: Iterable[Row], totals: Totals) -> str:
    """Return one JSON object: the file, its totals and its rows."""
    from json import dumps  # noqa: PLC0415 (only for JSON)

    document = {
        "file": checkpoint.file,
        "format": checkpoint.format,
        "holds": checkpoint.holds or None,
        "others": checkpoint.others,
        "parameters": totals.parameters,
        "buffer_values": totals.buffer_values,
        "bytes": totals.stored,
        "tensors": [_json_row(row) for row in rows],
    }
    return dumps(document, indent=2)


def _json_row(row: Row) -> dict[str, Any]:
    return {column: _null(value) for column, value in zip(COLUMNS, row, strict=True)}


def _null(value: Any) -> Any:
    return None if value == "" else value
