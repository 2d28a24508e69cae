"""Folders of torch.distributed.checkpoint: those that torch wrote, cut up in any way, hostile."""

import pickle
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from dcp_folders import Folder, saved, write
from forks import Forks
from generated import SAFETENSORS, random_tensors
from hostile import Row, assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.distributed.checkpoint import state_dict_saver
from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import MetadataIndex
from torch.distributed.checkpoint.state_dict_loader import _load_state_dict
from web_server import Server

import paramctl
from paramctl import arrays
from paramctl.arrays import raw
from paramctl.checkpoint import ReadOptions
from paramctl.errors import MalformedError, UsageError
from paramctl.formats import open_checkpoint
from paramctl.formats.dcp import read
from paramctl.slices import select
from paramctl.sources import BytesSource, FileSource

SAMPLES = Path(__file__).parents[1] / "sample_models"
DCP = Path(__file__).parent / "files" / "dcp"  # four processes wrote it: make_dcp.py
EVERYTHING = ReadOptions(everything=True)
Bytes = dict[str, tuple[str, tuple[int, ...], bytes]]


def load(folder: Path) -> dict[str, Any]:
    """Return the state dict that torch loads."""
    state: dict[str, Any] = {}
    planner = _EmptyStateDictLoadPlanner()  # type: ignore[no-untyped-call]
    _load_state_dict(state, FileSystemReader(folder), planner=planner, no_dist=True)
    return state


def save(state: dict[str, Any], folder: Path) -> None:
    """Have torch write a state dict, without any other process."""
    with pytest.warns(UserWarning, match="in a single process"):
        state_dict_saver.save(state, checkpoint_id=folder, no_dist=True)


def flatten(value: object, name: str = "") -> Bytes:
    """Return the tensors of a state dict by their dotted names."""
    if isinstance(value, torch.Tensor):
        data = (
            value.clone(memory_format=torch.contiguous_format)
            .reshape(-1)
            .view(torch.uint8)
            .numpy()
            .tobytes()
        )
        return {name: (str(value.dtype).removeprefix("torch."), tuple(value.shape), data)}
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found: Bytes = {}
    for key, part in items:
        found |= flatten(part, f"{name}.{key}" if name else str(key))
    return found


def held(checkpoint: Mapping[str, Any]) -> Bytes:
    return {
        name: (entry.dtype.name, entry.shape, b"".join(raw(entry)))
        for name, entry in checkpoint.items()
    }


def test_what_four_processes_cut_up_is_put_together_as_torch_does() -> None:
    checkpoint = open_checkpoint(DCP, EVERYTHING)
    state = load(DCP)
    assert held(checkpoint) == flatten(state)
    assert len(checkpoint) == 5
    assert checkpoint.metadata == {"step": state["step"]} == {"step": 40}


def test_a_training_s_state_is_what_torch_loads(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    dtypes = ["bool", "uint8", "int64", "float16", "bfloat16", "float64", "complex64"]
    others = {name: torch.ones(2, 3).to(getattr(torch, name)) for name in dtypes}
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "list": [torch.arange(3), 5, [torch.tensor(7.0)]],
        "others": others | {"float8": torch.arange(4.0).to(torch.float8_e4m3fn)},
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "empty": torch.empty(0, 3),
    }
    save(state, tmp_path)
    everything = open_checkpoint(tmp_path, EVERYTHING)
    assert held(everything) == flatten(load(tmp_path)) == flatten(state)
    checkpoint = open_checkpoint(tmp_path)
    assert held(checkpoint) == flatten(model.state_dict())
    assert checkpoint.holds == "model"
    assert checkpoint.others["optimizer"] == "12 tensors"
    told = open_checkpoint(tmp_path, ReadOptions(nested=True)).metadata
    assert told["optimizer"]["param_groups"][0]["lr"] == 0.001
    assert told["list"][1] == 5


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=8)  # each writes to the disk
def test_what_is_written_is_what_torch_writes(seed: int) -> None:
    tensors = random_tensors(np.random.default_rng(seed), SAFETENSORS)
    state = {f"w.{place}": tensor.detach().clone() for place, tensor in enumerate(tensors)}
    with TemporaryDirectory() as path:
        own, theirs = Path(path, "own.dcp"), Path(path, "theirs")
        torch.save(state, Path(path, "state.pt"))
        paramctl.open(Path(path, "state.pt")).save(own)
        save(state, theirs)
        assert flatten(load(own)) == flatten(load(theirs)) == flatten(state)
        ours, noted = (pickle.loads((each / ".metadata").read_bytes()) for each in (own, theirs))
        assert ours.state_dict_metadata == noted.state_dict_metadata
        assert list(ours.planner_data.items()) == list(noted.planner_data.items())
        assert ours.storage_data.keys() == noted.storage_data.keys()
        assert held(open_checkpoint(own)) == flatten(state)
        paramctl.open(own).save(Path(path, "again.pt"))
        paramctl.open(Path(path, "state.pt")).save(Path(path, "once.pt"))
        assert Path(path, "again.pt").read_bytes() == Path(path, "once.pt").read_bytes()


