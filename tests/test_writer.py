"""What the writer writes, against the safetensors library and torch."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import copy_verb
import nets
import numpy as np
import pytest
import safetensors
import torch
from generated import SAFETENSORS, own_storages, random_state
from hypothesis import given
from hypothesis import strategies as st
from memory import Memory, Zeros, describe
from oracle import TORCH_WARNINGS, walk
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save, save_file
from torch import Tensor

import paramctl
from paramctl import writer
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.doors import spell
from paramctl.dtypes import BY_NAME
from paramctl.errors import FileError, LimitError, MalformedError, ParamctlError, UsageError
from paramctl.writer import WriteOptions

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

PT = {"format": "pt"}
COPIES = WriteOptions(ties="copy")
DTYPES = (*SAFETENSORS, "float8_e8m0fnu")
PACKED = (*DTYPES, "float4_e2m1fn_x2")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda name: name != "__metadata__"
)


def written(checkpoint: Checkpoint, options: WriteOptions = WriteOptions()) -> bytes:  # noqa: B008
    """Return the bytes of the stream that the writer makes of a checkpoint."""
    pieces: list[bytes] = []
    report = writer.stream(checkpoint, pieces.append, options)
    data = b"".join(pieces)
    assert report.nbytes == len(data)
    return data


def model(*entries: Entry, **more: Any) -> Checkpoint:
    return Checkpoint("model", "none", {entry.name: entry for entry in entries}, **more)


def torch_file(folder: Path, value: object) -> Checkpoint:
    path = folder / "model.pt"
    torch.save(value, path)
    return paramctl.open(path)


def load(data: bytes) -> dict[str, Tensor]:
    return safetensors.torch.load(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that hypothesis may use for all of its examples."""
    return tmp_path_factory.mktemp("writer")


@given(seed=st.integers(0, 2**32 - 1))
def test_an_unchanged_model_is_written_as_save_file_writes_it(seed: int, folder: Path) -> None:
    state = random_state(seed, DTYPES)
    expected = save(own_storages(state), PT)
    assert written(torch_file(folder, state), COPIES) == expected
    (folder / "model.safetensors").write_bytes(expected)
    assert written(paramctl.open(folder / "model.safetensors")) == expected


@given(names=st.lists(NAMES, unique=True, max_size=30), seed=st.integers(0, 2**32 - 1))
def test_any_names_are_written_as_save_file_writes_them(names: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = [getattr(torch, PACKED[i]) for i in rng.integers(len(PACKED), size=len(names))]
    state = {
        name: torch.zeros(8, dtype=torch.uint8).view(kind)
        for name, kind in zip(names, kinds, strict=True)
    }
    entries = [describe(tensor)._replace(name=name) for name, tensor in state.items()]
    assert written(model(*entries)) == save(state, PT)


def test_sub_byte_types_are_written_in_the_librarys_order(tmp_path: Path) -> None:
    spellings = ("F4", "BOOL", "F6_E3M2", "U8", "F6_E2M3", "F8_E8M0")
    tensors = {
        spelling: {"dtype": spelling.lower(), "shape": [8], "data": bytes(range(nbytes))}
        for spelling, nbytes in zip(spellings, (4, 8, 6, 8, 6, 8), strict=True)
    }
    path = tmp_path / "model.safetensors"
    path.write_bytes(_by_hand(tensors))
    assert written(paramctl.open(path)) == path.read_bytes()


def _by_hand(tensors: dict[str, dict[str, Any]]) -> bytes:
    """Lay the tensors out in the order of the library's enumeration of dtypes, backwards."""
    order = ["F8_E8M0", "U8", "F6_E3M2", "F6_E2M3", "F4", "BOOL"]
    header: dict[str, Any] = {"__metadata__": PT}
    data = b""
    for name in order:
        end = len(data) + len(tensors[name]["data"])
        header[name] = {"dtype": name, "shape": [8], "data_offsets": [len(data), end]}
        data += tensors[name]["data"]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def test_metadata_of_the_user_is_kept_and_what_is_no_string_becomes_json() -> None:
    metadata = {"epoch": 3, "who": "é\n", "format": "mlx", "args": {"lr": 0.1}, "none": None}
    data = written(model(describe(torch.ones(2)), metadata=metadata))
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"] == {
        "format": "mlx",
        "epoch": "3",
        "who": "é\n",
        "args": '{"lr": 0.1}',
        "none": "null",
    }
    assert load(data).keys() == {"w"}


