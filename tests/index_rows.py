"""Section D of the hostile inputs: indexes of sharded models, and folders."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile import Row
from safetensors_rows import F32, one, tensor

GPT2 = Path(__file__).parents[1] / "sample_models" / "gpt2"
INDEX = "model.safetensors.index.json"


def index(folder: Path, weight_map: object, **members: Any) -> Path:
    """Write an index; what it names is the caller's affair."""
    path = folder / INDEX
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map} | members))
    return path


def of_text(text: str | bytes) -> Callable[[Path], Path]:
    """Make an index of this very text."""

    def make(folder: Path) -> Path:
        path = folder / INDEX
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return make


def of_map(weight_map: object) -> Callable[[Path], Path]:
    """Make an index with this map beside two files of a tensor each, `a` and `b`."""

    def make(folder: Path) -> Path:
        (folder / "a.safetensors").write_bytes(one(F32, name='"a"'))
        (folder / "b.safetensors").write_bytes(one(F32, name='"b"'))
        return index(folder, weight_map)

    return make


def _outside(folder: Path) -> Path:
    (folder / "x.safetensors").write_bytes(one(F32))
    inner = folder / "inner"
    inner.mkdir()
    return index(inner, {"w": "../x.safetensors"})


def _absolute(folder: Path) -> Path:
    (folder / "x.safetensors").write_bytes(one(F32))
    return index(folder, {"w": str(folder / "x.safetensors")})


def _link_to_text(folder: Path) -> Path:
    (folder / "x.safetensors").symlink_to("/etc/passwd")
    return index(folder, {"w": "x.safetensors"})


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "x.safetensors")
    return index(folder, {"w": "x.safetensors"})


def _fifo_in_folder(folder: Path) -> Path:
    os.mkfifo(folder / "model.safetensors")
    return folder


def _device(folder: Path) -> Path:
    (folder / "x.safetensors").symlink_to("/dev/zero")
    return index(folder, {"w": "x.safetensors"})


def _directory(folder: Path) -> Path:
    (folder / "x.safetensors").mkdir()
    return index(folder, {"w": "x.safetensors"})


def _twice(folder: Path) -> Path:
    (folder / "x.safetensors").write_bytes(one(F32))
    (folder / "y.safetensors").write_bytes(one(F32))
    return index(folder, {"w": "x.safetensors", "v": "y.safetensors"})


def _not_where_it_is_looked_for(first: str) -> Callable[[Path], Path]:
    """Make an index by which each of two files holds one tensor; one of them holds both."""

    def make(folder: Path) -> Path:
        both = f'{F32},"b":{tensor("F32", "[1]", 4, 8)}'
        (folder / "x.safetensors").write_bytes(one(both, bytes(8), name='"a"'))
        (folder / "y.safetensors").write_bytes(one(F32, name='"b"'))
        files = {"a": "x.safetensors", "b": "y.safetensors"}
        return index(folder, {first: files[first]} | files)

    return make


def _other_index(folder: Path) -> Path:
    (folder / "other.json").write_text(json.dumps({"weight_map": {"w": INDEX}}))
    return index(folder, {"w": "other.json"})


def _spec(folder: Path) -> Path:
    (folder / "other.json").write_text('{"layers": [{"Linear": [1, 1]}]}')
    return index(folder, {"w": "other.json"})


def _broken_shard(folder: Path) -> Path:
    (folder / "x.safetensors").write_bytes(one(F32, b"\0"))
    return index(folder, {"w": "x.safetensors"})


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _two_models(folder: Path) -> Path:
    (folder / "a.safetensors").write_bytes(one(F32))
    (folder / "b.safetensors").write_bytes(one(F32))
    return folder


def _long_index(folder: Path) -> Path:
    path = folder / INDEX
    with path.open("wb") as file:
        file.write(b'{"weight_map":{')
        file.truncate(100_000_000)
    return path


