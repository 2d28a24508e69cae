"""The formats that a model is written in, and which of them the name of a file asks for."""

import os
from importlib import import_module
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError
from paramctl.writer.layout import Plan
from paramctl.writer.options import DCP, SAFETENSORS, WriteOptions


class Format(NamedTuple):
    """A format of files: how their names end, and the module here whose `plan` lays one out."""

    suffixes: tuple[str, ...]
    module: str


FORMATS = {
    SAFETENSORS: Format((".safetensors",), "safetensors"),
    "torch": Format((".pt", ".pth", ".bin", ".ckpt"), "torch_zip"),
    "npz": Format((".npz",), "npz"),
    DCP: Format((".dcp",), "dcp"),
}
READ_ONLY = {
    "npy": (".npy",),
    "GGUF": (".gguf",),
    "ONNX": (".onnx",),
    "HDF5": (".h5", ".hdf5"),
    "Keras": (".keras",),
    "msgpack": (".msgpack",),
    "torch.export": (".pt2",),
    "JSON": (".json",),
    "YAML": (".yaml", ".yml"),
}
"""How the names of files end that are read and not written, by their format."""

_SUFFIXES = {name: each.suffixes for name, each in FORMATS.items()} | READ_ONLY


def find_format(path: str | os.PathLike[str]) -> str:
    """Return the format that the end of a file's name stands for, "" where it stands for none."""
    suffix = os.path.splitext(os.fspath(path).rstrip(os.sep))[1].lower()
    return next((name for name, suffixes in _SUFFIXES.items() if suffix in suffixes), "")


def choose_format(path: str | os.PathLike[str], *, is_sharded: bool) -> str:
    """Return the format that a name asks for, "" where it asks for none.

    Raises:
        UsageError: it is not written, or not in files of a size.
    """
    named = find_format(path)
    if is_sharded and named not in ("", SAFETENSORS):
        raise UsageError(
            f"files of at most a size are safetensors, not {named}",
            hint="name a folder, or leave the size out",
            file=os.fspath(path),
        )
    if named in READ_ONLY:
        raise UsageError(f"{named} is not written", hint=known_suffixes(), file=os.fspath(path))
    return named


def known_suffixes() -> str:
    """Return how the names of files end that are written."""
    return ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of a model in the format of the options.

    Raises:
        ParamctlError: the format has no place for something in it; names it.
    """
    module = import_module(f"paramctl.writer.{FORMATS[options.format].module}")
    planned: Plan = module.plan(checkpoint, options)
    return planned
