"""Sharded models: an index that says which file holds which tensor, and these files beside it.

Source: huggingface_hub's `save_torch_state_dict`, `model.safetensors.index.json`.
"""

from functools import partial
from typing import Any

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import LimitError, MalformedError, UnsafeError
from paramctl.formats.beside import read_beside
from paramctl.formats.missing import ABSENT, shorten
from paramctl.formats.registry import find_reader
from paramctl.formats.strict_json import load_json
from paramctl.sources import Source
from paramctl.ties import resolve_declared

MAX_SHARDS = 10_000


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
    shards: dict[str, list[str]] = {}
    for name, shard in weight_map.items():
        shards.setdefault(shard, []).append(name)
    if len(shards) > MAX_SHARDS:
        raise LimitError(f"the index names {len(shards)} files, over the limit of {MAX_SHARDS}")
    checkpoint = Checkpoint(
        source.name, "sharded", {}, metadata=_metadata(index), holds=f"{len(shards)} files"
    )
    complaints: list[str] = []
    read_one = partial(_read_shard, options=options)
    opened = read_beside(source, list(shards), read_one, follow=options.follow)
    for (file, names), held in zip(shards.items(), opened, strict=True):
        complaints += _add_shard(checkpoint, file, held, names)
    complaints += _unlisted(checkpoint, weight_map)
    checkpoint.complaints = shorten(complaints)
    checkpoint.missing = {
        name: why for name, why in checkpoint.missing.items() if name not in checkpoint.entries
    }
    in_order = dict.fromkeys(weight_map) | checkpoint.entries
    checkpoint.entries = {
        name: entry or ABSENT._replace(name=name) for name, entry in in_order.items()
    }
    resolve_declared(checkpoint)
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


def _read_shard(file: Source, options: ReadOptions) -> Checkpoint:
    reader = find_reader(file)
    if reader is read:
        raise MalformedError("an index that the index names as one of its files")
    return reader(file, ReadOptions(max_header_bytes=options.max_header_bytes))


def _add_shard(
    checkpoint: Checkpoint, file: str, shard: Checkpoint | None, names: list[str]
) -> list[str]:
    """Add one file's tensors; return what is wrong: the index looks for `names` in it."""
    if shard is None:
        checkpoint.missing |= dict.fromkeys(names, f"{file} is not there; put it beside the index")
        return [f"{file} is missing"]
    for name, entry in shard.items():
        if name in checkpoint.entries:
            raise MalformedError(f"tensor '{name}' is in two of the files", file=shard.file)
        checkpoint.entries[name] = entry
    checkpoint.format = f"sharded {shard.format}"
    checkpoint.foreign = tuple(dict.fromkeys(checkpoint.foreign + shard.foreign))
    checkpoint.aliases |= shard.aliases
    checkpoint.overlaps |= shard.overlaps
    checkpoint.types |= shard.types
    absent = [name for name in names if name not in shard]
    checkpoint.missing |= dict.fromkeys(absent, f"{file} does not hold it, whatever the index says")
    return [f"'{name}' is not in {file}" for name in absent]


def _unlisted(checkpoint: Checkpoint, weight_map: dict[str, str]) -> list[str]:
    return [
        f"'{name}' is in a file, but not in the index"
        for name in checkpoint.entries
        if name not in weight_map and name not in checkpoint.aliases
    ]
