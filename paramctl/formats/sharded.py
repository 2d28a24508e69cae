"""Sharded models: an index that says which file holds which tensor, and these files beside it.

Source: huggingface_hub's `save_torch_state_dict`, `model.safetensors.index.json`.
"""

from collections.abc import Container
from functools import partial

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError
from paramctl.formats.beside import read_beside
from paramctl.formats.indexes import read_index
from paramctl.formats.missing import ABSENT, shorten
from paramctl.formats.registry import find_reader
from paramctl.formats.sniffing import Opening
from paramctl.sources import Source
from paramctl.ties import resolve_declared


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read an index and the header of every file that it names.

    Raises:
        MalformedError: the index is not one, or the files and it contradict each other.
        UnsafeError: it names a file that does not stand beside it.
        LimitError: it is longer than the options allow, or names too many files.
    """
    index = read_index(source, options)
    shards = index.by_file()
    checkpoint = Checkpoint(
        source.name, "sharded", {}, metadata=index.metadata, holds=f"{len(shards)} files"
    )
    complaints: list[str] = []
    read_one = partial(_read_shard, options=options)
    opened = read_beside(source, list(shards), read_one, follow=options.follow)
    for (file, names), held in zip(shards.items(), opened, strict=True):
        complaints += _add_shard(checkpoint, file, held, names)
    complaints += _unlisted(checkpoint, index.files)
    checkpoint.complaints = shorten(complaints)
    checkpoint.missing = {
        name: why for name, why in checkpoint.missing.items() if name not in checkpoint.entries
    }
    in_order = dict.fromkeys(index.files) | checkpoint.entries
    checkpoint.entries = {
        name: entry or ABSENT._replace(name=name) for name, entry in in_order.items()
    }
    resolve_declared(checkpoint)
    return checkpoint


def _read_shard(file: Source, options: ReadOptions) -> Checkpoint:
    if Opening(file).is_json:
        raise MalformedError("JSON, or an index that the index names as one of its files")
    return find_reader(file)(file, ReadOptions(max_header_bytes=options.max_header_bytes))


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


def _unlisted(checkpoint: Checkpoint, listed: Container[str]) -> list[str]:
    return [
        f"'{name}' is in a file, but not in the index"
        for name in checkpoint.entries
        if name not in listed and name not in checkpoint.aliases
    ]
