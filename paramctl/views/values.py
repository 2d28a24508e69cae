"""The values of a parameter or a slice of it: as torch prints them, as JSON, as bytes."""

import io
from collections.abc import Iterable, Iterator
from json import dumps
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from paramctl import arrays
from paramctl.addresses import Match
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.slices import Index, select
from paramctl.views.escaping import escape
from paramctl.views.tensors import format_tensor

SEPARATOR = "  ·  "


class Shown(NamedTuple):
    """A parameter, the slice of it that is shown, and the names that it is tied to."""

    entry: Entry
    slices: Index
    part: Entry
    tied: tuple[str, ...]

    @classmethod
    def of(cls, checkpoint: Checkpoint, match: Match) -> "Shown":
        """Take the part of a parameter that an address names.

        Raises:
            UsageError: the slice does not fit its shape.
        """
        entry = checkpoint.entries[match.name]
        part = select(entry, match.slices)
        return cls(entry, match.slices, part, checkpoint.tied_to(match.name))


def text(shown: Shown) -> str:
    """Return a line of facts, then the values as torch prints them."""
    return f"{facts(shown)}\n{format_tensor(shown.part)}"


def facts(shown: Shown) -> str:
    """Say what is shown: name, shape, dtype, kind, gradient, ties."""
    entry = shown.entry
    of_whole = f" of {list(entry.shape)}" if shown.slices else ""
    grad = "unknown" if entry.requires_grad is None else str(entry.requires_grad)
    said = [
        (escape(entry.name) or "''") + _format_index(shown.slices),
        f"{list(shown.part.shape)}{of_whole} {entry.dtype.name}",
        *([entry.kind] if entry.kind else []),
        f"requires_grad: {grad}",
        "grad: none stored",
    ]
    if shown.tied:
        said.append("tied to " + ", ".join(map(escape, shown.tied)))
    return SEPARATOR.join(said)


def _format_index(index: Index) -> str:
    return f"[{', '.join(map(_format_step, index))}]" if index else ""


def _format_step(step: object) -> str:
    if not isinstance(step, slice):
        return "..." if step is ... else str(step)
    bounds = ["" if bound is None else str(bound) for bound in (step.start, step.stop)]
    return ":".join(bounds if step.step is None else [*bounds, str(step.step)])


def json_text(shown: Iterable[Shown]) -> str:
    """Return a JSON list of the parameters with their values in nested lists.

    Complex values are pairs; NaN and infinities, which JSON lacks, are strings.
    """
    return dumps([_json_value(value) for value in shown])


def _json_value(shown: Shown) -> dict[str, Any]:
    entry = shown.entry
    return {
        "name": entry.name,
        "index": _format_index(shown.slices) or None,
        "dtype": entry.dtype.name,
        "shape": list(shown.part.shape),
        "kind": entry.kind,
        "requires_grad": entry.requires_grad,
        "grad": None,
        "tied": list(shown.tied),
        "values": _json_numbers(arrays.read(shown.part).tolist()),
    }


def _json_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_json_numbers(item) for item in value]
    if isinstance(value, complex):
        return [_json_numbers(value.real), _json_numbers(value.imag)]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value


def npy_blocks(shown: Shown) -> Iterator[bytes]:
    """Yield a numpy `.npy` file; types that numpy lacks are widened to float32, losslessly."""
    buffer = io.BytesIO()
    np.save(buffer, arrays.read(shown.part), allow_pickle=False)
    yield buffer.getvalue()


def raw_blocks(shown: Shown) -> Iterator[bytes]:
    """Yield the values' own bytes, little-endian, in row-major order."""
    yield from arrays.raw(shown.part)
