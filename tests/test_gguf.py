"""GGUF files against the package gguf of llama.cpp; section E, as users meet it."""

import struct
from pathlib import Path

import gguf_rows
import numpy as np
import pytest
import torch
from forks import Forks
from ggml import Array, write
from gguf import GGML_QUANT_SIZES, GGUFEndian, GGUFReader, GGUFWriter
from gguf import GGMLQuantizationType as Quantization
from gguf.quants import dequantize, quantize
from hostile import VERBS, Row, assert_bounded, assert_refused
from program import paramctl
from safetensors import safe_open

from paramctl import open as open_model
from paramctl.arrays import blocks as blocks_of
from paramctl.arrays import raw, read
from paramctl.dtypes import BY_GGML
from paramctl.errors import MalformedError
from paramctl.formats.gguf.header import REMOVED
from paramctl.sources import FileSource

SAMPLE = Path(__file__).parents[1] / "sample_models" / "llama.gguf"


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype("f4")


def test_quantized_weights_are_checked_as_weights(tmp_path: Path) -> None:
    blocks = quantize(normal(4, 64), Quantization.Q8_0)
    padded, broken = blocks.copy(), blocks.copy()
    padded[2] = 0
    broken[1, :2] = 0xFF  # the scale of the first block: NaN
    model = open_model(
        write(
            tmp_path / "x",
            {
                name: (values, Quantization.Q8_0)
                for name, values in {
                    "token_embd.weight": padded,
                    "blk.0.ffn_up.weight": padded,
                    "blk.1.ffn_up.weight": broken,
                    "blk.2.ffn_up.weight": blocks,
                    "blk.3.ffn_up.weight": blocks,
                }.items()
            },
        )
    )
    assert [
        (each.kind, each.name, each.affected, each.first) for each in model.check().findings
    ] == [
        ("nan", "blk.1.ffn_up.weight", 32, (1, 0)),
        ("dead-rows", "blk.0.ffn_up.weight", 1, (2,)),
        ("duplicate", "blk.0.ffn_up.weight", None, None),
        ("duplicate", "blk.3.ffn_up.weight", None, None),
    ]


def test_the_sample_holds_what_gguf_reads() -> None:
    checkpoint = open_model(SAMPLE)
    tensors = GGUFReader(SAMPLE).tensors
    assert list(checkpoint) == [tensor.name for tensor in tensors]
    for tensor in tensors:
        entry, values = checkpoint[tensor.name], dequantize(tensor.data, tensor.tensor_type)
        assert entry.shape == tuple(map(int, tensor.shape[::-1]))
        assert entry.nbytes == tensor.n_bytes
        assert read(entry).tobytes() == values.tobytes()
        assert b"".join(raw(entry)) == tensor.data.tobytes()


