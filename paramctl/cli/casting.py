"""`--dtype`: the type of what is written, an option of several verbs, and what comes of it."""

from collections.abc import Collection
from typing import Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.dtypes import FLOATING
from paramctl.views.casts import show_casts
from paramctl.views.changes import Changes


def _complete_types(incomplete: str) -> list[str]:
    """Return the types that begin with what is typed."""
    return [name for name in sorted(FLOATING) if name.startswith(incomplete)]


Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="TYPE",
        help="Round what is floating-point to this type: bf16, float16, float8_e4m3fn.",
        autocompletion=_complete_types,
        show_default=False,
    ),
]


def cast_to(checkpoint: Checkpoint, dtype: str, keep: Collection[str] = ()) -> Checkpoint:
    """Return a model whose floating-point numbers are of a type, but for those at `keep`.

    Without a type it is the model as it is.

    Raises:
        UsageError: there is no such type.
        AddressError: an address of `keep` names nothing.
    """
    if not dtype:
        return checkpoint
    from paramctl.edits.casting import cast, parse_dtype  # noqa: PLC0415 (loads numpy)

    return cast(checkpoint, parse_dtype(dtype), keep)


def add_casts(changes: Changes, old: Checkpoint, new: Checkpoint) -> Changes:
    """Say of an edit that what it leaves, `old`, is then cast into `new`."""
    if new is old:
        return changes
    return changes._replace(summary=f"{changes.summary}; {show_casts(old, new).summary}")
