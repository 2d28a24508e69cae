"""Several files and an index, as Hugging Face's loaders want them."""

import json
import os
from pathlib import Path

import nets
import pytest
import torch
from generated import own_storages
from hypothesis import given
from hypothesis import strategies as st
from memory import Zeros, describe
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import paramctl
from paramctl import writer
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.errors import FileError, UsageError
from paramctl.writer import WriteOptions
from paramctl.writer.shards import divide, parse_size

INDEX = "model.safetensors.index.json"


def state_model(state: dict[str, Tensor], **more: object) -> Checkpoint:
    entries = {name: describe(tensor)._replace(name=name) for name, tensor in state.items()}
    return Checkpoint("model", "none", entries, **more)  # type: ignore[arg-type]


def load_sharded(folder: Path) -> dict[str, Tensor]:
    """Load as transformers does: each tensor from the file that the index says it is in."""
    index = json.loads((folder / INDEX).read_text())
    state = {}
    for name, shard in index["weight_map"].items():
        with safe_open(folder / shard, "pt") as file:
            assert file.metadata() == {"format": "pt"}
            state[name] = file.get_tensor(name)
    return state


def assert_equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


def hub_shards(sizes: dict[str, int], limit: int) -> list[list[str]]:
    """Divide as huggingface_hub says that it does: in order, what is too large by itself."""
    shards: list[list[str]] = []
    current: list[str] = []
    for name, size in sizes.items():
        if size > limit:
            shards.append([name])
        elif sum(sizes[other] for other in current) + size > limit:
            shards.append(current)
            current = [name]
        else:
            current.append(name)
    return [*shards, current] if current else shards


@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=20), limit=st.integers(1, 40))
def test_tensors_are_divided_as_the_hub_divides_them(sizes: list[int], limit: int) -> None:
    named = {str(i): size for i, size in enumerate(sizes)}
    entries = [
        Entry(name, BY_NAME["uint8"], (size,), Storage(Zeros(size), 0, size))
        for name, size in named.items()
    ]
    shards = [[entry.name for entry in shard] for shard in divide(entries, limit)]
    assert shards == hub_shards(named, limit)


def test_a_sharded_model_loads_by_its_index(tmp_path: Path) -> None:
    state = own_storages(nets.conv_net().state_dict())
    report = writer.save(state_model(state), tmp_path / "new", WriteOptions(max_shard_size=300))
    assert_equal(load_sharded(tmp_path / "new"), state)
    count = len(report.files) - 1
    names = [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]
    assert [os.path.basename(file) for file in report.files] == [*names, INDEX]
    assert report.nbytes == sum(map(os.path.getsize, report.files))
    assert sorted(os.listdir(tmp_path / "new")) == sorted([*names, INDEX])
    index = json.loads((tmp_path / "new" / INDEX).read_text())
    nbytes = sum(tensor.nbytes for tensor in state.values())
    assert index["metadata"] == {"total_size": nbytes}
    assert list(index["weight_map"]) == sorted(state)
    for i, name in enumerate(names):
        shard = {key: state[key] for key, file in index["weight_map"].items() if file == name}
        save_file(shard, tmp_path / "theirs", {"format": "pt"})
        assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "theirs").read_bytes(), i


def test_ties_and_metadata_stand_in_the_index_and_count_once(tmp_path: Path) -> None:
    net = nets.Tied()
    torch.save(net.state_dict(), tmp_path / "model.pt")
    checkpoint = paramctl.open(tmp_path / "model.pt")
    checkpoint.metadata = {"who": "me", "epoch": 3}
    writer.save(checkpoint, tmp_path / "new", WriteOptions(max_shard_size=100))
    index = json.loads((tmp_path / "new" / INDEX).read_text())
    stored = {name: net.state_dict()[name] for name in checkpoint if name not in checkpoint.aliases}
    assert index["metadata"] == {
        "total_size": sum(tensor.nbytes for tensor in stored.values()),
        "who": "me",
        "epoch": 3,
        **checkpoint.aliases,
    }
    state = load_sharded(tmp_path / "new")
    assert_equal(state, stored)
    for alias, name in checkpoint.aliases.items():
        state[alias] = state[name]
    nets.Tied().load_state_dict(state)
    again = paramctl.open(tmp_path / "new")
    assert again.aliases == checkpoint.aliases
    assert again.complaints == ()