_MANY = [f'"{number}":"a"' for number in range(40_000)]
_ONE_OF_MANY_TWICE = f'{{"weight_map":{{{",".join([*_MANY, _MANY[-1]])}}}}}'

REFUSED = [
    Row("D01", _outside, 4, "'w' is said to be in '../x.safetensors', not beside the index"),
    Row("D02", _absolute, 4, "not beside the index"),
    Row("D02-dots", of_map({"w": ".."}), 4, "not beside the index"),
    Row("D02-windows", of_map({"w": "..\\x"}), 4, "not beside the index"),
    Row("D02-nul", of_map({"w": "a\0b"}), 4, "not beside the index"),
    Row("D04", _link_to_text, 3, "in no format that paramctl reads"),
    Row("D05-fifo", _fifo, 6, "x.safetensors: not a regular file"),
    Row("D05-fifo-found", _fifo_in_folder, 6, "model.safetensors: not a regular file"),
    Row("D05-device", _device, 6, "x.safetensors: not a regular file"),
    Row("D05-folder", _directory, 6, "x.safetensors: not a regular file"),
    Row("D07", _broken_shard, 3, "x.safetensors: truncated"),
    Row("D08", _twice, 3, "tensor 'w' is in two of the files"),
    Row("D08-a", _not_where_it_is_looked_for("a"), 3, "tensor 'b' is in two of the files"),
    Row("D08-b", _not_where_it_is_looked_for("b"), 3, "tensor 'b' is in two of the files"),
    Row("D09-none", of_text('{"metadata": {}}'), 3, "it has no weight_map"),
    Row("D09-list", of_map(["a"]), 3, "it has no weight_map"),
    Row("D09-empty", of_map({}), 3, "it has no weight_map"),
    Row("D09-number", of_map({"w": 1}), 3, "the file of 'w' is not a file's name"),
    Row("D09-blank", of_map({"w": ""}), 3, "the file of 'w' is not a file's name"),
    Row("D09-nested", of_map({"w": {"w": "a.safetensors"}}), 3, "not a file's name"),
    Row("D09-metadata", of_text('{"metadata": 1, "weight_map": {"a": "b"}}'), 3, "not an object"),
    Row("D09-array", of_text('  {"weight_map": [1,2]}'), 3, "it has no weight_map"),
    Row("D10", of_text('{"weight_map":{"a":"x","a":"y"}}'), 3, "holds the key 'a' twice"),
    Row("D10-last", of_text(_ONE_OF_MANY_TWICE), 3, "holds the key '39999' twice"),
    Row("D11", of_text('{"weight_map":{"a":"x"}'), 3, "index is not JSON"),
    Row("D11-nan", of_text('{"weight_map":NaN}'), 3, "holds NaN, which is not JSON"),
    Row("D11-utf8", of_text(b'{"weight_map":{"a":"\xff"}}'), 3, "not UTF-8: byte 0xff"),
    Row("D12-long", _long_index, 5, "over the limit of 25000000"),
    Row("D12-deep", of_text('{"a":' * 100_000), 3, "nested too deeply"),
    Row("D13", of_map({"w": INDEX}), 3, "an index that the index names as one of its files"),
    Row("D13-other", _other_index, 3, "an index that the index names as one of its files"),
    Row("D13-spec", _spec, 3, "other.json: JSON, or an index that the index names"),
    Row("D14", of_map({f"w{i}": f"{i}.safetensors" for i in range(10_001)}), 5, "10001 files"),
    Row("D19", _empty_folder, 3, "a folder without a model"),
    Row("D20", _two_models, 3, "several models: a.safetensors, b.safetensors"),
]


def hub_cache(folder: Path) -> Path:
    """Lay a model out as the Hugging Face cache does: snapshots of links to blobs."""
    snapshot, blobs = folder / "snapshots" / "1", folder / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, file in enumerate(sorted(GPT2.iterdir())):
        shutil.copy(file, blobs / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    return snapshot
