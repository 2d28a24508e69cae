"""What a safetensors file holds, byte for byte: the header, and the entries in the data's order.

The order, the padding and the spelling are those of the safetensors library, so that a model that
nobody changed is written as `save_file` writes it. Source: safetensors/src/tensor.rs, `prepare`.
"""

import json
from collections.abc import Iterable, Mapping

from paramctl.checkpoint import MAX_HEADER_BYTES, Checkpoint, Entry
from paramctl.errors import MalformedError, UsageError
from paramctl.writer import metadata
from paramctl.writer.contents import choose
from paramctl.writer.holders import tell_holders
from paramctl.writer.layout import Layout, Plan, Stored, literal
from paramctl.writer.options import WriteOptions

ALIGNMENT = 8
METADATA = "__metadata__"
DATA_ORDER = (
    *("U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16"),
    *("F8_E5M2FNUZ", "F8_E4M3FNUZ", "F8_E8M0", "F8_E4M3", "F8_E5M2", "I8", "U8"),
    *("F6_E3M2", "F6_E2M3", "F4", "BOOL"),
)
RANKS = {spelling: rank for rank, spelling in enumerate(DATA_ORDER)}
PACKED = {"float4_e2m1fn_x2": "F4"}  # two values in an element: the last dimension counts values

_quote = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the one file that holds a model.

    Raises:
        ParamctlError: it cannot be written; the class says why.
    """
    contents = choose(checkpoint, options)
    texts = metadata.of_file(checkpoint, contents.aliases)
    notes = contents.notes + metadata.note_namesakes(checkpoint, texts)
    return Plan(lay_out(contents.entries, texts), notes)


def lay_out(entries: Iterable[Entry], metadata: Mapping[str, str]) -> Layout:
    """Plan the file that holds these entries.

    Raises:
        MalformedError: the header would be longer than the format allows.
        UsageError: the format has no place for an entry; names it.
    """
    ordered = sorted(entries, key=lambda entry: (RANKS[spell(entry)[0]], entry.name))
    members = [f'"{METADATA}":{_quote(dict(metadata))}'] if metadata else []
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
    return Layout((literal(header), Stored(tuple(ordered), position)), len(header) + position)


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
        UsageError: the format has no such dtype, or no place for such a name.
    """
    if entry.name == METADATA:
        raise UsageError(f"no tensor can be named '{METADATA}' in safetensors", hint="rename it")
    if entry.dtype.safetensors:
        return entry.dtype.safetensors, entry.shape
    if entry.dtype.name in PACKED and entry.shape:
        return PACKED[entry.dtype.name], (*entry.shape[:-1], 2 * entry.shape[-1])
    what = f"'{entry.name}': safetensors has no dtype for {entry.dtype.name}"
    raise UsageError(what, hint=tell_holders(entry.dtype))
