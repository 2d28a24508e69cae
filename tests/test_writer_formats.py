"""Other formats than safetensors, against the libraries that they are of: torch and numpy."""

import io
import os
import pickle
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from generated import SAFETENSORS, SAVED, random_state
from hypothesis import given
from hypothesis import strategies as st
from memory import Zeros, describe
from oracle import TORCH_WARNINGS
from safetensors.torch import save_file
from torch import Tensor

import paramctl
from paramctl import writer
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.errors import UsageError
from paramctl.writer import WriteOptions
from paramctl.writer.pickling import Item, pickle_state

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

TORCH, NPZ = (WriteOptions(format=name, force=True) for name in ("torch", "npz"))
NUMPY = [name for name in SAVED if BY_NAME[name].numpy]


def model(tensors: Mapping[str, Tensor], **more: object) -> Checkpoint:
    entries = {name: describe(tensor)._replace(name=name) for name, tensor in tensors.items()}
    return Checkpoint("model", "none", entries, **more)  # type: ignore[arg-type]


def written(checkpoint: Checkpoint, options: WriteOptions) -> bytes:
    """Return the bytes of the stream that the writer makes of a checkpoint."""
    pieces: list[bytes] = []
    report = writer.stream(checkpoint, pieces.append, options)
    data = b"".join(pieces)
    assert report.nbytes == len(data)
    return data


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """Return what is in an archive, in order; each checksum is right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous copies; what is one view of one storage stays one."""
    views = {name: _view(name, tensor) for name, tensor in state.items()}
    copies = {views[name]: _copy(tensor) for name, tensor in state.items()}
    return {name: copies[view].detach() for name, view in views.items()}


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _view(name: str, tensor: Tensor) -> object:
    """Return what tells views apart; one without a storage is tied to none."""
    place = tensor.untyped_storage().data_ptr() or name
    return place, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def assert_same_state(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Check names, order, types, shapes, strides, bytes and ties."""
    assert list(mine) == list(theirs)
    for name, tensor in theirs.items():
        own = mine[name]
        assert (own.dtype, own.shape, own.stride()) == (tensor.dtype, tensor.shape, tensor.stride())
        assert bytes_of(own) == bytes_of(tensor)
        assert not own.requires_grad
    assert ties_of(mine) == ties_of(theirs)


def bytes_of(tensor: Tensor) -> bytes:
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy().tobytes()


def ties_of(state: Mapping[str, Tensor]) -> list[list[str]]:
    places: dict[int, list[str]] = {}
    for name, tensor in state.items():
        if tensor.untyped_storage().nbytes():
            places.setdefault(tensor.untyped_storage().data_ptr(), []).append(name)
    return list(places.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that hypothesis may use for all of its examples."""
    return tmp_path_factory.mktemp("formats")


# torch


@given(seed=st.integers(0, 2**32 - 1))
def test_any_state_dict_is_written_as_torch_saves_it(seed: int, folder: Path) -> None:
    state = random_state(seed, SAVED)
    torch.save(state, folder / "model.pt")
    data = written(paramctl.open(folder / "model.pt"), TORCH)
    expected = members(saved(plain(state)))
    del expected["archive/.data/serialization_id"]
    assert members(data) == expected
    assert_same_state(torch.load(io.BytesIO(data), weights_only=True), plain(state))


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 2500])
def test_any_number_of_tensors_is_pickled_as_torch_does(count: int) -> None:
    state = {f"layer.{place}": torch.full((2,), float(place)) for place in range(count)}
    data = written(model(state), TORCH)
    assert members(data)["archive/data.pkl"] == members(saved(state))["archive/data.pkl"]


@given(st.lists(st.integers(0, 2**70), max_size=6))
def test_numbers_of_any_size_are_pickled_as_python_does(shape: list[int]) -> None:
    entry = Entry("w", BY_NAME["uint8"], tuple(shape), None)
    pickled = pickle_state([Item("w", entry, "0")])
    assert pickle.dumps(tuple(shape), 2)[2:-1].split(b"q")[0] in pickled


def test_each_tensor_can_be_mapped_into_memory(tmp_path: Path) -> None:
    state = {"a": torch.rand(3), "b": torch.ones(7, dtype=torch.bool), "c": torch.rand(())}
    writer.save(model(state), tmp_path / "model.pt", TORCH)
    mapped = torch.load(tmp_path / "model.pt", mmap=True)
    assert_same_state(mapped, state)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in mapped.values())