def test_the_count_of_another_index_is_not_taken_over(tmp_path: Path) -> None:
    state = own_storages(nets.conv_net().state_dict())
    writer.save(state_model(state), tmp_path / "a", WriteOptions(max_shard_size=300))
    checkpoint = paramctl.open(tmp_path / "a")
    del checkpoint.entries["0.weight"]
    writer.save(checkpoint, tmp_path / "b")
    with safe_open(tmp_path / "b", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    writer.save(checkpoint, tmp_path / "c", WriteOptions(max_shard_size=50))
    index = json.loads((tmp_path / "c" / INDEX).read_text())
    expected = sum(tensor.nbytes for name, tensor in state.items() if name != "0.weight")
    assert index["metadata"]["total_size"] == expected


def test_a_model_that_fits_is_one_file_without_an_index(tmp_path: Path) -> None:
    state = {"w": torch.ones(3)}
    writer.save(state_model(state), tmp_path / "new", WriteOptions(max_shard_size=12))
    assert os.listdir(tmp_path / "new") == ["model.safetensors"]
    assert_equal(load_file(tmp_path / "new" / "model.safetensors"), state)


def test_a_folder_with_a_model_needs_force_and_loses_the_old_one(tmp_path: Path) -> None:
    state = {"a": torch.ones(3), "b": torch.zeros(3), "c": torch.zeros(3)}
    (tmp_path / "config.json").write_text("{}")
    checkpoint = state_model(state)
    writer.save(checkpoint, tmp_path, WriteOptions(max_shard_size=12))
    with pytest.raises(UsageError, match=r"holds a model already; force=True replaces"):
        writer.save(checkpoint, tmp_path, WriteOptions(max_shard_size=24))
    writer.save(checkpoint, tmp_path, WriteOptions(max_shard_size=24, force=True))
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert sorted(os.listdir(tmp_path)) == ["config.json", *shards, INDEX]
    writer.save(checkpoint, tmp_path, WriteOptions(max_shard_size=99, force=True))
    assert sorted(os.listdir(tmp_path)) == ["config.json", "model.safetensors"]
    writer.save(checkpoint, tmp_path, WriteOptions(max_shard_size=24, force=True))
    assert sorted(os.listdir(tmp_path)) == ["config.json", *shards, INDEX]
    assert_equal(load_sharded(tmp_path), state)


def test_files_of_the_same_names_are_not_replaced_one_by_one(tmp_path: Path) -> None:
    state = {"a": torch.ones(3), "b": torch.zeros(3)}
    options = WriteOptions(max_shard_size=12, force=True)
    writer.save(state_model(state), tmp_path / "new", options)
    with pytest.raises(FileError, match="cannot be replaced at once; write to a new folder"):
        writer.save(
            state_model({"a": torch.zeros(3), "b": torch.ones(3)}), tmp_path / "new", options
        )
    assert_equal(load_sharded(tmp_path / "new"), state)


def test_a_sharded_model_may_be_divided_anew_in_its_own_folder(tmp_path: Path) -> None:
    state = {str(i): torch.full((1000,), float(i)) for i in range(20)}
    writer.save(state_model(state), tmp_path / "new", WriteOptions(max_shard_size=4000))
    checkpoint = paramctl.open(tmp_path / "new")
    writer.save(checkpoint, tmp_path / "new", WriteOptions(max_shard_size=20_000, force=True))
    assert_equal(load_sharded(tmp_path / "new"), state)
    assert len(os.listdir(tmp_path / "new")) == 5


@pytest.mark.parametrize(
    ("name", "message"), [("file", "a file, and no folder"), ("a/b", "No such")]
)
def test_what_is_no_folder_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    checkpoint = state_model({"a": torch.ones(3)})
    with pytest.raises(FileError, match=message):
        writer.save(checkpoint, tmp_path / name, WriteOptions(max_shard_size=12))
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("5GB", 5_000_000_000),
        ("5 gb", 5_000_000_000),
        ("4GiB", 4 << 30),
        ("1.1MB", 1_100_000),
        ("512KiB", 512 << 10),
        ("1234", 1234),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes_are_decimal_or_binary(text: str, nbytes: int) -> None:
    assert parse_size(text) == nbytes


@pytest.mark.parametrize("text", ["", "GB", "5XB", "-1GB", "0", "0GB", "1e9", "5GB5", "nan"])
def test_what_is_no_size_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        parse_size(text)
