"""HDF5 files, with h5py as the oracle; Keras's, as Keras wrote them."""

import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from threading import Event
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import paramctl as run_paramctl

import paramctl
from paramctl import arrays
from paramctl.checkpoint import MISSING, Checkpoint, ReadOptions
from paramctl.errors import MalformedError, UsageError
from paramctl.formats import open_checkpoint, read_checkpoint
from paramctl.formats.hdf5 import datasets
from paramctl.formats.hdf5.file import read
from paramctl.formats.hdf5.library import File
from paramctl.slices import select
from paramctl.sources import BytesSource, FileSource

FILES = Path(__file__).parent / "files"
EVERYTHING = ReadOptions(everything=True)
LAYERS = {"hidden": "Dense", "batch_normalization": "BatchNormalization", "dense": "Dense"}
Write = Callable[[h5py.File], object]


def make(write: Write, **options: Any) -> bytes:
    """Return an HDF5 file that `write` filled."""
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        write(file)
    return stream.getvalue()


def listed(data: bytes, options: ReadOptions = EVERYTHING) -> Checkpoint:
    return read(BytesSource(data, "x"), options)


def values_of(data: bytes) -> dict[str, bytes]:
    """Return the values of every dataset of numbers as h5py reads them, by dotted path."""
    found = {}

    def visit(path: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            array = np.asarray(node[()])
            found[path.replace("/", ".")] = array.astype(array.dtype.newbyteorder("<")).tobytes()

    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(visit)
    return found


def assert_same_values(data: bytes) -> None:
    checkpoint = listed(data)
    held = {name: b"".join(arrays.raw(entry)) for name, entry in checkpoint.items()}
    assert held == values_of(data)


@pytest.mark.parametrize("file", ["net.h5", "net.weights.h5"])
def test_a_file_of_keras_holds_what_h5py_reads(file: str) -> None:
    assert_same_values((FILES / file).read_bytes())


def test_a_whole_model_of_keras_is_its_weights_in_the_order_of_its_layers() -> None:
    model = paramctl.open(FILES / "net.h5")
    assert (model.format, model.holds) == ("hdf5", "model_weights")
    assert [f"{name} {entry.summary}" for name, entry in model.items()] == [
        "hidden.sequential.hidden.kernel float32 [4, 3]",
        "hidden.sequential.hidden.bias float32 [3]",
        *(
            f"batch_normalization.sequential.batch_normalization.{name} float32 [3]"
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        ),
        "dense.sequential.dense.kernel bfloat16 [3, 2]",
        "dense.sequential.dense.bias bfloat16 [2]",
    ]
    assert model.types == LAYERS
    assert model.others == {"optimizer_weights": "2 tensors"}
    assert model.metadata["keras_version"] == "3.15.1"
    assert model.metadata["model_weights@layer_names"] == list(LAYERS)


@pytest.mark.parametrize("file", ["net.weights.h5", "net.keras"])
def test_weights_of_keras_are_listed_without_the_optimizer(file: str) -> None:
    model = paramctl.open(FILES / file)
    layers = ["dense.vars", "batch_normalization.vars", "dense_1.vars"]
    counts = [2, 4, 2]
    assert list(model) == [
        f"layers.{layer}.{place}"
        for layer, count in zip(layers, counts, strict=True)
        for place in range(count)
    ]
    assert model.others == {"optimizer": "2 tensors"}
    assert model.metadata["layers.dense.vars@name"] == "hidden"


def test_the_config_in_a_keras_archive_says_of_which_classes_layers_are() -> None:
    model = paramctl.open(FILES / "net.keras")
    groups = ["layers.dense", "layers.batch_normalization", "layers.dense_1"]
    whole = {"": "Sequential", "optimizer": "SGD"}
    assert model.types == whole | dict(zip(groups, LAYERS.values(), strict=True))
    assert model.metadata["keras_version"] == "3.15.1"
    assert '"class_name": "Sequential"' in model.metadata["model_config"]


def test_an_optimizer_is_listed_by_its_key() -> None:
    part = open_checkpoint(FILES / "net.h5", ReadOptions(key="optimizer_weights"))
    assert list(part) == ["sgd.iteration", "sgd.learning_rate"]
    assert part.types == {}


def test_weights_that_are_stored_as_they_are_are_read_in_place() -> None:
    for file in ("net.h5", "net.weights.h5", "net.keras"):
        for entry in paramctl.open(FILES / file).values():
            assert entry.storage
            source, offset = entry.storage.source.locate(entry.storage.offset)
            assert isinstance(source, FileSource)
            stored = (FILES / file).read_bytes()[offset : offset + entry.nbytes]
            assert stored == b"".join(arrays.raw(entry))


PACKED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "in chunks": {"chunks": (7, 3)},
    "by gzip": {"chunks": (7, 3), "compression": "gzip"},
    "by everything": {
        "chunks": (20, 5),
        "compression": "gzip",
        "shuffle": True,
        "fletcher32": True,
    },
    "by lzf": {"chunks": True, "compression": "lzf"},
    "to be resized": {"maxshape": (None, None)},
}
TYPES = "?,i1,u1,i2,u2,i4,u4,i8,u8,f2,f4,f8,c8,c16,>i2,>f4,>f8,>c8,>u4"


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("packed", PACKED)
def test_every_type_is_read_however_it_is_packed(packed: str, libver: str) -> None:
    numbers = np.random.default_rng(0).integers(0, 100, (20, 11))

    def write(file: h5py.File) -> None:
        for code in TYPES.split(","):
            values = numbers.astype(code)
            file.create_dataset(f"of.{code}", data=values, **PACKED[packed])

    assert_same_values(make(write, libver=libver))


