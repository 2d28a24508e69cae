"""Indexes of sharded models: JSON that says which of the files beside it hold what."""

from typing import Any, NamedTuple

from paramctl.checkpoint import ReadOptions
from paramctl.errors import LimitError, MalformedError, UnsafeError
from paramctl.formats.beside import is_beside
from paramctl.formats.headers import check_header
from paramctl.formats.strict_json import load_json
from paramctl.sources import Source

MAX_SHARDS = 10_000


class Index(NamedTuple):
    """What is named -> the files that it is in, and what else an index says."""

    files: dict[str, list[str]]
    metadata: dict[str, Any]

    def by_file(self) -> dict[str, list[str]]:
        """Return the files in the order in which they are named, and what is in each.

        Raises:
            LimitError: they are too many.
        """
        shards: dict[str, list[str]] = {}
        for name, files in self.files.items():
            for file in files:
                shards.setdefault(file, []).append(name)
        if len(shards) > MAX_SHARDS:
            raise LimitError(f"the index names {len(shards)} files, over the limit of {MAX_SHARDS}")
        return shards


def read_index(source: Source, options: ReadOptions, *, has_lists: bool = False) -> Index:
    """Read an index; where it `has_lists`, what is named may be in several files.

    Raises:
        MalformedError: it is not one.
        UnsafeError: it names a file that does not stand beside it.
        LimitError: it is longer than the options allow.
    """
    check_header("index", source.size, options.max_header_bytes)
    index = load_json(source.read(0, source.size), "index")
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise MalformedError("JSON, but no index of a sharded model: it has no weight_map")
    files = {name: _files(name, told, has_lists=has_lists) for name, told in weight_map.items()}
    metadata = index.get("metadata", {})
    if not isinstance(metadata, dict):
        raise MalformedError("the index's metadata is not an object")
    return Index(files, metadata)


def _files(name: str, told: Any, *, has_lists: bool) -> list[str]:
    files = told if has_lists and isinstance(told, list) and told else [told]
    for file in files:
        if not isinstance(file, str) or not file:
            raise MalformedError(f"weight_map: the file of '{name}' is not a file's name")
        if not is_beside(file):
            raise UnsafeError(
                f"weight_map: '{name}' is said to be in '{file}', not beside the index"
            )
    return list(dict.fromkeys(files))