def test_every_type_of_ggml_is_listed_with_its_size() -> None:
    for kind, sizes in GGML_QUANT_SIZES.items():
        if kind is not Quantization.Q8_1:  # a sum in half precision since 2024: gguf has two floats
            dtype = BY_GGML[kind]
            assert (dtype.block, dtype.bits // 8) == sizes
            assert dtype.block == 1 or dtype.name == kind.name
    assert not REMOVED.keys() & BY_GGML.keys()


def say_all(writer: GGUFWriter) -> None:
    """Say something of every kind of metadata."""
    for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
        getattr(writer, f"add_{kind}")(f"a.{kind}", 7)
    writer.add_float32("a.float32", 1e-5)
    writer.add_float64("a.float64", 1e-5)
    writer.add_bool("a.bool", val=True)
    writer.add_string("a.string", "große Wörter")
    writer.add_array("a.strings", ["", "a", "é"])
    writer.add_array("a.ints", [1, -2, 3])
    writer.add_array("a.floats", [0.5, -0.25])
    writer.add_array("a.bools", [True, False])
    writer.add_custom_alignment(64)


@pytest.mark.parametrize("endianess", GGUFEndian)
def test_metadata_and_plain_types_are_as_written(endianess: GGUFEndian, tmp_path: Path) -> None:
    arrays = {
        kind: (normal(3, 5, 2) * 9).astype(kind)
        for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8")
    }
    plain: dict[str, tuple[Array, None]] = {kind: (array, None) for kind, array in arrays.items()}
    path = write(tmp_path / "x", plain, say_all, endianess=endianess)
    checkpoint = open_model(path)
    for kind, array in arrays.items():
        assert checkpoint[kind].shape == (3, 5, 2)
        assert np.array_equal(read(checkpoint[kind]), array)
    fields = {k: f.contents() for k, f in GGUFReader(path).fields.items() if k[:5] != "GGUF."}
    assert checkpoint.metadata == fields
    assert len(fields) == 18


def test_version_2_is_read(tmp_path: Path) -> None:
    data = SAMPLE.read_bytes()
    (tmp_path / "x").write_bytes(data[:4] + struct.pack("<I", 2) + data[8:])
    assert len(open_model(tmp_path / "x")) == 20


def test_listing_reads_the_header_and_values_are_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.zeros((1 << 12, 34 << 7), "u1")
    path = write(tmp_path / "x", {"w": (data, Quantization.Q8_0)})
    lengths, plain = [], FileSource._read

    def note(source: FileSource, offset: int, length: int) -> bytes:
        lengths.append(length)
        return plain(source, offset, length)

    monkeypatch.setattr(FileSource, "_read", note)
    checkpoint = open_model(path)
    assert sum(lengths) <= 2 << 16
    lengths.clear()
    assert sum(int(np.count_nonzero(block == 0)) for block in blocks_of(checkpoint["w"])) == 1 << 24
    assert sum(lengths) < 1.01 * data.nbytes
    assert max(lengths) < 1 << 20


def split(folder: Path) -> tuple[list[Path], dict[str, Array]]:
    """Write a model in three parts; return them, and its tensors."""
    tensors = {f"blk.{place}.weight": normal(2, 32) + place for place in range(5)}
    given: dict[str, tuple[Array, Quantization | None]] = {n: (t, None) for n, t in tensors.items()}
    write(folder / "big.gguf", given, lambda w: w.add_name("Big"), split_max_tensors=2)
    return sorted(folder.iterdir()), tensors


@pytest.mark.parametrize("opened", [0, 2, None])
def test_all_parts_of_a_model_are_read(opened: int | None, tmp_path: Path) -> None:
    paths, tensors = split(tmp_path)
    assert [path.name for path in paths] == [f"big-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    checkpoint = open_model(tmp_path if opened is None else paths[opened])
    assert (checkpoint.format, checkpoint.holds) == ("sharded gguf", "3 files")
    assert {name: read(entry).tolist() for name, entry in checkpoint.items()} == {
        name: tensor.tolist() for name, tensor in tensors.items()
    }
    assert checkpoint.metadata == {"general.architecture": "llama", "general.name": "Big"}
    assert checkpoint.complaints == ()


def test_a_part_that_is_missing_is_listed_as_such(tmp_path: Path, forks: Forks) -> None:
    paths, _ = split(tmp_path)
    paths[1].unlink()
    run = forks.run("ls", paths[0])
    assert run.code == 3
    assert "big-00002-of-00003.gguf is missing" in run.err
    assert [line.partition("\t")[0] for line in run.out.splitlines()] == [
        *("blk.0.weight", "blk.1.weight", "big-00002-of-00003.gguf", "blk.4.weight")
    ]
    with pytest.raises(MalformedError, match="gguf is not there; put it beside"):
        open_model(paths[0]).save(tmp_path / "x")


def test_parts_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    paths, _ = split(tmp_path)
    third = paths[2].read_bytes()
    paths[2].write_bytes(paths[1].read_bytes())
    with pytest.raises(MalformedError, match=r"00003-of-00003.gguf: not part 3 of 3, as its name"):
        open_model(paths[0])
    paths[2].write_bytes(third.replace(b"blk.4", b"blk.0"))
    with pytest.raises(MalformedError, match=r"00003-of.*: tensor 'blk.0.weight' is in two of the"):
        open_model(paths[0])


def test_a_part_alone_says_what_it_should_be_called(tmp_path: Path, forks: Forks) -> None:
    paths, _ = split(tmp_path)
    paths[0].rename(tmp_path / "first.gguf")
    run = forks.run("ls", tmp_path / "first.gguf")
    assert run.code == 3
    assert "name it MODEL-00001-of-00003.gguf, the others lie beside it" in run.err


def test_a_part_in_a_pipe_is_to_be_named_itself(tmp_path: Path) -> None:
    part = split(tmp_path)[0][1].read_bytes()
    run = paramctl("ls", stdin=part)
    assert (run.code, run.out) == (3, "")
    said = "part 2 of 3; name the file itself, the others lie beside it"
    assert run.err == f"paramctl: <stdin>: {said}\n"


def test_verbs_take_the_values_for_floats(tmp_path: Path, forks: Forks) -> None:
    values = normal(4, 64)
    for kind in (Quantization.F32, Quantization.Q8_0):
        write(tmp_path / kind.name, {"w.weight": (quantize(values, kind), kind)})
    run = forks.run("diff", tmp_path / "F32", tmp_path / "Q8_0", "--tolerance", "0.02")
    assert (run.code, "float32\tw.weight\t[4, 64]\tQ8_0" in run.out) == (1, True)
    same = forks.run("diff", tmp_path / "F32", tmp_path / "Q8_0", "--tolerance", "0.02",
                     "--ignore", "dtype")  # fmt: skip
    assert same.code == 0, same.out
    shown = forks.run("show", tmp_path / "Q8_0", "w.weight[1,30:34]", "--format", "json")
    expected = dequantize(quantize(values, Quantization.Q8_0), Quantization.Q8_0)[1, 30:34]
    assert f'"values": {expected.tolist()}'.replace(" ", "") in shown.out.replace(" ", "")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_cast_writes_the_values(dtype: str, tmp_path: Path, forks: Forks) -> None:
    path = tmp_path / "x.safetensors"
    assert forks.run("convert", SAMPLE, "--dtype", dtype, "-o", path).code == 0
    with safe_open(path, "pt") as written:
        for tensor in GGUFReader(SAMPLE).tensors:
            values = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
            assert torch.equal(written.get_tensor(tensor.name), values.to(getattr(torch, dtype)))


def test_check_finds_the_nan_that_a_scale_makes(tmp_path: Path, forks: Forks) -> None:
    blocks = quantize(normal(64, 64), Quantization.Q8_0)
    blocks[5, :2] = 0xFF
    write(tmp_path / "x", {"w.weight": (blocks, Quantization.Q8_0)})
    run = forks.run("check", tmp_path / "x")
    assert (run.code, "w.weight" in run.out, "nan" in run.out) == (1, True, True)


def test_values_cannot_be_set_in_a_quantized_parameter(forks: Forks) -> None:
    run = forks.run("set", SAMPLE, "token_embd.weight = 0")
    assert (run.code, "Q8_0" in run.err) == (2, True)


@pytest.mark.parametrize("row", gguf_rows.REFUSED, ids=lambda row: row.id)
def test_a_malformed_file_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("row", gguf_rows.COMPLAINED, ids=lambda row: row.id)
def test_what_is_behind_the_tensors_is_told(row: Row, tmp_path: Path, forks: Forks) -> None:
    run = forks.run("ls", row.write(tmp_path))
    assert run.code == row.code
    assert row.message in run.err


@pytest.mark.parametrize("row", gguf_rows.LISTED, ids=lambda row: row.id)
def test_an_odd_but_sound_file_is_listed(row: Row, tmp_path: Path, forks: Forks) -> None:
    run = forks.run("ls", row.write(tmp_path))
    assert (run.code, run.err) == (0, "")
    assert row.message in run.out
    assert_bounded(run)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_every_verb_refuses_it(verb: tuple[str, ...], tmp_path: Path, forks: Forks) -> None:
    row = next(row for row in gguf_rows.REFUSED if row.id == "E14-2^64")
    assert_refused(forks.run(*verb, row.write(tmp_path)), row)


def test_metadata_is_escaped_and_shortened(tmp_path: Path, forks: Forks) -> None:
    (tmp_path / "x").write_bytes(gguf_rows.TEXTS)
    run = forks.run("meta", tmp_path / "x")
    assert run.code == 0
    name, template = run.out.splitlines()
    assert name == "general.name: \\x1b[31m[bold]"
    assert template.startswith(
        "tokenizer.chat_template: {% for m in messages %}\\x1b[31m[bold]\\\\xff"
    )
    assert template.endswith("characters)")
    assert len(template) < 1200


def test_a_vocabulary_is_shortened_and_told_whole_in_json(forks: Forks) -> None:
    checkpoint = open_model(SAMPLE)
    assert checkpoint.metadata["tokenizer.ggml.tokens"][-1] == "<63>"
    run = forks.run("meta", SAMPLE, "tokenizer.ggml.tokens", "63")
    assert run.out == "<63>\n"