@pytest.mark.parametrize("options", [{"libver": "v108"}, {"libver": "latest", "track_order": True}])
def test_many_links_attributes_and_chunks_are_found(options: dict[str, Any]) -> None:
    """In trees of version 2, of several levels."""

    def write(file: h5py.File) -> None:
        for number in range(1_200):
            file[f"of many/{number}"] = np.float32(number)
        for number in range(400):
            file["of many/7"].attrs[f"n{number}"] = f"é {number}"
        file["of many/8"].attrs["numbers"] = np.arange(9_000.0)  # of more bytes than fit a header
        file["of many/8"].attrs["texts"] = ["a", "bc"]
        for place, maxshape in enumerate([None, (None, 30), (None, None)]):
            values = np.arange(900.0).reshape(30, 30)
            file.create_dataset(f"{place}", data=values, chunks=(1, 3), maxshape=maxshape)

    data = make(write, **options)
    assert_same_values(data)
    attributes = {f"of many.7@n{number}": f"é {number}" for number in range(400)}
    numbers = {"of many.8@numbers": [*range(9_000)], "of many.8@texts": ["a", "bc"]}
    assert listed(data).metadata == attributes | numbers


def test_what_is_not_stored_is_the_fill_value() -> None:
    def write(file: h5py.File) -> None:
        file.create_dataset("early", (4, 4), "f4", fillvalue=7)
        file.create_dataset("chunks", (4, 4), "f4", fillvalue=7, chunks=(2, 2))[:2, :2] = 1
        file.create_dataset("scalar", data=3.5)
        file.create_dataset("none", (0, 4), "f4")
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3,))
        place = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32LE, space, dcpl=compact)
        place.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(3, dtype="f4"))

    assert_same_values(make(write))


@given(index=st.tuples(*(st.slices(size) for size in (12, 9, 5))))
def test_a_slice_of_chunks_is_what_h5py_cuts(index: tuple[slice, ...]) -> None:
    part = select(CHUNKED["a"], index)
    assert np.array_equal(arrays.read(part), VALUES[index])