def test_a_stream_has_the_bytes_of_the_file(tmp_path: Path) -> None:
    checkpoint = torch_file(tmp_path, nets.Tied().state_dict())
    writer.save(checkpoint, tmp_path / "out")
    assert written(checkpoint) == (tmp_path / "out").read_bytes()


STATE_DICTS = [name for name in nets.MODULES if name != "no parameters"]


@pytest.mark.parametrize("name", STATE_DICTS)
def test_what_is_written_loads_into_the_model_with_its_ties(name: str, tmp_path: Path) -> None:
    net, other = nets.MODULES[name](), nets.MODULES[name]()
    checkpoint = torch_file(tmp_path, net.state_dict())
    writer.save(checkpoint, tmp_path / "out.safetensors")
    load_model(other, tmp_path / "out.safetensors")
    assert_equal(other.state_dict(), net.state_dict())
    state = load_file(tmp_path / "out.safetensors")
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        ties = {alias: stored for alias, stored in file.metadata().items() if stored in state}
    assert ties == checkpoint.aliases
    again = nets.MODULES[name]()
    again.load_state_dict(state | {alias: state[stored] for alias, stored in ties.items()})
    assert_equal(again.state_dict(), net.state_dict())


def assert_equal(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(state[name], tensor), name


def test_ties_are_read_back_and_stored_once(tmp_path: Path) -> None:
    net = nets.Tied()
    checkpoint = torch_file(tmp_path, net.state_dict())
    writer.save(checkpoint, tmp_path / "out")
    again = paramctl.open(tmp_path / "out")
    assert again.aliases == checkpoint.aliases != {}
    assert again.keys() == checkpoint.keys()
    assert written(again) == (tmp_path / "out").read_bytes()
    assert written(again, COPIES) == save(own_storages(net.state_dict()), PT)


def test_copied_ties_are_tensors_of_their_own(tmp_path: Path) -> None:
    net = nets.Tied()
    data = written(torch_file(tmp_path, net.state_dict()), COPIES)
    assert data == save(own_storages(net.state_dict()), PT)


def test_views_of_one_storage_are_written_in_full_with_a_note(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"whole": whole, "columns": whole[:, 1:3], "turned": whole.T, "row": whole[2]}
    checkpoint = torch_file(tmp_path, state)
    report = writer.save(checkpoint, tmp_path / "out")
    assert_equal(load_file(tmp_path / "out"), state)
    assert report.notes == (
        "'turned' shares some bytes with 'whole', and 2 more do so: each is written in full",
    )


@pytest.mark.parametrize("name", ["conjugate", "negative", "columns", "real part"])
def test_lazy_and_strided_values_are_written_as_torch_gives_them(name: str, tmp_path: Path) -> None:
    state = nets.STATES[name]()
    assert isinstance(state, dict)
    plain = {key: tensor.resolve_conj().resolve_neg() for key, tensor in state.items()}
    checkpoint = torch_file(tmp_path, state)
    if name == "negative":  # what it is the imaginary part of is of a type that is not written
        assert load(written(checkpoint))["c"].tolist() == plain["c"].tolist()
    else:
        assert written(checkpoint, COPIES) == save(own_storages(plain), PT)


@given(seed=st.integers(0, 2**32 - 1))
def test_big_endian_values_are_swapped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.standard_normal(rng.integers(0, 5, size=2))
    swapped = array.astype(">f8").tobytes()
    storage = Storage(Memory(swapped), 0, len(swapped), big_endian=True)
    entry = Entry("w", BY_NAME["float64"], array.shape, storage)
    assert written(model(entry)) == save({"w": torch.from_numpy(array)}, PT)


def test_large_strided_values_are_picked_block_by_block() -> None:
    tensor = torch.arange(6_000_000, dtype=torch.int32).reshape(2000, 3000).T
    assert written(model(describe(tensor))) == save({"w": tensor.contiguous()}, PT)


def test_computed_values_are_asked_for_in_blocks_or_as_a_whole() -> None:
    nbytes = 9 << 20
    parts, whole = Zeros(nbytes), Zeros(nbytes)
    whole.whole = True
    entries = [
        Entry(name, BY_NAME["bfloat16"], (nbytes // 2,), Storage(source, 0, nbytes))
        for name, source in (("parts", parts), ("whole", whole))
    ]
    written(model(*entries))
    assert sorted(parts.reads) == [(begin << 19, 1 << 19) for begin in range(18)]
    assert whole.reads == [(0, nbytes)]


def test_a_sequential_source_is_read_in_order() -> None:
    source = Zeros(20 << 20)
    source.sequential = True
    entry = Entry("w", BY_NAME["uint8"], (source.size,), Storage(source, 0, source.size))
    written(model(entry))
    assert source.reads == [(begin << 18, 1 << 18) for begin in range(80)]


def test_a_source_far_away_is_asked_for_much_at_a_time() -> None:
    source = Zeros(9 << 20)
    source.is_far = True
    entry = Entry("w", BY_NAME["uint8"], (source.size,), Storage(source, 0, source.size))
    written(model(entry))
    assert sorted(source.reads) == [(0, 4 << 20), (4 << 20, 4 << 20), (8 << 20, 1 << 20)]


def test_a_task_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    class Broken(Zeros):
        def _read(self, offset: int, length: int) -> bytes:
            if offset:
                raise ParamctlError("the values are gone")
            return super()._read(offset, length)

    source = Broken(9 << 20)
    entry = Entry("w", BY_NAME["uint8"], (source.size,), Storage(source, 0, source.size))
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(ParamctlError, match="the values are gone"):
        writer.save(model(entry), tmp_path / "out", WriteOptions(force=True))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"old"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_under_a_task_leaves_the_old_file(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, data: bytes, position: int) -> int:
        if threading.current_thread() is threading.main_thread():
            return real(descriptor, data, position)
        raise OSError(error, os.strerror(error))

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", fail)
    source = Zeros(9 << 20)
    entry = Entry("w", BY_NAME["uint8"], (source.size,), Storage(source, 0, source.size))
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(FileError, match=f"out: {os.strerror(error)}"):
        writer.save(model(entry), tmp_path / "out", WriteOptions(force=True))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"old"


def test_a_deflated_archive_is_inflated_once(tmp_path: Path) -> None:
    state = {str(i): torch.arange(700_000.0) + i for i in range(3)}
    torch.save(state, tmp_path / "stored")
    with (
        zipfile.ZipFile(tmp_path / "stored") as stored,
        zipfile.ZipFile(tmp_path / "model.pt", "w", zipfile.ZIP_DEFLATED) as deflated,
    ):
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    assert written(paramctl.open(tmp_path / "model.pt")) == save(state, PT)


def test_a_source_of_too_few_bytes_is_a_bug() -> None:
    class Short(Zeros):
        def _read(self, offset: int, length: int) -> bytes:
            return super()._read(offset, length - 1)

    entry = Entry("w", BY_NAME["uint8"], (10,), Storage(Short(10), 0, 10))
    with pytest.raises(ParamctlError, match="memory gave 9 bytes, not 10"):
        written(model(entry))


def test_progress_goes_from_the_header_to_the_end(tmp_path: Path) -> None:
    checkpoint = torch_file(tmp_path, nets.conv_net().state_dict())
    seen: list[tuple[int, int]] = []
    report = writer.save(
        checkpoint, tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert {total for _, total in seen} == {report.nbytes}
    done = [done for done, _ in seen]
    assert done == sorted(done)
    assert done[-1] == report.nbytes == (tmp_path / "out").stat().st_size


EXPANDED = {"w": torch.zeros(1).expand(2**40, 2**20)}
REFUSED: dict[str, tuple[object, type[ParamctlError], str]] = {
    **{
        name: (nets.STATES[name], UsageError, "only plain tensors are written")
        for name in ("sparse coo", "sparse csr", "nested tensor", "meta tensor", "qint8")
    },
    "complex128": ({"w": torch.zeros(2, dtype=torch.complex128)}, UsageError, "complex128"),
    "packed scalar": (
        {"w": torch.zeros(1, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)[0]},
        UsageError,
        "float4",
    ),
    "bits": ({"w": torch.zeros(2, dtype=torch.uint8).view(torch.bits8)}, UsageError, "bits8"),
    "expanded": (EXPANDED, LimitError, "of the 4 that are stored"),
    "metadata": ({"__metadata__": torch.zeros(2)}, UsageError, "__metadata__"),
}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("sparse csr", "paramctl drop leaves it out, to_dense() in PyTorch makes one of it"),
        ("qint8", "paramctl drop leaves it out, dequantize() in PyTorch makes one of it"),
        ("meta tensor", "paramctl init gives it values, drop leaves it out"),
        ("nested tensor", "paramctl drop leaves it out"),
    ],
)
def test_what_is_no_plain_tensor_has_a_way_out(name: str, way: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        writer.save(torch_file(tmp_path, nets.STATES[name]()), tmp_path / "out")
    assert spell(caught.value.hint, "shell") == way


def test_init_gives_a_tensor_without_values_some(tmp_path: Path) -> None:
    torch.save(nets.STATES["meta tensor"](), tmp_path / "model.pt")
    model = paramctl.open(tmp_path / "model.pt")
    model.init("ones", seed=0).save(tmp_path / "out")
    assert load_file(tmp_path / "out")["m"].tolist() == torch.ones(3, 4).tolist()


@pytest.mark.parametrize("name", REFUSED)
def test_what_safetensors_cannot_hold_is_refused_by_name(name: str, tmp_path: Path) -> None:
    state, error, message = REFUSED[name]
    value = state() if callable(state) else state
    checkpoint = torch_file(tmp_path, value)
    with pytest.raises(error, match=message) as caught:
        writer.save(checkpoint, tmp_path / "out")
    assert any(f"'{named.name}'" in str(caught.value) for named in walk(value))
    assert os.listdir(tmp_path) == ["model.pt"]


def test_a_small_expansion_is_written(tmp_path: Path) -> None:
    state = {"w": torch.arange(3.0).expand(1000, 3)}
    assert written(torch_file(tmp_path, state)) == save(own_storages(state), PT)


BROKEN: dict[str, tuple[Checkpoint, type[ParamctlError], str]] = {
    "an alias named as metadata": (
        model(describe(torch.ones(2)), aliases={"x": "w"}, metadata={"x": "1"}),
        UsageError,
        "'x' has another meaning",
    ),
    "an alias named format": (
        model(describe(torch.ones(2)), aliases={"format": "w"}),
        UsageError,
        "'format' has another meaning",
    ),
    "a name that is no text": (
        model(describe(torch.ones(2))._replace(name="\ud800")),
        UsageError,
        "not Unicode",
    ),
    "metadata that is no text": (
        model(describe(torch.ones(2)), metadata={"a": "\ud800"}),
        UsageError,
        "not Unicode",
    ),
    "a tensor beyond its storage": (
        model(Entry("w", BY_NAME["uint8"], (9,), Storage(Memory(bytes(99)), 0, 8))),
        MalformedError,
        "takes bytes 0 to 9 of a storage of 8",
    ),
    "a missing tensor": (
        model(Entry("w", BY_NAME["uint8"], (9,), None, layout="missing")),
        MalformedError,
        "'w' is missing",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_checkpoint_is_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    checkpoint, error, message = BROKEN[name]
    with pytest.raises(error, match=message):
        writer.save(checkpoint, tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", ["7", 7])
@pytest.mark.parametrize("max_shard_size", [None, 1 << 20, 8])
def test_metadata_that_is_read_as_a_tie_is_noted(
    value: str | int, max_shard_size: int | None, tmp_path: Path
) -> None:
    entries = (describe(torch.ones(2))._replace(name=name) for name in ("7", "w"))
    checkpoint = model(*entries, metadata={"epoch": value, "format": "w"})
    options = WriteOptions(max_shard_size=max_shard_size)
    known = writer.check(checkpoint, options)
    report = writer.save(checkpoint, tmp_path / "out", options)
    noted = "the metadata's 'epoch' is the name of a tensor, '7': it will be read as a tie"
    is_tie = "epoch" in paramctl.open(tmp_path / "out")
    assert known == report.notes == ((noted,) if is_tie else ())
    assert is_tie == (max_shard_size != 8 or value == "7")


def test_a_header_may_be_as_long_as_the_format_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = model(describe(torch.ones(2)), metadata={"a": "x" * 1000})
    length = int.from_bytes(written(checkpoint)[:8], "little")
    monkeypatch.setattr("paramctl.writer.safetensors.MAX_HEADER_BYTES", length)
    assert load(written(checkpoint))["w"].tolist() == [1, 1]
    checkpoint.metadata["a"] += "x" * 8
    with pytest.raises(MalformedError, match=f"header would take {length + 8} bytes"):
        written(checkpoint)


@pytest.mark.parametrize("when", ["before it is read", "after it is read"])
def test_a_source_that_changes_meanwhile_is_an_error_and_the_old_file_stays(
    tmp_path: Path, when: str
) -> None:
    checkpoint = torch_file(tmp_path, {"w": torch.rand(5_000_000)})
    (tmp_path / "out").write_bytes(b"old")

    def change(done: int, total: int) -> None:
        if when == "before it is read" or done == total:
            os.utime(tmp_path / "model.pt", (0, 0))

    with pytest.raises(FileError, match="changed"):
        writer.save(checkpoint, tmp_path / "out", WriteOptions(force=True), change)
    assert (tmp_path / "out").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["model.pt", "out"]


@pytest.mark.parametrize("target", ["out.safetensors", "-"])
def test_memory_stays_small_whatever_the_models_size(target: str, tmp_path: Path) -> None:
    path = target if target == "-" else tmp_path / target
    run = subprocess.run(
        [sys.executable, copy_verb.__file__, "copy", "zeros:600000000", path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert int(run.stderr.split()[-1]) < 200_000
    if target != "-":
        assert (tmp_path / target).stat().st_size > 500_000_000


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Let this process open few files more than it has."""
    import resource  # noqa: PLC0415 (of Unix alone)

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 16, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("few_descriptors")
def test_a_model_of_many_files_needs_few_descriptors(tmp_path: Path) -> None:
    state = {f"{i}.weight": torch.full((3,), float(i)) for i in range(60)}
    weight_map = {}
    for i, (name, tensor) in enumerate(state.items()):
        weight_map[name] = f"model-{i:05d}-of-00060.safetensors"
        save_file({name: tensor}, tmp_path / weight_map[name], PT)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    checkpoint = paramctl.open(tmp_path)
    assert written(checkpoint) == save(state, PT)
    archive = written(checkpoint, WriteOptions(format="torch"))
    assert {name: t.tolist() for name, t in torch.load(io.BytesIO(archive)).items()} == {
        name: tensor.tolist() for name, tensor in state.items()
    }
    cast = {name: tensor.to(torch.float16) for name, tensor in state.items()}
    assert written(checkpoint.cast("float16")) == save(cast, PT)
