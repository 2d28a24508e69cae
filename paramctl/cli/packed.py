"""Blocks of ggml's, which no format that is written has a place for: what to do instead."""

from collections.abc import Sequence

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.cli.models import STDIN_ARGUMENT, STDIN_NAME
from paramctl.cli.ranges import fold_names
from paramctl.errors import UsageError

DROP = "paramctl drop"
MAX_ADDRESSES = 50  # that a command names


def refuse_packed(checkpoint: Checkpoint, dtype: str, keep: Sequence[str]) -> None:
    """Make sure that nothing is left in blocks of a model that has been cast, if there is a type.

    Raises:
        UsageError: a parameter is, because nobody unpacks its values or because it is to be kept.
    """
    packed = [entry for entry in checkpoint.values() if entry.dtype.block > 1]
    if not packed:
        return
    from paramctl.quantized import PACKINGS  # noqa: PLC0415 (loads numpy)

    opaque = [entry for entry in packed if entry.dtype.name not in PACKINGS]
    if opaque:
        is_mixed = bool(dtype) or len(opaque) < len(packed)
        left_type = dtype if dtype and not keep else "float32"
        raise _unreadable(checkpoint, opaque, left_type if is_mixed else "")
    if dtype:
        what = f"{_tell(packed)}, cannot be kept so: blocks are not written"
        raise UsageError(what, hint="leave what is quantized out of --keep-dtype")


def _unreadable(checkpoint: Checkpoint, opaque: Sequence[Entry], dtype: str) -> UsageError:
    what = f"{_tell(opaque)}, cannot be written: such values are not unpacked"
    if len(opaque) == len(checkpoint):
        return UsageError(what, hint="there is nothing else in it")
    addresses = fold_names(checkpoint, [entry.name for entry in opaque])
    if len(addresses) > MAX_ADDRESSES:
        return UsageError(what, hint=f"{DROP} writes the others")
    import shlex  # noqa: PLC0415 (only for the error)

    file = STDIN_ARGUMENT if checkpoint.file == STDIN_NAME else checkpoint.file
    cast = ["--dtype", dtype] if dtype else []
    command = f"{DROP} {shlex.join([file, *addresses, *cast])}"
    return UsageError(what, hint=f"write the others: {command}")


def _tell(entries: Sequence[Entry]) -> str:
    """Name the first of some parameters, say how many more there are, and of which types."""
    first, *others = entries
    more = f" and {len(others):,} more" if others else ""
    return f"'{first.name}'{more}, of {', '.join(dict.fromkeys(e.dtype.name for e in entries))}"
