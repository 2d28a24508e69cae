"""The formats that a model is written in, and which of them the name of a file asks for."""

import os
from importlib import import_module
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
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


def find_format(path: str | os.PathLike[str]) -> str:
    """Return the format that the end of a file's name stands for, "" where it stands for none."""
    suffix = os.path.splitext(os.fspath(path).rstrip(os.sep))[1].lower()
    return next((name for name, each in FORMATS.items() if suffix in each.suffixes), "")


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of a model in the format of the options.

    Raises:
        ParamctlError: the format has no place for something in it; names it.
    """
    module = import_module(f"paramctl.writer.{FORMATS[options.format].module}")
    planned: Plan = module.plan(checkpoint, options)
    return planned
