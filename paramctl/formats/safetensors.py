"""The safetensors format: a JSON header that says where each tensor's bytes lie.

The header is matched by regular expressions that know what may stand where, so that a wrong
token ends the reading at once: a general JSON parser takes 2 GB to build what it then rejects.
Source: https://github.com/huggingface/safetensors, README, "Format".
"""

import re
from operator import itemgetter

from paramctl.checkpoint import MAX_HEADER_BYTES, Checkpoint, Entry, ReadOptions, Storage
from paramctl.dtypes import BY_SAFETENSORS
from paramctl.errors import AGAIN, LimitError, MalformedError
from paramctl.formats.headers import check_header
from paramctl.formats.utf8 import decode_utf8
from paramctl.sources import Source
from paramctl.ties import resolve_declared

MAX_DIMENSION = 2**48 - 1  # the format's JSON schema
MAX_METADATA = 1_000_000  # pairs; each costs about 200 bytes of memory

_WS = r"[ \t\n\r]*+"
_COMMA = rf"{_WS},{_WS}"
_COLON = rf"{_WS}:{_WS}"
_STRING = r'"([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)"'
_NUMBER = r"(?:0|[1-9][0-9]{0,19})"
_DTYPE = r'"([A-Z0-9_]+)"'
_SHAPE = rf"\[{_WS}((?:{_NUMBER}(?:{_COMMA}{_NUMBER}){{0,63}}+)?){_WS}\]"
_OFFSETS = rf"\[{_WS}({_NUMBER}){_COMMA}({_NUMBER}){_WS}\]"
_FIELDS = {"dtype": _DTYPE, "shape": _SHAPE, "data_offsets": _OFFSETS}
_ANY_FIELD = "|".join(f'"{name}"{_COLON}{value}' for name, value in _FIELDS.items())
_ENTRY = re.compile(
    rf"{_WS}{_STRING}{_COLON}\{{{_WS}"
    rf'(?:(?:{_ANY_FIELD}){_WS}(?:,{_WS}(?=")|(?=\}}))){{3}}\}}{_WS}([,}}])'
)
_METADATA = re.compile(rf'{_WS}"__metadata__"{_COLON}(?:null{_WS}([,}}])|\{{)')
_PAIR = re.compile(rf"{_WS}{_STRING}{_COLON}{_STRING}{_WS}([,}}])")
_KEY = re.compile(rf"{_WS}{_STRING}{_COLON}")
_SEPARATOR = re.compile(rf"{_WS}([,}}])")
_VALUES = {
    "dtype": (re.compile(_DTYPE), "the name of a dtype"),
    "shape": (re.compile(_SHAPE), "a list of at most 64 whole numbers"),
    "data_offsets": (re.compile(_OFFSETS), "two whole numbers"),
}

