"""The formats that are read, and which of them a file is in."""

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import NamedTuple

from paramctl.errors import MalformedError
from paramctl.formats.sniffing import HDF5_MAGIC, PICKLE, Opening, Reader
from paramctl.sources import Source

TORCH_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch's 0x1950a86a20f9469cfc6c
DCP_MARK = b"torch.distributed.checkpoint.metadata"  # in the pickle of .metadata
KERAS_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
YAML_SUFFIXES = (".yaml", ".yml")

_INDEX = re.compile(rb'"weight_map"\s*:')
_KERAS_INDEX = re.compile(rb'"weight_map"\s*:\s*\{\s*"/')  # of paths, each of a group
_CONFIG = re.compile(rb'"(?:model_type|architectures)"\s*:')
_SPEC = re.compile(rb"""(?:^|[{,])[ \t]*["']?(?:layers|define)["']?[ \t]*:""", re.MULTILINE)
_FLAX = re.compile(
    rb"\x80\Z|(?:[\x81-\x8f]|\xde..|\xdf\0...)(?:[\xa1-\xbf]|\xd9.)[^\0-\x1f]", re.DOTALL
)
"""A map with a text as its first key, or an empty one."""

_ONNX = re.compile(rb"\x08[\x01-\x1f](?:[\x12\x1a\x22\x32\x3a\x42\x72]|\x28.|$)", re.DOTALL)
"""A version of the format, and the mark of what may come next: protobuf has no magic number."""


class Format(NamedTuple):
    """A format: the module in `paramctl.formats` whose `read` reads it, and how it is told."""

    module: str
    sniffs: Callable[[Opening], object]


FORMATS = (
    Format("npz", lambda file: file.first_member.endswith(".npy") or file.is_empty_zip),
    Format("npy", lambda file: file.head.startswith(b"\x93NUMPY")),
    Format("torch.zip", lambda file: "/" in file.first_member),
    Format("keras", lambda file: file.first_member in KERAS_MEMBERS),
    Format("gguf", lambda file: file.head.startswith(b"GGUF")),
    Format("torch.legacy", lambda file: file.head.startswith(TORCH_MAGIC)),
    Format("dcp", lambda file: file.head[:1] == PICKLE and DCP_MARK in file.head),
    Format("hdf5.file", lambda file: file.head.startswith(HDF5_MAGIC)),
    Format("flax", lambda file: _FLAX.match(file.head) and file.head[8:9] != b"{"),
    Format("keras_shards", lambda file: file.is_json and _KERAS_INDEX.search(file.text)),
    Format(
        "huggingface",
        lambda file: file.is_json and _CONFIG.search(file.text) and not _INDEX.search(file.text),
    ),
    Format("spec", lambda file: _SPEC.search(file.text)),
    Format("onnx", lambda file: _ONNX.match(file.head) and file.head[4:8] != bytes(4)),
    Format("sharded", lambda file: file.is_json),
    Format("safetensors", lambda file: file.head[8:9] == b"{"),
)
"""The first that knows a file reads it."""

GUESSES = (
    Format("torch.zip", lambda file: file.is_zip),
    Format("hdf5.file", lambda file: not file.is_unread and _has_superblock(file.source)),
    Format("spec", lambda file: _is_named_yaml(file.source) and not file.is_unread),
    Format("safetensors", lambda file: file.may_be_cut_header),
)
"""Of a file that nobody knows by its first bytes: an HDF5 file behind a user block, or else the
reader that says best what is wrong with it."""


def find_reader(source: Source) -> Reader:
    """Return the reader of the format that `source` is in.

    Raises:
        MalformedError: it is empty, in no format that paramctl reads, or in two at once.
        UsageError: a package that offers a format is broken.
    """
    if not source.size and not _is_named_yaml(source):
        raise MalformedError("file is empty")
    file = Opening(source)
    name, reader = _find_own(FORMATS, file) or _find_offered(file) or _guess(file)
    file.check_unambiguous(name)
    return reader


def _find_own(formats: Iterable[Format], file: Opening) -> tuple[str, Reader] | None:
    for name, sniffs in formats:
        if sniffs(file):
            return name, import_module(f"paramctl.formats.{name}").read
    return None


def _find_offered(file: Opening) -> tuple[str, Reader] | None:
    from paramctl.formats.plugins import find_plugin  # noqa: PLC0415 (seldom needed)

    return find_plugin(file.head)


def _guess(file: Opening) -> tuple[str, Reader]:
    found = _find_own(GUESSES, file)
    if found is None:
        raise MalformedError(file.describe_unknown())
    return found


def _has_superblock(source: Source) -> bool:
    from paramctl.formats.hdf5.superblock import find_superblock  # noqa: PLC0415 (seldom needed)

    return find_superblock(source) is not None


def _is_named_yaml(source: Source) -> bool:
    return source.name.endswith(YAML_SUFFIXES)
