"""ONNX models: those that the onnx library wrote, as it reads them, and hostile ones."""

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from forks import Forks
from google.protobuf.message import DecodeError
from hostile import Row, assert_bounded, assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from web_server import Server

import paramctl
from paramctl.arrays import raw
from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError, ParamctlError
from paramctl.formats import open_checkpoint, read_checkpoint
from paramctl.formats.onnx import read
from paramctl.formats.varints import Varints
from paramctl.sources import BytesSource

TYPES = {
    name: code for name, code in TensorProto.DataType.items() if name not in ("UNDEFINED", "STRING")
}
F32 = TensorProto.FLOAT


def model(
    initializers: Iterable[TensorProto] = (), sparse: Iterable[onnx.SparseTensorProto] = ()
) -> onnx.ModelProto:
    """Return a model of one node."""
    node = helper.make_node("Identity", ["x"], ["y"], doc_string="d" * 100)
    value = (
        helper.make_tensor_value_info("x", F32, [1]),
        helper.make_tensor_value_info("y", F32, [1]),
    )
    graph = helper.make_graph(
        [node], "net", [value[0]], [value[1]], list(initializers), sparse_initializer=list(sparse)
    )
    return helper.make_model(graph, producer_name="test", producer_version="1")


def tensor(name: str, code: int, *, is_raw: bool, shape: tuple[int, ...] = (3, 5)) -> TensorProto:
    """Return a tensor of small numbers of a type."""
    numbers = np.arange(np.prod(shape)).reshape(shape) % 2
    plain = numpy_helper.from_array(numbers.astype(helper.tensor_dtype_to_np_dtype(code)), name)
    assert plain.data_type == code
    if is_raw:
        return plain
    values = numpy_helper.to_array(plain).reshape(-1)
    return helper.make_tensor(name, code, shape, values)


def dense_bytes(proto: TensorProto) -> bytes:
    """Return the bytes of a tensor as they would be stored raw."""
    data: bytes = numpy_helper.from_array(numpy_helper.to_array(proto)).raw_data
    return data


def read_bytes(data: bytes) -> Checkpoint:
    return read(BytesSource(data, "x"), ReadOptions())


KINDS = [
    (name, code, is_raw)
    for name, code in TYPES.items()
    for is_raw in (True, False)
    if is_raw or not name.startswith("FLOAT6")  # of which every number takes a byte there
]


@pytest.mark.parametrize(("name", "code", "is_raw"), KINDS)
def test_values_of_every_type_are_the_library_s(name: str, code: int, is_raw: bool) -> None:  # noqa: FBT001 (a row's)
    proto = tensor(name, code, is_raw=is_raw)
    entry = read_bytes(model([proto]).SerializeToString())[name]
    assert b"".join(raw(entry)) == dense_bytes(proto)
    assert entry.shape == (3, 5)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_numbers_of_any_width_are_unpacked(numbers: list[int]) -> None:
    proto = helper.make_tensor("w", TensorProto.INT64, [len(numbers)], numbers)
    entry = read_bytes(model([proto]).SerializeToString())["w"]
    assert b"".join(raw(entry)) == np.array(numbers, "<i8").tobytes()


def test_numbers_are_unpacked_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paramctl.formats.varints.BLOCK", 7)
    numbers = [random.Random(i).getrandbits(i % 64) for i in range(200)]  # noqa: S311 (numbers)
    proto = helper.make_tensor("w", TensorProto.UINT64, [200], numbers)
    entry = read_bytes(model([proto]).SerializeToString())["w"]
    assert b"".join(raw(entry)) == np.array(numbers, "<u8").tobytes()


def test_what_the_model_says_of_itself_is_its_metadata() -> None:
    proto = model([tensor("w", F32, is_raw=True)])
    proto.model_version = -1
    helper.set_model_props(proto, {"license": "mit", "é": ""})
    checkpoint = read_bytes(proto.SerializeToString())
    assert checkpoint.metadata == {
        "ir_version": proto.ir_version,
        "producer_name": "test",
        "producer_version": "1",
        "model_version": -1,
        "opset_import": {"ai.onnx": proto.opset_import[0].version},
        "license": "mit",
        "é": "",
    }
    assert checkpoint.format == "onnx"