def test_ties_are_stored_once_and_kept(forks: Forks, tmp_path: Path) -> None:
    sample = SAMPLES / "shared.safetensors"
    run = forks.run("convert", sample, "-o", tmp_path / "x.dcp")
    assert (run.code, run.err.count("\n")) == (0, 1)
    written = open_checkpoint(tmp_path / "x.dcp")
    assert written.aliases == {"4.weight": "2.weight", "4.bias": "2.bias"}
    assert {name: held(written)[name] for name in written} == held(open_checkpoint(sample))
    state = load(tmp_path / "x.dcp")
    assert torch.equal(state["4.weight"], state["2.weight"])
    forks.run("convert", sample, "-o", tmp_path / "y.dcp", "--ties", "copy")
    assert not open_checkpoint(tmp_path / "y.dcp").aliases


def test_a_folder_that_holds_one_is_replaced_by_force_alone(forks: Forks, tmp_path: Path) -> None:
    folder = tmp_path / "x.dcp"
    call = ("convert", SAMPLES / "mlp.pt", "-o", folder)
    assert forks.run(*call).code == 0
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(before) == {".metadata", "__0_0.distcp"}
    refused = forks.run(*call)
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    shared = SAMPLES / "shared.safetensors"
    for file in ("__0_1.distcp", "__0_0.distcp"):  # never that of the model that is there
        assert forks.run("convert", shared, "-o", folder, "--force").code == 0
        assert {each.name for each in folder.iterdir()} == {".metadata", file}
        assert (
            flatten(load(folder)) == held(open_checkpoint(folder)) == held(open_checkpoint(shared))
        )


def test_a_folder_of_several_ranks_is_replaced_by_what_is_read_from_it(
    forks: Forks, tmp_path: Path
) -> None:
    folder = tmp_path / "x.dcp"
    shutil.copytree(DCP, folder)
    before = held(open_checkpoint(folder))
    assert forks.run("convert", folder, "-o", folder, "--force").code == 0
    assert {each.name for each in folder.iterdir()} == {".metadata", "__0_1.distcp"}
    assert held(open_checkpoint(folder)) == before


def test_a_plan_says_what_is_not_kept_and_writes_nothing(forks: Forks, tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "x.safetensors", {"license": "mit"})
    call = ("convert", tmp_path / "x.safetensors", "-o", tmp_path / "x.dcp")
    plan = forks.run(*call, "-n")
    assert (plan.code, "not kept: license" in plan.err) == (0, True)
    assert not (tmp_path / "x.dcp").exists()
    assert forks.run(*call, "--max-shard-size", "1GB").code == 2