VALUES = np.arange(540, dtype="f8").reshape(12, 9, 5)
CHUNKED = listed(
    make(lambda file: file.create_dataset("a", data=VALUES, chunks=(5, 2, 5), compression="gzip"))
)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=3),
    st.integers(1, 4),
    st.data(),
)
def test_chunks_are_read_few_at_a_time(
    sizes: list[tuple[int, int]], most: int, data: st.DataObject
) -> None:
    shape, chunks = zip(*sizes, strict=True)
    chunks = tuple(map(min, chunks, shape))
    values = np.arange(prod(shape), dtype="i2").reshape(shape)
    entry = listed(make(lambda file: file.create_dataset("a", data=values, chunks=chunks)))["a"]
    begin = data.draw(st.integers(0, values.size - 1))
    end = data.draw(st.integers(begin + 1, values.size))
    storage = entry.storage
    assert storage
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "MAX_TOGETHER", most)
        read_in_parts = storage.source.read(2 * begin, 2 * (end - begin))
    assert read_in_parts == values.tobytes()[2 * begin : 2 * end]


MATLAB = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\0\2IM"


def write_several(file: h5py.File) -> None:
    """Write what lies in the file in several ways."""
    file["a/whole"] = VALUES
    file.create_dataset("a/chunks", data=VALUES, chunks=(5, 2, 5))
    file.create_dataset("a/packed", data=VALUES, chunks=(5, 2, 5), compression="gzip")
    file["a"].attrs["texts"] = ["a", "bc"]


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("nbytes", [512, 1024, 1 << 20])
@pytest.mark.parametrize("user_block", [b"", MATLAB])
def test_a_file_behind_a_user_block_is_read(user_block: bytes, nbytes: int, libver: str) -> None:
    """As MATLAB writes `.mat` files since 7.3."""
    data = make(write_several, userblock_size=nbytes, libver=libver)
    assert not any(data[:nbytes])
    data = user_block + data[len(user_block) :]
    model = read_checkpoint(BytesSource(data, "x.mat"))
    held = {name: b"".join(arrays.raw(entry)) for name, entry in model.items()}
    assert held == values_of(data)
    assert model.metadata == {"a@texts": ["a", "bc"]}
    storage = model["a.whole"].storage
    assert storage
    _, offset = storage.source.locate(storage.offset)
    assert data[offset : offset + storage.nbytes] == VALUES.tobytes()


def test_a_user_block_that_was_added_or_taken_away_is_no_matter() -> None:
    """As by HDF5's tools `h5jam` and `h5unjam`, which do not write the base address anew."""
    for data in (bytes(512) + make(write_several), make(write_several, userblock_size=512)[512:]):
        assert_same_values(data)


def test_a_pipe_of_a_file_behind_a_user_block_is_read(tmp_path: Path) -> None:
    data = make(write_several, userblock_size=512)
    run = run_paramctl("convert", "-", "-o", tmp_path / "x.npz", stdin=data)
    assert run.code == 0
    for name, values in np.load(tmp_path / "x.npz").items():
        assert np.array_equal(values, VALUES), name


def test_links_to_one_dataset_are_ties() -> None:
    def write(file: h5py.File) -> None:
        file["enc/w"] = np.arange(3.0)
        file["dec/w"] = file["enc/w"]  # a hard link
        file["head"] = h5py.SoftLink("/enc/w")
        file["last"] = h5py.SoftLink("head")
        file["again"] = h5py.SoftLink("/dec")
        file["enc/near"] = h5py.SoftLink("w")

    checkpoint = listed(make(write))
    names = ["enc.near", "dec.w", "again.w", "head", "last"]
    assert checkpoint.aliases == dict.fromkeys(names, "enc.w")
    assert not checkpoint.complaints


def test_groups_that_hold_themselves_end() -> None:
    def write(file: h5py.File) -> None:
        file["a/w"] = np.arange(3.0)
        file["a/root"] = file["/"]
        file["a/b/a"] = file["a"]
        file["a/soft"] = h5py.SoftLink("/a/b")

    assert list(listed(make(write))) == ["a.w"]