def test_texts_and_sparse_tensors_are_told() -> None:
    texts = TensorProto(
        name="texts", data_type=TensorProto.STRING, dims=[2], string_data=[b"a", b"b"]
    )
    values = helper.make_tensor("sparse", F32, [2], [1.0, 2.0])
    indices = helper.make_tensor("indices", TensorProto.INT64, [2], [3, 5])
    sparse = helper.make_sparse_tensor(values, indices, [2, 3])
    checkpoint = read_bytes(model([texts], [sparse]).SerializeToString())
    assert checkpoint.others == {"texts": "2 texts"}
    entry = checkpoint["sparse"]
    assert (entry.layout, entry.shape, entry.nbytes) == ("sparse", (2, 3), 24)
    assert b"".join(raw(entry.parts[1])) == np.array([3, 5]).tobytes()


def test_a_file_is_told_by_its_bytes_however_it_was_made(tmp_path: Path) -> None:
    proto = model([tensor("w", F32, is_raw=True)])
    for cleared in ([], ["producer_name"], ["producer_name", "producer_version"]):
        for field in cleared:
            proto.ClearField(field)
        (tmp_path / "x").write_bytes(proto.SerializeToString())
        assert open_checkpoint(tmp_path / "x").format == "onnx"


def outside(path: Path, data: str = "x.data", **changes: str) -> Path:
    """Write a model whose values are in another file, and return its path."""
    proto = model([tensor("a", F32, is_raw=True), tensor("b", F32, is_raw=True)])
    onnx.save_model(
        proto,
        path / "x.onnx",
        save_as_external_data=True,
        location=data,
        size_threshold=0,
    )
    written = onnx.load_model(path / "x.onnx", load_external_data=False)
    for pair in written.graph.initializer[0].external_data:
        pair.value = changes.get(pair.key, pair.value)
    (path / "x.onnx").write_bytes(written.SerializeToString())
    return path / "x.onnx"


@pytest.mark.parametrize("data", ["x.data", "./x.data"])
def test_values_in_another_file_are_read_there(data: str, forks: Forks, tmp_path: Path) -> None:
    path = outside(tmp_path, data)
    loaded = onnx.load_model(path)
    checkpoint = open_checkpoint(path)
    for proto in loaded.graph.initializer:
        assert b"".join(raw(checkpoint[proto.name])) == proto.raw_data
    assert open_checkpoint(tmp_path).file == str(path)
    run = forks.run("convert", path, "-o", tmp_path / "x.safetensors")
    assert (run.code, list(paramctl.open(tmp_path / "x.safetensors"))) == (0, ["a", "b"])


@pytest.fixture
def below(tmp_path: Path) -> Path:
    """Return a model in a folder of its own, whose values are two folders below it."""
    (tmp_path / "model" / "data" / "more").mkdir(parents=True)
    return outside(tmp_path / "model", "data/more/x.data")