@st.composite
def cut_up(draw: st.DrawFn) -> tuple[torch.Tensor, list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Draw a tensor, and boxes that fill it, in any order."""
    shape = tuple(draw(st.lists(st.integers(1, 5), max_size=3)))
    boxes = [((0,) * len(shape), shape)]
    for _ in range(draw(st.integers(0, 6)) if shape else 0):
        offsets, sizes = boxes.pop(draw(st.integers(0, len(boxes) - 1)))
        axis = draw(st.integers(0, len(shape) - 1))
        at = draw(st.integers(0, sizes[axis]))
        behind = tuple(o + at * (a == axis) for a, o in enumerate(offsets))
        for start, size in ((offsets, at), (behind, sizes[axis] - at)):
            if size:
                boxes.append((start, tuple(size if a == axis else s for a, s in enumerate(sizes))))
    tensor = torch.arange(torch.Size(shape).numel(), dtype=torch.int16).reshape(shape)
    return tensor, draw(st.permutations(boxes))


@settings(deadline=None)  # the first time, numpy is loaded
@given(cut_up(), st.data())
def test_any_bytes_of_any_chunks_are_those_of_the_whole(
    cut: tuple[torch.Tensor, list[tuple[tuple[int, ...], tuple[int, ...]]]], data: st.DataObject
) -> None:
    tensor, boxes = cut
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        folder.add_chunks("w", tensor, boxes)
        folder.write()
        storage = open_checkpoint(path)["w"].storage
        assert storage is not None
        whole = tensor.numpy().tobytes()
        begin = data.draw(st.integers(0, len(whole)))
        length = data.draw(st.integers(0, len(whole) - begin))
        assert storage.source.read(begin, length) == whole[begin : begin + length]


def test_a_chunk_is_read_only_when_a_value_in_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path / "x")
    folder.add_chunks("w", torch.arange(8.0).reshape(4, 2), [((0, 0), (2, 2)), ((2, 0), (2, 2))])
    folder.write()
    (folder.path / "__1_0.distcp").write_bytes(bytes(len(folder.files["__1_0.distcp"])))
    touched = set()
    plain = FileSource._read

    def note(source: FileSource, offset: int, length: int) -> bytes:
        touched.add(Path(source.path).name)
        return plain(source, offset, length)

    monkeypatch.setattr(FileSource, "_read", note)
    entry = open_checkpoint(folder.path)["w"]
    assert touched == {".metadata"}
    assert np.array_equal(arrays.read(select(entry, (slice(1, 2),))), [[2, 3]])
    assert touched == {".metadata", "__0_0.distcp"}
    with pytest.raises(MalformedError, match="__1_0"):
        arrays.read(select(entry, (slice(2, 4),)))


def test_it_is_written_as_any_model_is(forks: Forks, tmp_path: Path) -> None:
    target = tmp_path / "x.safetensors"
    assert forks.run("convert", DCP, "-o", target).code == 0
    assert held(paramctl.open(target)) == flatten(load(DCP)["model"])


def test_it_is_read_at_a_url(server: Server, forks: Forks) -> None:
    server.folder = DCP.parent
    shown = [
        forks.run("show", f"{place}/dcp/.metadata", "both.weight")
        for place in (DCP.parent, server.url)
    ]
    assert [(run.code, run.err) for run in shown] == [(0, "")] * 2
    assert shown[0].out == shown[1].out


def test_what_a_missing_file_holds_is_listed_and_marked(forks: Forks, tmp_path: Path) -> None:
    for file in DCP.iterdir():
        if file.name != "__3_0.distcp":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    run = forks.run("ls", tmp_path)
    assert (run.code, run.err.count("\n")) == (3, 1)
    assert "__3_0.distcp is missing" in run.err
    marked = {line.split("\t")[0]: line.endswith("missing") for line in run.out.splitlines()}
    places = pickle.loads((DCP / ".metadata").read_bytes()).storage_data.items()
    absent = {index.fqn for index, place in places if place.relative_path == "__3_0.distcp"}
    assert marked == {name: f"model.{name}" in absent for name in marked}
    assert set(marked.values()) == {True, False}
    assert forks.run("show", tmp_path, "rows.weight").code == 3
    assert forks.run("show", tmp_path, "norm.weight").code == 0


class Canary:
    """Prints when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return print, ("run",)


def test_what_a_loader_would_run_is_told_and_not_run(forks: Forks, tmp_path: Path) -> None:
    path = write(tmp_path / "x", {"w": torch.ones(2), "args": Canary()})
    run = forks.run("ls", path)
    assert (run.code, run.out) == (0, "w\t[2]\tfloat32\t2\t8\t-\t-\t-\t-\n")
    assert "__builtin__.print" in run.err
    assert forks.run("ls", path, "--fail-on-globals").code == 4


def test_what_was_compressed_is_listed_and_not_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "x")
    folder.add("w", torch.ones(2, 2))
    folder.place().transform_descriptors = ["zstd"]
    entry = open_checkpoint(folder.write())["w"]
    with pytest.raises(UsageError, match="stored through zstd"):
        b"".join(raw(entry))


