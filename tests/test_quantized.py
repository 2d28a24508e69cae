"""Blocks of quantized values against the package gguf of llama.cpp, and through every verb."""

import json
from pathlib import Path

import numpy as np
import pytest
from forks import Forks
from ggml import FIELDS, Array, quantized, random_blocks, swapped, write
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as Quantization
from gguf.quants import dequantize
from gguf.scripts.gguf_convert_endian import byteswap_tensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from paramctl import open as open_model
from paramctl.arrays import blocks as blocks_of
from paramctl.arrays import raw, read
from paramctl.errors import UsageError
from paramctl.quantized import PACKINGS, dequantized
from paramctl.slices import select

READ = list(FIELDS)


def expected_of(kind: Quantization, blocks: Array) -> Array:
    with np.errstate(all="ignore"):
        return dequantize(blocks, kind)


def assert_bits(values: Array, expected: Array) -> None:
    """Check that values are the same to the bit, NaN whatever its bits."""
    nan = np.isnan(expected)
    assert np.array_equal(np.isnan(values), nan)
    assert values[~nan].tobytes() == expected[~nan].tobytes()


def test_these_types_are_read() -> None:
    assert {kind.name for kind in READ} == PACKINGS.keys()


@pytest.mark.parametrize("kind", READ)
def test_random_blocks_are_dequantized_to_the_bit(kind: Quantization) -> None:
    blocks = random_blocks(kind, 1000)
    expected = expected_of(kind, blocks)
    assert np.isfinite(expected).all()
    assert read(quantized(kind, blocks.tobytes())).tobytes() == expected.tobytes()


@given(st.sampled_from(READ), st.data())
def test_any_blocks_are_dequantized_to_the_bit(kind: Quantization, data: st.DataObject) -> None:
    size = GGML_QUANT_SIZES[kind][1]
    count = data.draw(st.integers(1, 6))
    blocks = data.draw(st.binary(min_size=size * count, max_size=size * count))
    expected = expected_of(kind, np.frombuffer(blocks, "u1").reshape(count, size))
    assert_bits(read(quantized(kind, blocks)).reshape(count, -1), expected)


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, 65504, -0.0, 2**-24])
def test_an_odd_scale_makes_the_values_of_ggml_and_no_warning(
    kind: Quantization, scale: float
) -> None:
    blocks = random_blocks(kind, 8)
    for place, field in FIELDS[kind].items():
        if field == "f2":
            blocks[::2, place : place + 2] = np.array([scale], "<f2").view("u1")
    if kind is Quantization.MXFP4:
        blocks[:, 0] = [0, 1, 2, 126, 127, 128, 254, 255]
    assert_bits(read(quantized(kind, blocks.tobytes())).reshape(8, -1), expected_of(kind, blocks))


@given(st.sampled_from(READ), st.data())
def test_a_slice_is_that_of_the_values(kind: Quantization, data: st.DataObject) -> None:
    blocks = random_blocks(kind, 8)
    entry = quantized(kind, blocks.tobytes())
    index = tuple(data.draw(st.slices(size).filter(is_forward)) for size in entry.shape)
    expected = expected_of(kind, blocks).reshape(entry.shape)[index]
    assert read(select(entry, index)).tobytes() == expected.tobytes()


def is_forward(index: slice) -> bool:
    return (index.step or 1) > 0


@given(st.sampled_from(READ), st.integers(0, 4000), st.integers(0, 4000))
def test_dequantized_bytes_are_those_of_the_values(
    kind: Quantization, start: int, length: int
) -> None:
    entry = dequantized(quantized(kind, random_blocks(kind, 4).tobytes()))
    assert entry.storage is not None
    begin = min(start, entry.storage.nbytes)
    end = min(begin + length, entry.storage.nbytes)
    assert entry.storage.source.read(begin, end - begin) == read(entry).tobytes()[begin:end]


@pytest.mark.parametrize("kind", READ)
def test_no_blocks_are_no_values(kind: Quantization) -> None:
    entry = quantized(kind, b"")
    assert read(entry).shape == entry.shape
    assert not sum(block.size for block in blocks_of(entry))


