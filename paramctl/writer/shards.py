"""The layout of a large model on Hugging Face: several files of a folder, and an index of them.

Source: huggingface_hub, `split_torch_state_dict_into_shards` and `save_torch_state_dict`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from paramctl.checkpoint import Entry
from paramctl.errors import UsageError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PATTERN = re.compile(r"model(-\d{5,6}-of-\d{5,6})?\.safetensors|model\.safetensors\.index\.json")
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)")


def parse_size(text: str) -> int:
    """Return the bytes of `5GB`, `500 MB`, `4GiB` or `5000000000`.

    Raises:
        UsageError: it is none of these.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = UNITS.get(match[2].upper()) if match else None
    size = round(float(match[1]) * unit) if match and unit else 0
    if not size:
        raise UsageError(f"'{text}' is no size", hint="write 5GB, 500MB or 4GiB")
    return size


def divide(entries: Iterable[Entry], max_shard_size: int) -> list[list[Entry]]:
    """Divide entries, in their order, into files of at most so many bytes of tensors.

    An entry that is larger has a file of its own.
    """
    shards: list[list[Entry]] = []
    shard: list[Entry] = []
    nbytes = 0
    for entry in entries:
        if entry.nbytes > max_shard_size:
            shards.append([entry])
            continue
        if nbytes + entry.nbytes > max_shard_size:
            shards.append(shard)
            shard, nbytes = [], 0
        shard.append(entry)
        nbytes += entry.nbytes
    return [*shards, shard] if shard or not shards else shards


def name_shards(count: int) -> list[str]:
    """Return the names of so many files."""
    if count == 1:
        return [SINGLE]
    return [f"model-{place:05d}-of-{count:05d}.safetensors" for place in range(1, count + 1)]


def index_of(shards: Mapping[str, Iterable[Entry]], metadata: Mapping[str, Any]) -> bytes:
    """Return the index that says which file holds which tensor."""
    weight_map = {entry.name: name for name, shard in shards.items() for entry in shard}
    index = {"metadata": metadata, "weight_map": weight_map}
    return (json.dumps(index, indent=2, sort_keys=True) + "\n").encode()