def changed(change: Callable[[Folder], object]) -> Callable[[Path], Path]:
    """Make a folder of one tensor in two chunks and a number, with a change."""

    def make(path: Path) -> Path:
        folder = Folder(path / "x")
        folder.add_chunks("w", torch.ones(4, 2), [((0, 0), (2, 2)), ((2, 0), (2, 2))])
        folder.add("step", 3)
        change(folder)
        return folder.write()

    return make


def at(**attributes: object) -> Callable[[Path], Path]:
    """Change what is noted of the first chunk's place."""
    return changed(lambda folder: vars(folder.place()).update(attributes))


def chunk(**attributes: object) -> Callable[[Path], Path]:
    """Change what is noted of the second chunk."""
    return changed(lambda folder: vars(folder.tensor().chunks[1]).update(attributes))


def move(folder: Folder, offsets: tuple[int, ...]) -> None:
    """Move the second chunk, wherever it is noted."""
    folder.tensor().chunks[1].offsets = torch.Size(offsets)
    places = folder.metadata.storage_data
    places[MetadataIndex("w", offsets)] = places.pop(MetadataIndex("w", (2, 0)))


def path(*keys: object) -> Callable[[Path], Path]:
    return changed(lambda folder: folder.metadata.planner_data.update({"w": keys}))


def metadata(**attributes: object) -> Callable[[Path], Path]:
    return changed(lambda folder: vars(folder.metadata).update(attributes))


def two_keys(folder: Folder) -> None:
    folder.metadata.planner_data = {"w": ("a",), "step": ("a", "b")}


def no_value(folder: Folder) -> None:
    folder.metadata.state_dict_metadata["v"] = folder.tensor("step")
    folder.put("v", None, b"PK")


def untrue_tie(folder: Folder) -> None:
    folder.add("v", torch.ones(2, 2))
    folder.metadata.storage_data[MetadataIndex("v", (0, 0))] = folder.place()


def many_chunks(folder: Folder) -> None:
    boxes = [((row, 0), (1, 2)) for row in range(3)]
    folder.add_chunks("many", torch.ones(3, 2), boxes)
    noted = folder.tensor("many")
    noted.size = torch.Size((3000, 3000))
    noted.chunks = [noted.chunks[0]] * 3000


