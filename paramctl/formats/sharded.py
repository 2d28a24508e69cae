"""Sharded models: an index that says which file holds which tensor, and these files beside it.

Source: huggingface_hub's `save_torch_state_dict`, `model.safetensors.index.json`.
"""

import os
from typing import Any

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions
from paramctl.dtypes import UNKNOWN
from paramctl.errors import FileError, LimitError, MalformedError, UnsafeError, blaming
from paramctl.formats.sniffing import find_reader
from paramctl.formats.strict_json import load_json
from paramctl.sources import FileSource, Source
from paramctl.ties import resolve_declared

MAX_SHARDS = 10_000
MISSING = Entry("", UNKNOWN, (), None, layout="missing")


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read an index and the header of every file that it names.

    Raises:
        MalformedError: the index is not one, or the files and it contradict each other.
        UnsafeError: it names a file that does not stand beside it.
        LimitError: it is longer than the options allow, or names too many files.
    """
    if source.size > options.max_header_bytes:
        raise LimitError(
            f"index of {source.size} bytes is over the limit of {options.max_header_bytes}",
            hint=f"--max-header-bytes {source.size} reads it",
        )
    index = load_json(source.read(0, source.size), "index")
    weight_map = _weight_map(index)
    if not isinstance(source, FileSource) or not source.path:
        raise FileError(
            "an index on standard input", hint="name the file: its shards lie beside it"
        )
    shards: dict[str, list[str]] = {}
    for name, shard in weight_map.items():
        shards.setdefault(shard, []).append(name)
    if len(shards) > MAX_SHARDS:
        raise LimitError(f"the index names {len(shards)} files, over the limit of {MAX_SHARDS}")
    checkpoint = Checkpoint(
        source.name, "sharded", {}, metadata=_metadata(index), holds=f"{len(shards)} files"
    )
    for shard, names in shards.items():
        _add_shard(checkpoint, os.path.join(os.path.dirname(source.path), shard), names, options)
    _check_unlisted(checkpoint, weight_map)
    in_order = dict.fromkeys(weight_map) | checkpoint.entries
    checkpoint.entries = {name: checkpoint.entries[name] for name in in_order}
    resolve_declared(checkpoint, checkpoint.metadata.copy())
    return checkpoint


def _weight_map(index: Any) -> dict[str, str]:
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise MalformedError("JSON, but no index of a sharded model: it has no weight_map")
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not shard:
            raise MalformedError(f"weight_map: the file of '{name}' is not a file's name")
        if shard in (".", "..") or any(mark in shard for mark in ("/", "\\", "\0")):
            raise UnsafeError(
                f"weight_map: '{name}' is said to be in '{shard}', not beside the index"
            )
    return weight_map


def _metadata(index: dict[str, Any]) -> dict[str, Any]:
    metadata = index.get("metadata", {})
    if not isinstance(metadata, dict):
        raise MalformedError("the index's metadata is not an object")
    return metadata


def _add_shard(checkpoint: Checkpoint, path: str, names: list[str], options: ReadOptions) -> None:
    """Add one file's tensors: those that the index looks for in it first, in its order."""
    file = os.path.basename(path)
    if not os.path.lexists(path):
        checkpoint.complaints += (f"{file} is missing",)
        checkpoint.missing |= dict.fromkeys(names, f"{file} is not there; put it beside the index")
        held = dict.fromkeys(names, MISSING)
    else:
        held = _read_shard(checkpoint, path, options)
    for name in names:
        if name not in held:
            checkpoint.complaints += (f"'{name}' is not in {file}",)
            checkpoint.missing[name] = (
                f"{file} does not hold it; index and files do not belong together"
            )
        checkpoint.entries[name] = held.pop(name, MISSING)._replace(name=name)
    for name, entry in held.items():
        if name in checkpoint.entries:
            raise MalformedError(f"tensor '{name}' is in two of the files", file=path)
        checkpoint.entries[name] = entry


def _read_shard(checkpoint: Checkpoint, path: str, options: ReadOptions) -> dict[str, Entry]:
    with blaming(path):
        source = FileSource(path, follow=options.follow)
        reader = find_reader(source)
        if reader is read:
            raise MalformedError("an index that the index names as one of its files")
        shard = reader(source, ReadOptions(max_header_bytes=options.max_header_bytes))
        source.check_unchanged()
    source.release()
    checkpoint.format = f"sharded {shard.format}"
    checkpoint.foreign = tuple(dict.fromkeys(checkpoint.foreign + shard.foreign))
    checkpoint.aliases |= shard.aliases
    checkpoint.overlaps |= shard.overlaps
    checkpoint.types |= shard.types
    return dict(shard.entries)


def _check_unlisted(checkpoint: Checkpoint, weight_map: dict[str, str]) -> None:
    for name in checkpoint.entries:
        if name not in weight_map and name not in checkpoint.aliases:
            checkpoint.complaints += (f"'{name}' is in a file, but not in the index",)
