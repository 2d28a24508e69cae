"""Tell a format by its first bytes."""

import re
from collections.abc import Callable
from importlib import import_module

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError
from paramctl.sources import Source

Reader = Callable[[Source, ReadOptions], Checkpoint]

HEAD_BYTES = 512
TORCH_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch's 0x1950a86a20f9469cfc6c
ZIP_HEADER, ZIP_END, ZIP_END_BYTES = b"PK\x03\x04", b"PK\x05\x06", 22
PICKLE = b"\x80"  # the PROTO opcode, with which every pickle since protocol 2 begins
TAR_MAGIC = slice(257, 262)
YAML_SUFFIXES = (".yaml", ".yml")  # of a text that has no key of a spec, but was to be one
MAX_TEXT = 1 << 20  # bytes of a text in which its keys are looked for

_TEXT = re.compile(rb"[\t\n\r -~\x80-\xff]{8}|[\t\n\r -~]{0,7}\Z")
_INDEX = re.compile(rb'"weight_map"\s*:')
_CONFIG = re.compile(rb'"(?:model_type|architectures)"\s*:')
_SPEC = re.compile(rb"""(?:^|[{,])[ \t]*["']?(?:layers|define)["']?[ \t]*:""", re.MULTILINE)

UNREAD = (
    (b"GGUF", "a GGUF file"),
    (b"\x93NUMPY", "a numpy .npy file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: run 'git lfs pull'"),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"BZh", "a bzip2 file: unpack it first"),
    (b"\xfd7zXZ\x00", "an xz file: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file: unpack it first"),
    (b"<!DOCTYPE", "a web page, perhaps an error message saved under this name"),
    (b"<html", "a web page, perhaps an error message saved under this name"),
    (b"PK\x05\x06", "an empty zip archive"),
)


def find_reader(source: Source) -> Reader:
    """Return the reader of the format that `source` is in.

    Raises:
        MalformedError: it is empty, in no format that paramctl reads, or in two at once.
    """
    if not source.size and not source.name.endswith(YAML_SUFFIXES):
        raise MalformedError("file is empty")
    head = source.read(0, min(HEAD_BYTES, source.size))
    name = _identify(source, head)
    if name is None:
        raise MalformedError(_describe_unknown(head))
    if name != "torch.zip":
        _refuse_hidden_zip(source, name)
    elif head[TAR_MAGIC] == b"ustar":
        raise MalformedError("ambiguous: both a zip and a tar archive")
    reader: Reader = import_module(f"paramctl.formats.{name}").read
    return reader


def _identify(source: Source, head: bytes) -> str | None:
    if head.startswith(ZIP_HEADER) and head[8:9] != b"{":
        return "torch.zip"
    if head.startswith(TORCH_MAGIC):
        return "torch.legacy"
    if name := _identify_text(source, head):
        return name
    if head[8:9] == b"{":
        return "safetensors"
    if source.name.endswith(YAML_SUFFIXES) and not _has_known_magic(head):
        return "spec"
    return "safetensors" if _may_be_cut_header(source, head) else None


def _identify_text(source: Source, head: bytes) -> str | None:
    """Tell JSON and YAML by their keys; the length of a safetensors header is no text."""
    if not _TEXT.match(head) or _has_known_magic(head):
        return None
    text = source.read(0, min(MAX_TEXT, source.size))
    is_json = head.lstrip().startswith(b"{")
    if is_json and not _INDEX.search(text) and _CONFIG.search(text):
        return "huggingface"
    if _SPEC.search(text):
        return "spec"
    return "sharded" if is_json else None


def _has_known_magic(head: bytes) -> bool:
    return any(head.lower().startswith(magic.lower()) for magic, _ in UNREAD)


def _may_be_cut_header(source: Source, head: bytes) -> bool:
    """Whether this looks like a safetensors length with a broken header: worth its own error."""
    return (
        not _has_known_magic(head)
        and head[:1] != PICKLE
        and (source.size < 8 or head[4:8] == bytes(4) or head[:8] == b"\xff" * 8)
    )


def _refuse_hidden_zip(source: Source, name: str) -> None:
    """Refuse a file that a zip reader, which looks from the end, would take for an archive."""
    tail = source.read(
        source.size - min(source.size, ZIP_END_BYTES), min(source.size, ZIP_END_BYTES)
    )
    if tail.startswith(ZIP_END) and tail.endswith(b"\0\0"):
        raise MalformedError(f"ambiguous: both a {name.replace('.', ' ')} file and a zip archive")


def _describe_unknown(head: bytes) -> str:
    for magic, description in UNREAD:
        if head.lower().startswith(magic.lower()):
            return f"this is {description}" if ":" in description else f"not read: {description}"
    if head[TAR_MAGIC] == b"ustar":
        return "not read: a tar archive (torch before 0.1.10, or a package)"
    if head[:1] == PICKLE:
        return "a pickle, but not a torch checkpoint"
    return (
        "in no format that paramctl reads (safetensors, torch .pt, a sharded model's index, "
        "a spec, a config.json)"
    )
