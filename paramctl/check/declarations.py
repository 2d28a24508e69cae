"""What a model lacks, has beyond, or has otherwise than another one declares."""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from paramctl.check.findings import Finding
from paramctl.check.kinds import Kind
from paramctl.checkpoint import Checkpoint
from paramctl.formats import open_checkpoint
from paramctl.formats.folders import CONFIG

if TYPE_CHECKING:
    from paramctl.models.declared import Declared


def open_declared(path: str) -> Checkpoint:
    """Open what a model is to be like: a spec, a factory, a config, a file, a folder's config.

    Raises:
        ParamctlError: it cannot be opened; the class says why.
    """
    config = os.path.join(path, CONFIG)
    return open_checkpoint(config if os.path.isfile(config) else path)


def compare_with(held: Checkpoint, declared: Checkpoint) -> "Declared":
    """Compare a model with one that says what it is to be like.

    Raises:
        UsageError: that is the config of quantized weights.
    """
    from paramctl.models.declared import compare, compare_names  # noqa: PLC0415 (loads torch)
    from paramctl.models.huggingface import FORMAT  # noqa: PLC0415 (the same)

    return (compare if declared.format == FORMAT else compare_names)(held, declared)


def judge_names(held: Checkpoint, found: "Declared") -> Iterator[Finding]:
    """Yield a finding for each name that is not as it is declared, beside `judge_missing`."""
    for name, entry in found.missing.items():
        if name not in held.missing:
            yield Finding(Kind.MISSING, name, f"declared {entry.summary}")
    for name in found.beyond:
        yield Finding(Kind.UNEXPECTED, name, _why_unexpected(held, found, name))
    for name, entry in found.shapes.items():
        yield Finding(Kind.SHAPE, name, f"{list(held[name].shape)}, declared {list(entry.shape)}")
    for name, (own, entry) in found.dtypes.items():
        yield Finding(Kind.DTYPE, name, f"{own.dtype.name}, declared {entry.dtype.name}")


def judge_missing(held: Checkpoint, names: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each name whose values should be in a file that is not there."""
    for name in names:
        if name in held.missing:
            yield Finding(Kind.MISSING, name, held.missing[name])


def _why_unexpected(held: Checkpoint, found: "Declared", name: str) -> str:
    prefix, _, rest = name.partition(".")
    if rest in found.missing:
        return f"{held[name].summary}, declared without '{prefix}.'"
    return f"{held[name].summary}, not declared"
