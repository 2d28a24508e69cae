"""The formats that a model is written in, and which of them the name of a file asks for."""

import os
from importlib import import_module
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.doors import Spelling
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
ONNX = "ONNX"
READ_ONLY = {
    "npy": (".npy",),
    "GGUF": (".gguf",),
    ONNX: (".onnx",),
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
    """Return the format that a name's suffix stands for: safetensors where it has none, "" if none.

    A name without a suffix says nothing, and is no misspelt one: `-o out` is safetensors.
    """
    suffix = _suffix(path)
    if not suffix:
        return SAFETENSORS
    return next((name for name, suffixes in _SUFFIXES.items() if suffix in suffixes), "")


def is_exported(path: str) -> bool:
    """Whether what is written under a name is a model that computes, not its values alone."""
    return find_format(path) == ONNX


def choose_format(path: str | os.PathLike[str], *, is_sharded: bool) -> str:
    """Return the format to write under a name; a folder of files of a size is safetensors.

    Raises:
        UsageError: its suffix stands for no format, or for one that is not written, or not in
            files of a size.
    """
    named, file = find_format(path), os.fspath(path)
    if is_sharded:
        if named in ("", SAFETENSORS):
            return SAFETENSORS
        what = f"files of at most a size are safetensors, not {named}"
        raise UsageError(what, hint="name a folder, or leave the size out", file=file)
    if named in FORMATS:
        return named
    what = f"{named} is not written" if named else f"'{_suffix(path)}' is no format's suffix"
    is_computed = Spelling("", "; export() writes what computes") if named == ONNX else ""
    raise UsageError(what, hint=(f"name it {_known_suffixes()}", is_computed), file=file)


def _suffix(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(os.fspath(path).rstrip(os.sep))[1].lower()


def _known_suffixes() -> str:
    """Return how the names of files end that are written."""
    *most, last = (suffix for each in FORMATS.values() for suffix in each.suffixes)
    return f"{', '.join(most)} or {last}"


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of a model in the format of the options.

    Raises:
        ParamctlError: the format has no place for something in it; names it.
    """
    module = import_module(f"paramctl.writer.{FORMATS[options.format].module}")
    planned: Plan = module.plan(checkpoint, options)
    return planned
