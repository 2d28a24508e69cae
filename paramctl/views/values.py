"""The values of a parameter or a slice of it: as torch prints them, as JSON, as bytes."""

import io
from collections.abc import Iterator, Sequence

import numpy as np

from paramctl import arrays
from paramctl.dtypes import UNKNOWN
from paramctl.errors import LimitError, UsageError
from paramctl.few import list_few
from paramctl.slices import Index
from paramctl.views.escaping import escape
from paramctl.views.separators import UNICODE_SEPARATOR
from paramctl.views.shown import Shown
from paramctl.views.sparse import SPARSE, format_sparse
from paramctl.views.tensors import format_tensor

MAX_TIED = 8  # names that a line tells of
INDENT = "    "


def texts(
    shown: Sequence[Shown], separator: str = UNICODE_SEPARATOR, width: int | None = None
) -> Iterator[str]:
    """Yield a line of facts for each, then the values as torch prints them, or why there are none.

    Facts that are wider than `width` cells go on in further lines.

    Raises:
        UsageError: the only one of them has no values.
        LimitError: it prints as too many numbers.
        MalformedError: it is missing, or one of them reaches past its storage.
    """
    for value in shown:
        try:
            lack = value.lack if len(shown) > 1 else None
            text = lack.render(escape, "shell") if lack else _format(value)
        except (UsageError, LimitError) as error:
            if len(shown) == 1:
                raise
            text = error.render(escape, "shell")
        yield f"{_join(facts(value), separator, width)}\n{text}"


def _format(shown: Shown) -> str:
    if shown.lack:
        raise shown.lack
    if shown.entry.layout in SPARSE and len(shown.parts) > 1:
        return format_sparse(shown.entry, shown.parts)
    if shown.parts:
        return "\n".join(f"{part.name}:\n{format_tensor(part)}" for part in shown.parts)
    return format_tensor(shown.part)


def _join(facts: Sequence[str], separator: str, width: int | None) -> str:
    if width is None:
        return separator.join(facts)
    from rich.cells import cell_len  # noqa: PLC0415 (only for terminals)

    from paramctl.views.clipping import wrap  # noqa: PLC0415 (loads rich)

    lines = [facts[0]]
    for fact in facts[1:]:
        joined = f"{lines[-1]}{separator}{fact}"
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines += [INDENT + line for line in wrap(fact, width - len(INDENT))]
    return "\n".join(lines)


def facts(shown: Shown) -> list[str]:
    """Say what is shown: name, shape, dtype, kind, whether it is trained if known, ties."""
    entry = shown.entry
    of_whole = f" of {list(entry.shape)}" if shown.slices else ""
    said = [
        (escape(entry.name) or "''") + format_index(shown.slices),
        *(
            []
            if entry.dtype is UNKNOWN
            else [f"{list(shown.part.shape)}{of_whole} {entry.dtype.name}"]
        ),
        *([] if entry.layout == "strided" else [escape(entry.layout)]),
        *([entry.kind] if entry.kind else []),
        *([] if entry.requires_grad is None else [f"requires_grad: {entry.requires_grad}"]),
        "grad: none stored",
    ]
    if shown.tied:
        said.append(f"tied to {list_few([*map(escape, shown.tied)], MAX_TIED)}")
    return said


def format_index(index: Index) -> str:
    """Write an index as users do."""
    return f"[{', '.join(map(_format_step, index))}]" if index else ""


def _format_step(step: object) -> str:
    if not isinstance(step, slice):
        return "..." if step is ... else str(step)
    bounds = ["" if bound is None else str(bound) for bound in (step.start, step.stop)]
    return ":".join(bounds if step.step is None else [*bounds, str(step.step)])


def npy_blocks(shown: Shown) -> Iterator[bytes]:
    """Yield a numpy `.npy` file; types that numpy lacks are widened to float32, losslessly."""
    entry = shown.array()
    arrays.check(entry)
    descr = np.lib.format.dtype_to_descr(arrays.value_type(entry))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": descr, "fortran_order": False, "shape": entry.shape}
    )
    yield header.getvalue()
    for block in arrays.blocks(entry):
        yield block.tobytes()


def raw_blocks(shown: Shown) -> Iterator[bytes]:
    """Yield the values' own bytes, little-endian, in row-major order."""
    yield from arrays.raw(shown.array())