def test_pairs_of_values_are_one_element_in_torch(tmp_path: Path) -> None:
    packed = torch.arange(6, dtype=torch.uint8).view(torch.float4_e2m1fn_x2).reshape(2, 3)
    save_file({"w": packed}, tmp_path / "x.safetensors")
    opened = paramctl.open(tmp_path / "x.safetensors")
    assert opened["w"].shape == (2, 6)
    assert_same_state(torch.load(io.BytesIO(written(opened, TORCH))), {"w": packed})


class Hole(Zeros):
    """Very many zero bytes, made once."""

    run = bytes(1 << 20)

    def _read(self, offset: int, length: int) -> bytes:
        del offset
        return self.run if length == len(self.run) else bytes(length)


def test_sizes_and_places_may_take_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = 2**32 + 5
    monkeypatch.setattr("paramctl.writer.crew.crc32", checksum_of_little)
    entries = {
        "huge": Entry("huge", BY_NAME["bool"], (huge,), Storage(Hole(huge), 0, huge)),
        "behind": describe(torch.tensor([1.5, 2.5]))._replace(name="behind"),
    }
    path = tmp_path / "model.pt"
    with path.open("wb") as file:
        writer.stream(
            Checkpoint("m", "none", entries), lambda data: write_sparse(file, data), TORCH
        )
    state = torch.load(path, mmap=True)
    assert (state["huge"].numel(), state["behind"].tolist()) == (huge, [1.5, 2.5])
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("archive/data/0").file_size == huge
        assert archive.getinfo("archive/data/1").header_offset > huge
        assert len(archive.read("archive/data/1")) == 8
    assert [entry.numel for entry in paramctl.open(path).values()] == [huge, 2]


def checksum_of_little(data: bytes, value: int = 0) -> int:
    """Return a checksum that is right where all of the data comes at once."""
    return crc32(data, value) if len(data) < len(Hole.run) else 0


def write_sparse(file: io.BufferedWriter, data: bytes) -> None:
    """Write bytes, but leave a hole where there are many zeros."""
    if data is Hole.run:
        file.seek(len(data), os.SEEK_CUR)
    else:
        file.write(data)


def test_what_an_archive_holds_is_copied_with_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paramctl.writer.outlet.BATCH_BYTES", 100)
    monkeypatch.setattr("paramctl.writer.blocks.SMALL_BYTES", 100)
    state = {"a": torch.rand(40), "view": torch.rand(80)[1:], "tiny": torch.rand(2)}
    torch.save({"model": state, "epoch": 3}, tmp_path / "training.pt")
    copied: list[int] = []
    real = os.copy_file_range

    def copy(source: int, target: int, count: int, *places: int) -> int:
        copied.append(count)
        return real(source, target, count, *places)

    monkeypatch.setattr(os, "copy_file_range", copy)
    writer.save(paramctl.open(tmp_path / "training.pt"), tmp_path / "model.pt", TORCH)
    assert copied == [160]
    members((tmp_path / "model.pt").read_bytes())
    assert_same_state(torch.load(tmp_path / "model.pt"), plain(state))


def test_a_checksum_that_torch_left_out_is_computed(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.rand(40)}, tmp_path / "model.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    members(written(paramctl.open(tmp_path / "model.pt"), TORCH))


def test_types_that_torch_lacks_are_refused() -> None:
    entry = Entry("w", BY_NAME["float6_e2m3fn"], (4,), Storage(Zeros(3), 0, 3))
    with pytest.raises(UsageError, match="'w': torch has no dtype for float6_e2m3fn"):
        written(Checkpoint("m", "none", {"w": entry}), TORCH)
    entry = entry._replace(dtype=BY_NAME["float4_e2m1fn"], shape=(2, 3))
    with pytest.raises(UsageError, match="'w': torch has pairs of float4_e2m1fn only"):
        written(Checkpoint("m", "none", {"w": entry}), TORCH)


# npz