ROWS = [
    Row("D18-pickle", lambda path: _raw(path, b"\x80\x02."), 3, "not a torch checkpoint"),
    Row("D18-cut", changed(lambda folder: folder.files.update({"__0_0.distcp": b"x"})), 3, "has 1"),
    Row("D18-up", at(relative_path="../x"), 4, "'w' is said to be in '../x', not beside it"),
    Row("D18-absolute", at(relative_path="/etc/passwd"), 4, "not beside it"),
    Row("D18-dots", at(relative_path=".."), 4, "not beside it"),
    Row("D18-windows", at(relative_path="..\\x"), 4, "not beside it"),
    Row("D18-nul", at(relative_path="a\0b"), 4, "not beside it"),
    Row("D18-file-blank", at(relative_path=""), 3, "is not a file's name"),
    Row("D18-file-number", at(relative_path=1), 3, "is not a file's name"),
    Row("D18-file-esc", at(relative_path="\x1b[31m/"), 4, "\\x1b[31m/"),
    Row("D18-self", at(relative_path=".metadata", offset=0), 3, "needs"),
    Row("D18-negative", at(offset=-1), 3, "bytes at byte -1"),
    Row("D18-far", at(offset=2**62), 3, "truncated"),
    Row("D18-wide", at(offset=2**64), 3, "at byte"),
    Row("D18-long", at(length=2**40), 3, "this file"),
    Row("D18-short", at(length=10), 3, "a chunk [2, 2] of 'w' in 10 bytes"),
    Row("D18-float", at(offset=1.0), 3, "is at no byte of a file"),
    Row(
        "D18-one-place", changed(lambda f: vars(f.place("step", None)).update(offset=10)), 3, "two"
    ),
    Row("D18-overlap", changed(lambda folder: move(folder, (1, 0))), 3, "overlap or leave holes"),
    Row("D18-outside", changed(lambda folder: move(folder, (3, 0))), 3, "is not inside 'w'"),
    Row("D18-hole", chunk(sizes=torch.Size((1, 2))), 3, "overlap or leave holes"),
    Row("D18-rank", chunk(sizes=torch.Size((2,))), 3, "is not inside 'w'"),
    Row("D18-negative-size", chunk(sizes=(-1, 2)), 3, "not a tuple of at most 64"),
    Row("D18-moved", chunk(offsets=torch.Size((1, 0))), 3, "where the chunk of 'w' at"),
    Row("D18-shape", changed(lambda f: vars(f.tensor()).update(size=(2**63, 1))), 3, "2^63"),
    Row("D18-numel", changed(lambda f: vars(f.tensor()).update(size=(2**40, 2**40))), 3, "2^63"),
    Row(
        "D18-unplaced", changed(lambda f: f.metadata.storage_data.clear()), 3, "does not say where"
    ),
    Row(
        "D18-undescribed", changed(lambda f: f.metadata.state_dict_metadata.pop("w")), 3, "describe"
    ),
    Row("D18-dtype", changed(lambda f: vars(f.tensor().properties).update(dtype=1)), 3, "no dtype"),
    Row(
        "D18-quarter",
        changed(lambda f: vars(f.tensor().properties).update(dtype=torch.quint2x4)),
        3,
        "whole bytes",
    ),
    Row(
        "D18-no-dict", metadata(state_dict_metadata=[]), 3, "state_dict_metadata of .metadata is no"
    ),
    Row("D18-no-places", metadata(storage_data=None), 3, "storage_data of .metadata is no"),
    Row("D18-key", metadata(state_dict_metadata={1: 2}), 3, "has the key 1 twice, or no name"),
    Row("D18-item", metadata(state_dict_metadata={"w": 2}), 3, "where a torch.distributed"),
    Row("D18-below", changed(two_keys), 3, "puts 'step' below another value"),
    Row("D18-same", path("step"), 3, "puts 'step' where another value is"),
    Row("D18-deep", path(*"a" * 300), 5, "'w' is nested 300 deep"),
    Row("D18-tie", changed(untrue_tie), 3, "puts two things at one place"),
    Row("D18-many", changed(many_chunks), 3, "where every chunk of 'many' is"),
    Row("D18-tensor", metadata(planner_data=None, storage_meta=torch.ones(1)), 3, "storage"),
    Row("D18-value", changed(no_value), 3, "zip"),
]


def _raw(path: Path, data: bytes) -> Path:
    (path / "x").mkdir()
    (path / "x" / ".metadata").write_bytes(data)
    return path / "x"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_hostile_folders_are_refused(row: Row, forks: Forks, tmp_path: Path) -> None:
    path = row.write(tmp_path)
    assert_refused(forks.run("ls", path), row)


WRONG = {
    "shape": saved(torch.ones(2, 3)),
    "dtype": saved(torch.ones(2, 2, dtype=torch.float64)),
    "no-tensor": saved([1] * 20),
    "no-zip": b"x" * 1000,
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_a_chunk_that_is_not_what_is_said_of_it_is_refused_when_it_is_read(
    data: bytes, forks: Forks, tmp_path: Path
) -> None:
    folder = Folder(tmp_path / "x")
    folder.add("w", torch.ones(2, 2))
    folder.put("w", (0, 0), data)
    folder.write()
    assert forks.run("ls", folder.path).code == 0
    row = Row("D18", lambda path: path, 3, "__0_0.distcp")
    assert_refused(forks.run("show", folder.path), row)


def test_a_metadata_cut_short_anywhere_is_refused() -> None:
    data = (DCP / ".metadata").read_bytes()
    for end in range(1, len(data)):
        with pytest.raises(MalformedError):
            read(BytesSource(data[:end], "x"), ReadOptions())


@settings(deadline=None)  # the same
@given(st.data())
def test_any_other_byte_is_read_or_refused(data: st.DataObject) -> None:
    broken = bytearray((DCP / ".metadata").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    source = FileSource(str(DCP / ".metadata"))
    changed = BytesSource(bytes(broken), "x")
    changed.beside = source.beside  # type: ignore[method-assign]
    with suppress(paramctl.errors.ParamctlError):
        held(read(changed, ReadOptions()))


def test_too_long_a_metadata_is_refused(forks: Forks) -> None:
    run = forks.run("ls", DCP, "--max-header-bytes", "1000")
    assert (run.code, run.err.count("--max-header-bytes")) == (5, 1)