Tensor = tuple[str, str, tuple[int, ...], int, int]  # name, dtype, shape, begin, end


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read the header; no byte of a tensor is touched.

    Raises:
        MalformedError: the header breaks a rule of the format, or the file is truncated.
        LimitError: the header is longer than the options allow.
    """
    length = _header_length(source, options.max_header_bytes)
    tensors, metadata = parse_header(decode_utf8(source.read(8, length), "header"))
    start = 8 + length
    _check_cover(tensors, source.size - start)
    entries = {
        name: Entry(name, BY_SAFETENSORS[dtype], shape, Storage(source, start + begin, end - begin))
        for name, dtype, shape, begin, end in tensors
    }
    checkpoint = Checkpoint(source.name, "safetensors", entries, metadata=metadata)
    resolve_declared(checkpoint)
    return checkpoint


def _header_length(source: Source, limit: int) -> int:
    if source.size < 8:
        what = f"too short for a header length: {source.size} bytes of 8"
        raise MalformedError(what, hint=AGAIN)
    length = int.from_bytes(source.read(0, 8), "little")
    if length > MAX_HEADER_BYTES:
        raise MalformedError(f"header length {length} is over the format's {MAX_HEADER_BYTES}")
    if length > source.size - 8:
        raise MalformedError(
            f"truncated: the header needs {length} bytes, the file has {source.size - 8} more",
            hint=AGAIN,
        )
    check_header("header", length, limit)
    return length


def parse_header(text: str) -> tuple[list[Tensor], dict[str, str]]:
    """Parse a header into its tensors, in order, and its metadata.

    Raises:
        MalformedError: a rule of the format is broken; names the entry and the character.
    """
    if not text.startswith("{"):
        raise MalformedError("header does not start with '{'", where="offset 8")
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] | None = None
    position, separator = (1, ",")
    if empty := _SEPARATOR.match(text, 1):
        position, separator = empty.end(), empty[1]
        if separator == ",":
            raise _explain(text, 1)
    while separator == ",":
        if match := _ENTRY.match(text, position):
            name, dtype, shape, begin, end, separator = match.groups()
            tensor = _tensor(_unescape(name), dtype, shape, begin, end)
            if tensor[0] in tensors:
                raise MalformedError(f"tensor '{tensor[0]}' is listed twice")
            tensors[tensor[0]] = tensor
            position = match.end()
        elif match := _METADATA.match(text, position):
            if metadata is not None:
                raise MalformedError("__metadata__ is given twice")
            metadata, position, separator = _parse_metadata(text, match)
        else:
            raise _explain(text, position)
    if text[position:].strip(" \t\n\r"):
        raise MalformedError("characters after the header's end", where=f"offset {8 + position}")
    return list(tensors.values()), metadata or {}


def _parse_metadata(text: str, head: re.Match[str]) -> tuple[dict[str, str], int, str]:
    if head[1]:  # null stands for none
        return {}, head.end(), head[1]
    metadata: dict[str, str] = {}
    position, separator = head.end(), ","
    if (empty := _SEPARATOR.match(text, position)) and empty[1] == "}":
        position, separator = empty.end(), "}"
    while separator == ",":
        pair = _PAIR.match(text, position)
        if not pair:
            raise MalformedError(
                "__metadata__ is not a list of strings by name", where=f"offset {8 + position}"
            )
        key, value = _unescape(pair[1]), _unescape(pair[2])
        if key in metadata:
            raise MalformedError(f"__metadata__ holds the key '{key}' twice")
        if len(metadata) == MAX_METADATA:
            raise LimitError(f"__metadata__ holds more than {MAX_METADATA} pairs")
        metadata[key] = value
        position, separator = pair.end(), pair[3]
    after = _SEPARATOR.match(text, position)
    if not after:
        raise MalformedError("header ends inside __metadata__", where=f"offset {8 + position}")
    return metadata, after.end(), after[1]


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    import json  # noqa: PLC0415 (few names hold an escape)

    try:
        plain: str = json.loads(f'"{text}"')
        plain.encode()
    except ValueError as error:
        raise MalformedError(f"string '{text}' holds an invalid escape") from error
    return plain


def _tensor(name: str, dtype: str | None, shape: str | None, begin: str | None, end: str) -> Tensor:
    if dtype is None or shape is None or begin is None:
        missing = "dtype" if dtype is None else "shape" if shape is None else "data_offsets"
        raise MalformedError(f"tensor '{name}' has no {missing}, another field is given twice")
    if dtype not in BY_SAFETENSORS:
        raise MalformedError(f"tensor '{name}' has the unknown dtype '{dtype}'")
    if name == "__metadata__":
        raise MalformedError("__metadata__ is not a list of strings by name")
    sizes = tuple(map(int, shape.split(","))) if shape else ()
    return name, dtype, sizes, int(begin), int(end)


def _check_cover(tensors: list[Tensor], size: int) -> None:
    """Check that the tensors fill the data exactly: no hole, no overlap, nothing beyond."""
    position = 0
    for name, dtype, shape, begin, end in sorted(tensors, key=itemgetter(3, 4)):
        if begin != position:
            what = "overlaps another tensor" if begin < position else "leaves a hole before it"
            raise MalformedError(f"tensor '{name}' {what}: it begins at {begin}, not at {position}")
        _check_size(name, dtype, shape, begin, end)
        position = end
    if position > size:
        what = f"truncated: the tensors need {position} bytes, there are {size}"
        raise MalformedError(what, hint=AGAIN)
    if position < size:
        raise MalformedError(f"{size - position} bytes after the last tensor")


def _check_size(name: str, dtype: str, shape: tuple[int, ...], begin: int, end: int) -> None:
    bits = BY_SAFETENSORS[dtype].bits
    for dimension in shape:
        bits *= dimension
    if bits != 8 * (end - begin):
        if bits % 8:
            raise MalformedError(f"tensor '{name}' of {bits} bits does not fill whole bytes")
        raise MalformedError(
            f"tensor '{name}' {dtype} {list(shape)} takes {bits // 8} bytes, "
            f"its data_offsets [{begin}, {end}] give it {end - begin}"
        )
    if not bits and max(shape) > MAX_DIMENSION:
        raise MalformedError(f"tensor '{name}' has a dimension of {max(shape)}, over 2^48 - 1")


def _explain(text: str, position: int) -> MalformedError:
    """Say what is wrong with the member of the header that begins at `position`."""
    key = _KEY.match(text, position)
    if not key:
        return MalformedError(
            "header is not valid JSON: a name in quotes and a colon are missing",
            where=f"offset {8 + position}",
        )
    name = _unescape(key[1])
    if name == "__metadata__":
        return MalformedError("__metadata__ is not an object", where=f"offset {8 + key.end()}")
    if not text.startswith("{", key.end()):
        return MalformedError(f"tensor '{name}' is not an object", where=f"offset {8 + key.end()}")
    return _explain_fields(text, key.end() + 1, name)


def _explain_fields(text: str, position: int, name: str) -> MalformedError:
    missing = dict.fromkeys(_FIELDS)
    while key := _KEY.match(text, position):
        where = f"offset {8 + key.end()}"
        if key[1] not in _FIELDS:
            return MalformedError(f"tensor '{name}' has the unknown field '{key[1]}'", where=where)
        if key[1] not in missing:
            return MalformedError(f"tensor '{name}' has the field {key[1]} twice", where=where)
        del missing[key[1]]
        pattern, wanted = _VALUES[key[1]]
        value = pattern.match(text, key.end())
        if not value:
            return MalformedError(f"tensor '{name}': {key[1]} is not {wanted}", where=where)
        separator = _SEPARATOR.match(text, value.end())
        if not separator:
            break
        position = separator.end()
        if separator[1] == "}":
            break
    if missing:
        return MalformedError(f"tensor '{name}' has no {', '.join(missing)}")
    return MalformedError(f"tensor '{name}' is not valid JSON", where=f"offset {8 + position}")