def test_values_below_the_model_are_read_there(
    below: Path, server: Server, forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = {proto.name: proto.raw_data for proto in onnx.load_model(below).graph.initializer}
    monkeypatch.chdir(below.parent)
    for place in ("x.onnx", below):
        checkpoint = open_checkpoint(place)
        assert {name: b"".join(raw(entry)) for name, entry in checkpoint.items()} == loaded
    shown = [forks.run("show", place, "b") for place in (below, f"{server.url}/model/x.onnx")]
    assert [(run.code, run.err) for run in shown] == [(0, "")] * 2
    assert shown[0].out == shown[1].out
    (below.parent / "data" / "more" / "x.data").unlink()
    run = forks.run("ls", below)
    assert (run.code, "data/more/x.data is missing" in run.err) == (3, True)


@pytest.mark.parametrize("linked", ["data", "data/more"])
def test_no_link_to_a_folder_is_followed_from_a_model(
    linked: str, below: Path, forks: Forks, tmp_path: Path
) -> None:
    folder = below.parent / linked
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    run = forks.run("ls", below)
    assert (run.code, run.out, run.err.count("\n")) == (4, "", 1)
    assert "'data/more/x.data' lies behind a symbolic link" in run.err


def test_a_model_may_be_reached_by_links_and_its_file_be_one(
    below: Path, forks: Forks, tmp_path: Path
) -> None:
    """As in the caches of Hugging Face, whose files are links to where they are stored."""
    (tmp_path / "here").symlink_to(below.parent)
    assert forks.run("ls", tmp_path / "here" / "x.onnx").code == 0
    data = below.parent / "data" / "more" / "x.data"
    data.rename(tmp_path / "blob")
    data.symlink_to(tmp_path / "blob")
    assert forks.run("ls", below).code == 0
    assert forks.run("ls", below, "--no-follow").code == 6


def test_two_names_for_the_same_bytes_of_a_file_are_tied(tmp_path: Path) -> None:
    path = outside(tmp_path)
    proto = onnx.load_model(path, load_external_data=False)
    one, two = proto.graph.initializer
    two.ClearField("external_data")
    two.external_data.extend(one.external_data)
    path.write_bytes(proto.SerializeToString())
    assert open_checkpoint(path).aliases == {"b": "a"}


def test_what_a_missing_file_holds_is_marked(forks: Forks, tmp_path: Path) -> None:
    path = outside(tmp_path)
    (tmp_path / "x.data").unlink()
    run = forks.run("ls", path)
    assert (run.code, run.err.count("\n")) == (3, 1)
    assert run.out.splitlines()[0] == "a\t[3, 5]\tfloat32\t15\t0\t-\t-\t-\tmissing"
    assert "x.data is missing" in run.err


def test_it_is_read_at_a_url(server: Server, forks: Forks, tmp_path: Path) -> None:
    outside(tmp_path)
    shown = [forks.run("show", f"{place}/x.onnx", "b") for place in (tmp_path, server.url)]
    assert [(run.code, run.err) for run in shown] == [(0, "")] * 2
    assert shown[0].out == shown[1].out


def test_no_value_and_no_node_is_read_for_a_listing() -> None:
    class Counted(BytesSource):
        count = 0

        def _read(self, offset: int, length: int) -> bytes:
            self.count += length
            return super()._read(offset, length)

    big = [tensor(f"w{i}", F32, is_raw=True, shape=(1000, 300)) for i in range(3)]
    source = Counted(model(big).SerializeToString(), "x")
    assert len(read(source, ReadOptions())) == 3
    assert source.count < 20_000 < source.size // 100


def test_values_that_only_nodes_hold_are_told() -> None:
    proto = model([tensor("w", F32, is_raw=True)])
    big = tensor("c", F32, is_raw=True, shape=(200, 100))
    proto.graph.node.append(helper.make_node("Constant", [], ["c"], value=big))
    nbytes = proto.graph.node[-1].ByteSize()
    checkpoint = read_bytes(proto.SerializeToString())
    assert list(checkpoint) == ["w"]
    assert checkpoint.others == {"(nodes)": f"{nbytes:,} bytes of constants or sub-graphs"}
    del proto.graph.node[-1]
    assert not read_bytes(proto.SerializeToString()).others


@pytest.mark.parametrize("name", ["INT4", "UINT4", "INT2", "UINT2"])
@pytest.mark.parametrize("suffix", [".pt", ".dcp", ".safetensors", ".npz"])
def test_types_that_others_lack_are_not_written(
    name: str, suffix: str, forks: Forks, tmp_path: Path
) -> None:
    proto = tensor("w", TYPES[name], is_raw=True)
    (tmp_path / "x").write_bytes(model([proto]).SerializeToString())
    run = forks.run("convert", tmp_path / "x", "-o", tmp_path / f"y{suffix}")
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert f"{name.lower()}x{8 // int(name[-1])}" in run.err
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def edited(change: Callable[[TensorProto], object]) -> bytes:
    """Return a model with a change of one of its two tensors."""
    proto = model([tensor("a", F32, is_raw=True), tensor("w", F32, is_raw=True)])
    change(proto.graph.initializer[1])
    data: bytes = proto.SerializeToString()
    return data


def typed(field: str, *values: float) -> bytes:
    def change(proto: TensorProto) -> None:
        proto.ClearField("raw_data")
        getattr(proto, field).extend(values)

    return edited(change)


def elsewhere(**changes: str) -> Callable[[Path], Path]:
    return lambda path: outside(path, **changes)


def field(number: int, data: bytes) -> bytes:
    assert number < 16
    return bytes([number << 3 | 2, len(data)]) + data


OPSET = field(8, b"\x10\x0d")
HEAD = b"\x08\x08"


def of(graph: bytes) -> bytes:
    return HEAD + field(7, graph) + OPSET


def initializer(data: bytes) -> bytes:
    return of(field(5, field(8, b"w") + b"\x10\x01" + data))


ROWS = [
    Row("I01-no-graph", HEAD + b"\x12\x00" + OPSET, 3, "no ONNX model: it has no graph"),
    Row("I01-no-opset", HEAD + field(7, b""), 3, "no ONNX model: it has no operator set"),
    Row("I02-two-graphs", of(b"") + field(7, b""), 3, "ambiguous: the model has field 7 twice"),
    Row("I03-beyond", HEAD + b"\x3a\xff\xff\xff\x7f", 3, "truncated: 268435455 bytes are needed"),
    Row("I03-wide", HEAD + b"\x3a" + b"\xff" * 9 + b"\x01", 3, "truncated"),
    Row("I03-inner", of(b"\x2a\x7f"), 3, "truncated: 127 bytes are needed, 0 are left"),
    Row("I04-number", HEAD + b"\x3a" + b"\xff" * 10, 3, "more than 64 bits"),
    Row("I04-group", of(b"\x2b\x2c"), 3, "a field of the kind 3"),
    Row("I04-zero", of(b"\x02\x00"), 3, "a field without a number"),
    Row("I05-no-message", HEAD + b"\x12\x00\x38\x01" + OPSET, 3, "field 7 is no message"),
    Row("I05-utf8", of(field(5, field(8, b"\xff"))), 3, "not UTF-8"),
    Row("I06-negative", edited(lambda p: p.dims.append(-1)), 3, "has the shape [3, 5, -1]"),
    Row("I06-2^32", edited(lambda p: p.dims.extend([2**32])), 3, "takes 257698037760 bytes"),
    Row("I06-2^64", edited(lambda p: p.dims.extend([2**32, 2**32])), 3, "more than 2^63 - 1"),
    Row("I06-many", edited(lambda p: p.dims.extend([1] * 70)), 5, "more than 64 dimensions"),
    Row("I07-twice", typed("int32_data", 1), 3, "of float32 has its values in field 5"),
    Row("I07-both", edited(lambda p: p.float_data.append(1)), 3, "'w' has its values twice"),
    Row("I07-raws", initializer(field(9, bytes(4)) * 2), 3, "'w' has its values twice"),
    Row("I07-few", typed("float_data", *[1.0] * 14), 3, "takes 60 bytes, not 56"),
    Row("I07-none", typed("float_data"), 3, "takes 60 bytes, not 0"),
    Row("I07-wire", initializer(b"\x49" + bytes(8)), 3, "are not packed"),
    Row("I08-name", edited(lambda p: setattr(p, "name", "a")), 3, "have the name 'a'"),
    Row("I08-no-name", edited(lambda p: p.ClearField("name")), 3, "has no name"),
    Row("I08-names", of(field(5, field(8, b"w") * 2)), 3, "a tensor has field 8 twice"),
    Row("I09-type", edited(lambda p: setattr(p, "data_type", 99)), 3, "of the unknown type 99"),
    Row("I09-no-type", edited(lambda p: p.ClearField("data_type")), 3, "of the unknown type 0"),
    Row("I09-segment", edited(lambda p: p.segment.SetInParent()), 3, "is a segment"),
    Row("I10-up", elsewhere(location="../x.data"), 4, "in '../x.data', not beside the model"),
    Row("I10-absolute", elsewhere(location="/etc/passwd"), 4, "not beside the model"),
    Row("I10-below-up", elsewhere(location="a/../../x.data"), 4, "not beside the model or below"),
    Row("I10-below-end", elsewhere(location="a/.."), 4, "not beside the model or below"),
    Row("I10-dot", elsewhere(location="."), 4, "not beside the model or below"),
    Row("I10-dot-slash", elsewhere(location="./"), 4, "not beside the model or below"),
    Row("I10-slashes", elsewhere(location="a//x.data"), 4, "not beside the model or below"),
    Row("I10-folder", elsewhere(location="a/"), 4, "not beside the model or below"),
    Row("I10-url", elsewhere(location="http://x/y"), 4, "not beside the model or below"),
    Row("I10-windows", elsewhere(location="..\\x.data"), 4, "not beside the model"),
    Row("I10-nul", elsewhere(location="x\0"), 4, "not beside the model"),
    Row("I10-escape", elsewhere(location="\x1b[31m/"), 4, "\\x1b[31m/"),
    Row("I10-blank", elsewhere(location=""), 3, "does not say in which"),
    Row("I11-offset", elsewhere(offset="100000"), 3, "which has"),
    Row("I11-negative", elsewhere(offset="-1"), 3, "at no byte of another file: '-1'"),
    Row("I11-long", elsewhere(offset="9" * 5000), 3, "at no byte of another file"),
    Row("I11-length", elsewhere(length="8"), 3, "takes 60 bytes, not 8"),
    Row("I12-deep", of(b"".join(b"\x0a\x00" for _ in range(60))) + b"\x7a\x01", 3, "truncated"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_hostile_models_are_refused(row: Row, forks: Forks, tmp_path: Path) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize(
    ("packed", "count", "message"),
    [
        (b"\x80" * 20, 1, "more than 64 bits|does not end"),
        (b"\x01\x80", 1, "does not end"),
        (b"\x80" * 12 + b"\x01", 1, "more than 64 bits"),
        (b"\x01\x01", 1, "2 numbers, not 1"),
        (b"\x01", 2, "1 numbers, not 2"),
        (b"\x80\x01", 1, "out of int8's range"),
    ],
)
def test_numbers_that_are_none_are_told(packed: bytes, count: int, message: str) -> None:
    numbers = Varints(BytesSource(packed, "x"), count, "<i1")
    with pytest.raises(MalformedError, match=message):
        numbers.read(0, count)


def library_reads(data: bytes) -> bool:
    with suppress(DecodeError):
        loaded = onnx.load_model_from_string(data)
        return bool(loaded.opset_import) and loaded.HasField("graph")
    return False


def test_a_model_cut_short_anywhere_is_refused_where_the_library_does_so() -> None:
    proto = model([tensor("w", F32, is_raw=True), tensor("v", TensorProto.INT4, is_raw=False)])
    helper.set_model_props(proto, {"a": "b"})
    data = proto.SerializeToString()
    for end in range(len(data)):
        if library_reads(data[:end]):
            assert len(read_bytes(data[:end])) == 2
            continue
        with pytest.raises(MalformedError):
            read_bytes(data[:end])


@settings(deadline=None)  # the first time, numpy is loaded
@given(st.data())
def test_any_other_bytes_are_read_or_refused(data: st.DataObject) -> None:
    values = helper.make_tensor("s", F32, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    sparse = helper.make_sparse_tensor(values, indices, [2])
    dense = [tensor("w", F32, is_raw=False), tensor("v", TensorProto.INT8, is_raw=False)]
    broken = bytearray(model(dense, [sparse]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ParamctlError):
        for entry in read_checkpoint(BytesSource(bytes(broken), "x")).values():
            if entry.storage is not None:
                b"".join(raw(entry))


def test_very_many_fields_take_little_time(forks: Forks, tmp_path: Path) -> None:
    graph = b"\x0a\x00" * 500_000
    (tmp_path / "x").write_bytes(HEAD + b"\x3a\xc0\x84\x3d" + graph + OPSET)
    run = forks.run("ls", tmp_path / "x")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert_bounded(run)