@pytest.mark.parametrize("target", ["/nothing", "a/nothing", "self", "/other", "a/w/below", ""])
def test_a_link_to_nothing_is_a_missing_parameter(target: str) -> None:
    def write(file: h5py.File) -> None:
        file["a/w"] = np.arange(3.0)
        file["self"] = h5py.SoftLink(target or "self")
        file["other"] = h5py.SoftLink("/self")

    checkpoint = listed(make(write))
    assert {entry.name for entry in checkpoint.values() if entry.layout == MISSING} == {
        "self",
        "other",
    }
    assert checkpoint.missing["self"] == f"it is a link to '{target or 'self'}', where nothing is"
    assert len(checkpoint.complaints) == 2


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """The other file is a pipe that nobody writes to: whoever opens it waits for ever."""
    other = tmp_path / "other.h5"
    os.mkfifo(other)

    def write(file: h5py.File) -> None:
        file["here"] = np.arange(2.0)
        file["link"] = h5py.ExternalLink(str(other), "/x")
        file["through"] = h5py.SoftLink("/link/x")
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource(str(other), "x", (4,))
        file.create_virtual_dataset("virtual", layout)
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_external(str(other).encode(), 0, 32)
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"external", h5py.h5t.IEEE_F64LE, space, dcpl=properties)

    (tmp_path / "x.h5").write_bytes(make(write))
    checkpoint = paramctl.open(tmp_path / "x.h5")
    assert [name for name in checkpoint if name not in checkpoint.missing] == ["here"]
    assert set(checkpoint.missing) == {"link", "through", "virtual", "external"}
    assert (checkpoint["external"].summary, checkpoint["external"].nbytes) == ("float64 [4]", 0)
    assert "is not opened" in checkpoint.missing["link"]
    assert str(other) in checkpoint.missing["external"]
    run = run_paramctl("show", tmp_path / "x.h5", "virtual")
    assert (run.code, "tensor" in run.out) == (3, False)
    assert run_paramctl("ls", tmp_path / "x.h5").code == 3


def test_datasets_that_hold_no_numbers_are_told_and_not_listed() -> None:
    def write(file: h5py.File) -> None:
        file["w"] = np.arange(2.0)
        file["texts"] = ["a", "b"]
        file["bytes"] = np.array([b"abc"])
        file["table"] = np.zeros(2, [("x", "f4"), ("y", "i4")])
        file["reference"] = np.array([file["w"].ref], h5py.ref_dtype)
        file["region"] = np.array([file["w"].regionref[:1]], h5py.regionref_dtype)
        file["ragged"] = np.array([np.zeros(2), np.zeros(3)], h5py.vlen_dtype("f8"))
        file["nothing"] = h5py.Empty("f4")
        file["pairs"] = np.zeros(2, [("x", "f4", (2,))])
        file["two bytes"] = np.zeros(2, [("x", "i1"), ("y", "i1")])
        file["named"] = np.dtype("f4")
        file["colour"] = np.array([1, 0], h5py.enum_dtype({"red": 0, "blue": 1}, "i1"))

    checkpoint = listed(make(write))
    assert list(checkpoint) == ["w", "colour"]
    assert set(checkpoint.others) == {
        *(
            "texts",
            "bytes",
            "table",
            "reference",
            "region",
            "ragged",
            "nothing",
            "pairs",
            "two bytes",
        )
    }
    assert checkpoint.others["texts"] == "text [2]"


def test_attributes_are_metadata() -> None:
    def write(file: h5py.File) -> None:
        file["a/w"] = np.arange(2.0)
        told = {
            "text": "é",
            "none": "",
            "bytes": b"x",
            "number": 3,
            "numbers": np.arange(3.0),
            "texts": ["a", "bc"],
            "complex": 1j,
            "nothing": h5py.Empty("f4"),
            "empty": np.zeros(0),
            "long": "x" * 5_000,
        }
        for name, value in told.items():
            file.attrs[name] = value
        file["a"].attrs["on a group"] = True
        file["a/w"].attrs["on a dataset"] = np.float32(0.5)
        file["a/w"].attrs["reference"] = file["a"].ref

    assert listed(make(write)).metadata == {
        "text": "é",
        "none": "",
        "bytes": "x",
        "number": 3,
        "numbers": [0.0, 1.0, 2.0],
        "texts": ["a", "bc"],
        "complex": "1j",
        "nothing": None,
        "empty": [],
        "long": "x" * 5_000,
        "a@on a group": True,
        "a.w@on a dataset": 0.5,
        "a.w@reference": "object []",
    }


