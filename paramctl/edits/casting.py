"""Another type for the parameters of floating-point numbers, lazily; others keep theirs."""

from collections.abc import Collection

from paramctl.addresses import resolve_all
from paramctl.arrays import ARRAYS
from paramctl.checkpoint import PLANNED, AnyCheckpoint, Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME, BY_SAFETENSORS, FLOATING, DType
from paramctl.edits.converted import Converted
from paramctl.edits.values import with_entries
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.quantized import dequantized
from paramctl.slices import check_expansion

SHORT = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp64": "float64"}


def parse_dtype(text: str) -> DType:
    """Return the type that `bfloat16`, `bf16` or safetensors' `BF16` stands for.

    Raises:
        UsageError: it is no type of floating-point numbers.
    """
    dtype = BY_NAME.get(SHORT.get(text, text)) or BY_SAFETENSORS.get(text.upper())
    if dtype is None or dtype.name not in FLOATING:
        known = ", ".join(name for name in BY_NAME if name in FLOATING)
        raise UsageError(f"'{text}' is no type to cast to", hint=f"one of {known}")
    return dtype


def cast(checkpoint: AnyCheckpoint, dtype: DType, keep: Collection[str] = ()) -> AnyCheckpoint:
    """Give every parameter of floating-point numbers another type, but for those at `keep`.

    Quantized ones are such numbers where their blocks can be read.
    Values are rounded as torch's `to` rounds them. What is tied to a parameter is cast, or kept,
    with it.

    Raises:
        AddressError: an address of `keep` names nothing.
    """
    groups = Groups(checkpoint.aliases)
    kept = {groups.stored(name) for name in (resolve_all(checkpoint, keep) if keep else ())}
    stored = {
        name: _cast(entry, dtype)
        for name, entry in checkpoint.items()
        if name not in checkpoint.aliases and name not in kept and _may_cast(entry, dtype)
    }
    changed = {
        own.name: entry._replace(name=own.name, kind=own.kind, requires_grad=own.requires_grad)
        for name, entry in stored.items()
        for own in map(checkpoint.__getitem__, groups.members(name))
    }
    return with_entries(checkpoint, changed)


def count_overflows(checkpoint: Checkpoint) -> dict[str, int]:
    """Return the parameters that were cast and read, and how many values had become too large."""
    sources = {name: entry.storage and entry.storage.source for name, entry in checkpoint.items()}
    counts = {
        name: sum(source.overflows.values())
        for name, source in sources.items()
        if isinstance(source, Converted) and name not in checkpoint.aliases
    }
    return {name: count for name, count in counts.items() if count}


def _may_cast(entry: Entry, dtype: DType) -> bool:
    is_number = dequantized(entry).dtype.name in FLOATING and entry.dtype != dtype
    return is_number and entry.layout in (*ARRAYS, PLANNED)


def _cast(entry: Entry, dtype: DType) -> Entry:
    """Return an entry in another type, with its values where it has some."""
    if entry.storage is None:
        return entry._replace(dtype=dtype)
    check_expansion(entry, entry.nbytes, entry.storage.nbytes)
    source = Converted(entry, dtype)
    place = Storage(source, 0, source.size)
    return source.entry._replace(shape=entry.shape, storage=place)
