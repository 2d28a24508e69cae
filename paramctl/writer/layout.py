"""What a safetensors file holds, byte for byte: the header, and the entries in the data's order.

The order, the padding and the spelling are those of the safetensors library, so that a model that
nobody changed is written as `save_file` writes it. Source: safetensors/src/tensor.rs, `prepare`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from paramctl.checkpoint import MAX_HEADER_BYTES, MISSING, PLANNED, Entry, Storage
from paramctl.errors import MalformedError, UsageError
from paramctl.slices import check_expansion, check_extent, is_row_major

ALIGNMENT = 8

LAZY = ("strided", "conjugate", "negative", "conjugate-negative")  # what has values of its own
DATA_ORDER = (
    *("U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16"),
    *("F8_E5M2FNUZ", "F8_E4M3FNUZ", "F8_E8M0", "F8_E4M3", "F8_E5M2", "I8", "U8"),
    *("F6_E3M2", "F6_E2M3", "F4", "BOOL"),
)
RANKS = {spelling: rank for rank, spelling in enumerate(DATA_ORDER)}
PACKED = {"float4_e2m1fn_x2": "F4"}  # two values in an element: the last dimension counts values

_quote = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Layout(NamedTuple):
    """A file: its first bytes, whose tensors follow in which order, and its size."""

    header: bytes
    entries: tuple[Entry, ...]
    nbytes: int


def lay_out(entries: Iterable[Entry], metadata: Mapping[str, str]) -> Layout:
    """Plan the file that holds these entries.

    Raises:
        MalformedError: the header would be longer than the format allows.
        UsageError: the format has no place for an entry; names it.
    """
    ordered = sorted(entries, key=lambda entry: (RANKS[spell(entry)[0]], entry.name))
    members = [f'"__metadata__":{_quote(dict(metadata))}'] if metadata else []
    position = 0
    for entry in ordered:
        dtype, shape = spell(entry)
        end = position + entry.nbytes
        members.append(
            f'{_quote(entry.name)}:{{"dtype":"{dtype}","shape":[{",".join(map(str, shape))}],'
            f'"data_offsets":[{position},{end}]}}'
        )
        position = end
    header = _pad(f"{{{','.join(members)}}}")
    return Layout(header, tuple(ordered), len(header) + position)


def _pad(text: str) -> bytes:
    try:
        header = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the metadata holds text that is not Unicode") from error
    header += b" " * (-len(header) % ALIGNMENT)
    if len(header) > MAX_HEADER_BYTES:
        raise MalformedError(
            f"the header would take {len(header)} bytes, over the format's {MAX_HEADER_BYTES}"
        )
    return len(header).to_bytes(8, "little") + header


def spell(entry: Entry) -> tuple[str, tuple[int, ...]]:
    """Return the format's dtype and shape of an entry.

    Raises:
        UsageError: the format has no such dtype.
    """
    if entry.dtype.safetensors:
        return entry.dtype.safetensors, entry.shape
    if entry.dtype.name in PACKED and entry.shape:
        return PACKED[entry.dtype.name], (*entry.shape[:-1], 2 * entry.shape[-1])
    raise UsageError(f"'{entry.name}': safetensors has no dtype for {entry.dtype.name}")


def check_entries(entries: Iterable[Entry]) -> None:
    """Check that each entry can be written, before anything is.

    Raises:
        UsageError: it has no values laid out as an array, or a dtype or a name of no safetensors.
        MalformedError: it is not in its file, or reaches past its storage.
        LimitError: it is expanded to far more bytes than there are.
    """
    sharing: dict[Storage, int] = {}
    for entry in entries:
        storage = storage_of(entry)
        spell(entry)
        _check_name(entry)
        check_extent(entry, storage.nbytes)
        if entry.dtype.bits % 8 and not is_row_major(entry):
            raise UsageError(f"'{entry.name}': elements of {entry.dtype.name} cannot be picked")
        shared = sharing[storage] = sharing.get(storage, 0) + entry.nbytes
        check_expansion(entry, shared, storage.nbytes)


def storage_of(entry: Entry) -> Storage:
    """Return where an entry's elements lie.

    Raises:
        UsageError: it is no plain tensor.
        MalformedError: it is not in its file.
    """
    if entry.layout == MISSING:
        raise MalformedError(f"'{entry.name}' is missing: it cannot be written")
    if entry.layout == PLANNED:
        what = f"'{entry.name}' has no values yet: only its shape and its type are known"
        raise UsageError(what, hint="paramctl init gives it some")
    if entry.layout not in LAZY or entry.storage is None:
        raise UsageError(
            f"'{entry.name}' is {entry.layout}: safetensors holds plain tensors only",
            hint="drop it, or make it dense",
        )
    return entry.storage


def _check_name(entry: Entry) -> None:
    if entry.name == "__metadata__":
        raise UsageError("no tensor can be named '__metadata__' in safetensors", hint="rename it")
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the name '{entry.name}' is not Unicode", hint="rename it") from error