def test_parameters_stand_in_the_order_in_which_they_were_made() -> None:
    names = ["z", "b", "layer_10", "layer_9", "a"]

    def write(file: h5py.File) -> None:
        for name in names:
            file[f"{name}/w"] = np.arange(2.0)

    assert list(listed(make(write))) == [f"{name}.w" for name in names]
    assert list(listed(make(write, track_order=True))) == [f"{name}.w" for name in names]


def test_two_datasets_of_one_name_are_an_error() -> None:
    def write(file: h5py.File) -> None:
        file["a/b"] = np.arange(2.0)
        file["a.b"] = np.arange(3.0)

    with pytest.raises(MalformedError, match=r"two tensors have the name 'a\.b'"):
        listed(make(write))


def test_a_pipe_is_read_as_a_file_is() -> None:
    data = (FILES / "net.keras").read_bytes()
    run = run_paramctl("show", "-", "layers.dense.vars.1", stdin=data)
    assert (run.code, run.err) == (0, "")
    assert "[3] float32" in run.out


def test_the_library_is_closed_before_python_ends(tmp_path: Path) -> None:
    data = make(lambda file: file.create_dataset("a", data=VALUES, chunks=(5, 2, 5)))
    (tmp_path / "x").write_bytes(data)
    run = run_paramctl("show", tmp_path / "x", "a[11,8]")
    assert (run.code, run.err) == (0, "")
    assert "tensor([535., 536., 537., 538., 539.]" in run.out


def test_without_h5py_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    for file in ("net.h5", "net.keras"):
        with pytest.raises(UsageError, match=r"needs h5py; pip install 'paramctl\[hdf5\]'"):
            paramctl.open(FILES / file)


def test_values_in_a_packing_that_is_not_read_are_missing_and_the_rest_is_there(
    tmp_path: Path,
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("a", data=np.arange(100), chunks=(10,), scaleoffset=0)
        file["b"] = np.ones(3, np.float32)
    model = paramctl.open(tmp_path / "x.h5")
    assert "scaleoffset" in model.missing["a"]
    assert np.array_equal(arrays.read(model["b"]), np.ones(3))


class Slow(BytesSource):
    """Bytes that are read when something has happened; tells whether it did in time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "slow")
        self.started, self.happened = Event(), Event()
        self.in_time: list[bool] = []

    def _read(self, offset: int, length: int) -> bytes:
        self.started.set()
        self.in_time.append(self.happened.wait(10))
        return super()._read(offset, length)


def test_who_collects_garbage_does_not_wait_for_who_reads(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as written:
        written["a"] = 1.0
    slow = Slow((tmp_path / "a.h5").read_bytes())
    slow.happened.set()
    reading, gone = File(slow), File(BytesSource((tmp_path / "a.h5").read_bytes(), "gone"))
    slow.started.clear()
    slow.happened.clear()
    with gone.opened():
        pass

    def read() -> None:
        with reading.opened() as root:
            assert root["a"][()] == 1

    with ThreadPoolExecutor() as pool:
        read_by = pool.submit(read)
        slow.started.wait()
        del gone
        slow.happened.set()
        assert read_by.result() is None
    assert all(slow.in_time)


def test_the_files_of_models_that_are_gone_are_closed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as written:
        written.create_dataset("a", data=np.arange(3), chunks=(2,))
    before = os.listdir("/dev/fd")
    for _ in range(10):
        model = paramctl.open(tmp_path / "a.h5")
        assert model.read("a").tolist() == [0, 1, 2]
        del model
    assert len(os.listdir("/dev/fd")) <= len(before) + 1
    paramctl.open(tmp_path / "a.h5")
    assert os.listdir("/dev/fd") == before