@pytest.mark.parametrize("kind", READ)
def test_blocks_of_a_big_endian_machine_are_read(kind: Quantization) -> None:
    blocks = random_blocks(kind, 6)
    big = quantized(kind, swapped(kind, blocks).tobytes(), big_endian=True)
    assert read(big).tobytes() == expected_of(kind, blocks).tobytes()
    with pytest.raises(UsageError, match=f"the bytes of {kind.name} are in big-endian order"):
        next(raw(big))


@pytest.mark.parametrize("kind", sorted(byteswap_tensors.keys() & FIELDS.keys()))
def test_such_blocks_are_those_that_llama_cpp_swaps(kind: Quantization) -> None:
    blocks = random_blocks(kind, 6)

    class Tensor:
        data = blocks.copy().reshape(-1)

    for start in range(0, blocks.size, blocks.shape[1]):
        byteswap_tensors[kind](Tensor, start)  # type: ignore[no-untyped-call]
    assert np.array_equal(Tensor.data.reshape(blocks.shape), swapped(kind, blocks))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a file with a tensor of each type, of three rows of two blocks."""
    tensors = {kind.name: (random_blocks(kind, 6).reshape(3, -1), kind) for kind in READ}
    return write(tmp_path / "model.gguf", tensors)


VALUES = {kind.name: expected_of(kind, random_blocks(kind, 6)).reshape(3, -1) for kind in READ}


def test_values_are_shown_from_inside_a_block_on(model: Path, forks: Forks) -> None:
    addresses = [f"{kind.name}[1,21:24]" for kind in READ]
    run = forks.run("show", model, *addresses, "--format", "json")
    assert run.code == 0
    shown = {each["name"]: each["values"] for each in json.loads(run.out)}
    assert shown == {name: values[1, 21:24].tolist() for name, values in VALUES.items()}


def test_statistics_are_those_of_the_values(model: Path, forks: Forks) -> None:
    run = forks.run("stats", model, "--format", "json")
    assert run.code == 0
    rows = {row["name"]: row for row in json.loads(run.out)}
    for name, values in VALUES.items():
        assert (rows[name]["min"], rows[name]["max"]) == (values.min(), values.max())
        assert rows[name]["mean"] == pytest.approx(values.mean(dtype="f8"))
        assert rows[name]["zeros"] == np.count_nonzero(values == 0)
        assert rows[name]["dtype"] == name


def test_a_cast_writes_the_rounded_values(model: Path, forks: Forks, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    assert forks.run("convert", model, "--dtype", "f16", "-o", path).code == 0
    written = load_file(path)
    assert written.keys() == VALUES.keys()
    for name, values in VALUES.items():
        assert written[name].tobytes() == values.astype("f2").tobytes()


def test_a_file_differs_from_what_is_cast_of_it_by_its_types(
    model: Path, forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / "x.safetensors"
    open_model(model).cast("float32").save(path)
    assert forks.run("diff", model, path, "--ignore", "dtype").code == 0
    assert forks.run("diff", model, path).code == 1


def test_a_type_that_is_not_dequantized_is_listed_and_refused(tmp_path: Path) -> None:
    blocks = np.arange(2 * 66, dtype="u1").reshape(2, 66)
    checkpoint = open_model(write(tmp_path / "x", {"w": (blocks, Quantization.IQ2_XXS)}))
    entry = checkpoint["w"]
    assert (entry.dtype.name, entry.shape, entry.nbytes) == ("IQ2_XXS", (2, 256), 132)
    assert b"".join(raw(entry)) == blocks.tobytes()
    with pytest.raises(UsageError, match="'w': values of IQ2_XXS are not unpacked; raw"):
        read(entry)
    for file in ("y.safetensors", "y.pt", "y.npz"):
        with pytest.raises(UsageError, match=r"'w' is of IQ2_XXS, .* drop\(\) leaves"):
            checkpoint.cast("float32").save(tmp_path / file)
