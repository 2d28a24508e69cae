"""GGUF, the format of llama.cpp and other programs on ggml: a model in a file, or in several parts.

A shape is in numpy's order, GGUF lists the size of the rows first. Parts have names as `gguf-split`
of llama.cpp gives them, and are found by these.
"""

import os
import re

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions, Storage
from paramctl.errors import LimitError, MalformedError, blaming
from paramctl.formats.gguf.header import Header, read_header
from paramctl.formats.missing import ABSENT, shorten
from paramctl.sources import Source

MAX_PARTS = 10_000
PART_NAME = "{}-{:05}-of-{:05}.gguf"
OF_PARTS = "split."  # what keys begin with that are not of the model
NUMBER, COUNT = "split.no", "split.count"  # of the first part, the number is 0

_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read the header of a file, and those of the others where it is a part of several.

    Raises:
        MalformedError: a header breaks a rule of the format, or parts contradict each other.
        LimitError: a header is longer than the options allow, or there are too many parts.
    """
    header = read_header(source, options.max_header_bytes)
    if _number(header, COUNT) > 1:
        return _read_parts(source, header, options)
    checkpoint = Checkpoint(source.name, "gguf", {}, metadata=header.metadata)
    checkpoint.complaints = tuple(_add(checkpoint, source, header))
    return checkpoint


def _add(checkpoint: Checkpoint, source: Source, header: Header) -> list[str]:
    """Add a file's tensors; return what is wrong with it."""
    for tensor in header.tensors:
        name, dtype, shape, offset = tensor
        if name in checkpoint.entries:
            raise MalformedError(f"tensor '{name}' is in two of the files")
        storage = Storage(source, header.start + offset, tensor.nbytes, "", header.big_endian)
        checkpoint.entries[name] = Entry(name, dtype, shape, storage)
    return [f"{header.excess} bytes after the last tensor"] if header.excess else []


def _read_parts(source: Source, header: Header, options: ReadOptions) -> Checkpoint:
    count, own = _number(header, COUNT), _number(header, NUMBER)
    if count > MAX_PARTS:
        raise LimitError(f"one of {count} parts, over the limit of {MAX_PARTS}")
    checkpoint = Checkpoint(source.name, "sharded gguf", {}, holds=f"{count} files")
    stem = _stem(source, own, count)
    complaints: list[str] = []
    for number in range(count):
        file = PART_NAME.format(stem, number + 1, count)
        part = source if number == own else source.beside(file, follow=options.follow)
        if part is None:
            checkpoint.entries[file] = ABSENT._replace(name=file)
            checkpoint.missing[file] = f"{file} is not there; put it beside the others"
            complaints.append(f"{file} is missing")
            continue
        with blaming(part.name):
            held = header if part is source else _read_other(part, number, count, options)
            complaints += _add(checkpoint, part, held)
        checkpoint.metadata = held.metadata | checkpoint.metadata
    of_model = ((k, v) for k, v in checkpoint.metadata.items() if not k.startswith(OF_PARTS))
    checkpoint.metadata = dict(of_model)
    checkpoint.complaints = shorten(complaints)
    return checkpoint


def _stem(source: Source, own: int, count: int) -> str:
    """Return what the names of all parts begin with."""
    name = _PART.fullmatch(os.path.basename(source.name))
    if name is None or (int(name[2]), int(name[3])) != (own + 1, count):
        what = f"part {own + 1} of {count}"
        if source.is_alone:
            raise MalformedError(what, hint="name the file itself, the others lie beside it")
        wanted = PART_NAME.format("MODEL", own + 1, count)
        raise MalformedError(
            f"{what}, whose name does not say so",
            hint=f"name it {wanted}, the others lie beside it",
        )
    return name[1]


def _read_other(source: Source, number: int, count: int, options: ReadOptions) -> Header:
    """Read the header of another part, which must say that it is this one."""
    header = read_header(source, options.max_header_bytes)
    if (_number(header, NUMBER), _number(header, COUNT)) != (number, count):
        raise MalformedError(f"not part {number + 1} of {count}, as its name says")
    source.check_unchanged()
    source.release()
    return header


def _number(header: Header, key: str) -> int:
    number = header.metadata.get(key, 0)
    if type(number) is not int or number < 0:
        raise MalformedError(f"{key} is no number: {number}")
    return number