@given(seed=st.integers(0, 2**32 - 1))
def test_any_arrays_are_written_as_numpy_saves_them(seed: int) -> None:
    state = plain(random_state(seed, NUMPY))
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    data = written(model(state), NPZ)
    assert members(data) == members(file.getvalue())
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        assert loaded[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a\0b", "a NUL ends it early"),
        *((name, "it leads out of the folder") for name in ("/etc/x", "../x", "a/../../x", "a/..")),
        *((name, "it leads out of the folder") for name in ("\\x", "..\\x", "C:\\x", "c:/x", "..")),
        ("plain.npy", "numpy takes it for 'plain'"),
    ],
)
def test_names_that_mean_something_else_in_an_archive_are_refused(name: str, what: str) -> None:
    tensors = {"plain": torch.ones(1), name: torch.ones(1)}
    with pytest.raises(UsageError, match=what) as caught:
        written(model(tensors), NPZ)
    assert caught.value.hint == "rename it"


@pytest.mark.parametrize("name", ["a/b", "..a", "a..b/c..", "w:0", "", ".npy", "x.npy", "a b", "é"])
def test_other_names_are_those_of_the_arrays(name: str) -> None:
    loaded = np.load(io.BytesIO(written(model({name: torch.ones(1)}), NPZ)))
    assert list(loaded) == [name]
    assert loaded[name].tolist() == [1]


def test_types_that_numpy_lacks_are_refused() -> None:
    with pytest.raises(UsageError, match=r"numpy has no bfloat16; cast it: cast\('float32'\)$"):
        written(model({"w": torch.ones(1).bfloat16()}), NPZ)
    with pytest.raises(UsageError, match=r"numpy has no complex32; \.pt files hold it$"):
        written(model({"w": torch.ones(1).to(torch.complex32)}), NPZ)


def test_what_a_format_does_not_keep_is_told() -> None:
    tied = model({"a": torch.ones(2), "b": torch.ones(2)}, aliases={"b": "a"})
    tied.metadata.update({"format": "pt", "who": "me", "epoch": 3})
    report = writer.stream(tied, bytes, NPZ)
    assert report.notes == (
        "npz has no metadata, not kept: epoch, who",
        "npz has no ties: 'b' (= 'a') is written again",
    )
    tied.aliases["c"] = "a"
    tied.entries["c"] = tied["a"]._replace(name="c")
    report = writer.stream(tied, bytes, TORCH)
    assert report.notes == ("a state dict has no metadata, not kept: epoch, who",)
    assert "'b' (= 'a') and 1 more are written again" in writer.stream(tied, bytes, NPZ).notes[1]


def test_of_many_keys_that_are_not_kept_a_few_are_named() -> None:
    checkpoint = model({"a": torch.ones(2)})
    checkpoint.metadata.update({f"k{place}": place for place in range(20)})
    report = writer.stream(checkpoint, bytes, TORCH)
    assert report.notes == ("a state dict has no metadata, not kept: k0, k1, k10, and 17 more",)


# All of them


@given(seed=st.integers(0, 2**32 - 1))
def test_a_model_comes_back_from_any_format_as_it_was(seed: int, folder: Path) -> None:
    first = random_state(seed, SAFETENSORS)
    torch.save(first, folder / "0.pt")
    for old, new in pairwise(("0.pt", "1.pt", "2.safetensors", "3.pt")):
        options = TORCH if new.endswith(".pt") else WriteOptions()
        (folder / new).write_bytes(written(paramctl.open(folder / old), options))
    last = torch.load(folder / "3.pt")
    assert list(torch.load(folder / "1.pt")) == list(first)
    assert list(last) == list(paramctl.open(folder / "2.safetensors"))
    assert_same_state({name: last[name] for name in first}, plain(first))


@given(seed=st.integers(0, 2**32 - 1))
def test_a_model_comes_back_from_npz_but_for_its_ties(seed: int, folder: Path) -> None:
    first = {**random_state(seed, NUMPY), "a.weight": torch.ones(1), "A.weight": torch.zeros(2)}
    torch.save(first, folder / "0.pt")
    (folder / "1.npz").write_bytes(written(paramctl.open(folder / "0.pt"), NPZ))
    last = torch.load(io.BytesIO(written(paramctl.open(folder / "1.npz"), TORCH)))
    assert_same_state(last, {name: _copy(tensor) for name, tensor in first.items()})
