"""Another type for the parameters of floating-point numbers, lazily; others keep theirs."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from paramctl.addresses import resolve_all
from paramctl.checkpoint import ARRAYS, PLANNED, AnyCheckpoint, Checkpoint, Entry
from paramctl.dtypes import BY_NAME, BY_SAFETENSORS, FLOATING, DType
from paramctl.edits.converted import Converted, convert
from paramctl.edits.values import with_entries
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.quantized import dequantized
from paramctl.slices import check_expansion

SHORT = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp64": "float64"}


def parse_dtype(dtype: object) -> DType:
    """Return the type that a name, `bfloat16`, `bf16` or safetensors' `BF16`, stands for.

    Or what is called so: `torch.bfloat16`, `numpy.float16`, the dtype of an array or of an entry.

    Raises:
        UsageError: it is no type of floating-point numbers.
    """
    text = getattr(dtype, "__name__", str(dtype)).removeprefix("torch.")
    found = BY_NAME.get(SHORT.get(text, text)) or BY_SAFETENSORS.get(text.upper())
    if found is None or found.name not in FLOATING:
        known = ", ".join(name for name in BY_NAME if name in FLOATING)
        raise UsageError(f"'{text}' is no type to cast to", hint=f"one of {known}")
    return found


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
    stored = [name for name in checkpoint if name not in checkpoint.aliases and name not in kept]
    return _cast_some(checkpoint, stored, dtype)


def cast_like(checkpoint: AnyCheckpoint, other: Checkpoint) -> AnyCheckpoint:
    """Give parameters of floating-point numbers the types that they have in another model."""
    stored: defaultdict[DType, list[str]] = defaultdict(list)
    for name in checkpoint:
        if name in other and name not in checkpoint.aliases:
            stored[other[name].dtype].append(name)
    for dtype, names in stored.items():
        if dtype.name in FLOATING:
            checkpoint = _cast_some(checkpoint, names, dtype)
    return checkpoint


def _cast_some(checkpoint: AnyCheckpoint, stored: Iterable[str], dtype: DType) -> AnyCheckpoint:
    """Cast the parameters that may be, and what is tied to them."""
    entries = [entry for name in stored if _may_cast(entry := checkpoint[name], dtype)]
    return with_entries(checkpoint, {entry.name: entry for entry in _cast(entries, dtype)})


def count_overflows(checkpoint: Checkpoint) -> dict[str, int]:
    """Return the parameters that were cast and read, and how many values had become too large."""
    stored = {n: e.storage for n, e in checkpoint.items() if n not in checkpoint.aliases}
    sources = {storage.source for storage in stored.values() if storage}
    counts = {id(each): each.count_overflows() for each in sources if isinstance(each, Converted)}
    return {
        name: count
        for name, storage in stored.items()
        if storage and (count := counts.get(id(storage.source), {}).get(storage.offset))
    }


def _may_cast(entry: Entry, dtype: DType) -> bool:
    is_number = dequantized(entry).dtype.name in FLOATING and entry.dtype != dtype
    return is_number and entry.layout in (*ARRAYS, PLANNED)


def _cast(entries: Iterable[Entry], dtype: DType) -> Iterator[Entry]:
    """Yield entries in another type, with their values where they have some."""
    stored = []
    for entry in entries:
        if entry.storage is None:
            yield entry._replace(dtype=dtype)
        else:
            check_expansion(entry, entry.nbytes, entry.storage.nbytes)
            stored.append(entry)
    yield from convert(stored, dtype)
