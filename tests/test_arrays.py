from types import EllipsisType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices
from memory import Memory, Zeros, describe, zeros
from oracle import TORCH_WARNINGS, assert_same_values, own_bytes
from torch import Tensor

from paramctl.arrays import BLOCK, NUMBERS, blocks, check, raw, read, value_type
from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import BY_NAME, DTYPES, UNKNOWN
from paramctl.errors import LimitError, MalformedError, UsageError
from paramctl.quantized import PACKINGS
from paramctl.slices import Index, select

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

MIB = 1 << 20
FLOAT8 = [dtype.name for dtype in DTYPES if dtype.name.startswith("float8")]
WIDENED = [*FLOAT8, "bfloat16", "complex32"]
READABLE = [*WIDENED, *(dtype.name for dtype in DTYPES if dtype.numpy)]
ARANGE = torch.arange(720, dtype=torch.int32)
VIEWS = {
    "contiguous": ARANGE.reshape(24, 30),
    "transposed": ARANGE.reshape(24, 30).t(),
    "permuted": ARANGE.reshape(2, 3, 4, 30).permute(2, 0, 3, 1),
    "strided": ARANGE.reshape(24, 30)[::5, 1::4],
    "offset": ARANGE[100:],
    "expanded": ARANGE[3:9].expand(40, 6),
    "expanded scalar": ARANGE[5].expand(7, 8, 9),
    "expanded inside": ARANGE[:24].reshape(24, 1).expand(24, 30),
    "overlapping": ARANGE.unfold(0, 5, 2),
    "size 1": ARANGE.reshape(24, 1, 30, 1)[2:, :, ::3],
    "scalar": ARANGE[77],
    "empty": ARANGE[9:9],
    "empty matrix": ARANGE.reshape(24, 30)[:, 5:5],
    "no dimensions left": torch.empty(3, 0, 2),
    "3 MiB": torch.arange(3 * MIB // 4 + 5, dtype=torch.int32),
    "5 MiB transposed": torch.arange(5 * MIB // 4, dtype=torch.int32).reshape(-1, 1024).t(),
    "16 MiB apart": torch.arange(4 * MIB, dtype=torch.int32).reshape(1024, -1)[:, 5:900],
    "16 MiB expanded": torch.arange(1024.0).expand(4 * 1024, 1024),
}


def every_pattern(dtype: str) -> Tensor:
    """Return all the bit patterns of one byte or of two."""
    kind = getattr(torch, dtype)
    integer = {1: torch.uint8, 2: torch.int16}[kind.itemsize]
    return torch.arange(256**kind.itemsize).to(integer).view(kind)


def big_endian(tensor: Tensor) -> Entry:
    """Describe a tensor as a machine of the other byte order would have stored it."""
    entry = describe(tensor)
    assert entry.storage
    part = tensor.itemsize // (2 if tensor.is_complex() else 1)
    data = entry.storage.source.read(0, entry.storage.nbytes)
    swapped = np.frombuffer(data, f"V{part}").view("u1").reshape(-1, part)[:, ::-1].tobytes()
    source = Memory(swapped)
    return entry._replace(storage=Storage(source, 0, len(swapped), big_endian=True))


def of_bytes(dtype: str, shape: tuple[int, ...]) -> Tensor:
    """Return a tensor of the bytes 0, 1, 2, ... 250, 0, 1, ..."""
    kind = getattr(torch, dtype)
    nbytes = int(np.prod(shape)) * kind.itemsize
    data = (torch.arange(nbytes) % 251).to(torch.uint8)
    if dtype == "bool":
        data %= 2
    return data.view(kind).reshape(shape)


def with_bits(dtype: str, shape: tuple[int, ...], data: bytes, nbytes: int = -1) -> Entry:
    stored = Storage(Memory(data), 0, len(data) if nbytes < 0 else nbytes)
    return Entry("w", BY_NAME[dtype], shape, stored)


# Values


@pytest.mark.parametrize("dtype", [*FLOAT8, "bfloat16", "float16"])
def test_every_bit_pattern_has_torchs_value(dtype: str) -> None:
    tensor = every_pattern(dtype)
    values, expected = read(describe(tensor)), tensor.float().numpy()
    assert np.array_equal(values, expected, equal_nan=True)
    assert np.array_equal(np.signbit(values[values == 0]), np.signbit(expected[expected == 0]))
    if dtype == "float16":
        assert values.tobytes() == tensor.numpy().tobytes()
    if dtype == "bfloat16":
        assert values.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", READABLE)
def test_values_of_every_type_are_torchs_in_either_byte_order(dtype: str) -> None:
    for shape in ((), (1,), (5,), (3, 4), (2, 0)):
        tensor = of_bytes(dtype, shape)
        assert_same_values(describe(tensor), tensor)
        assert_same_values(big_endian(tensor), tensor)


@pytest.mark.parametrize("dtype", READABLE)
def test_a_single_element_is_an_array_without_dimensions(dtype: str) -> None:
    tensor = of_bytes(dtype, (3, 4))
    part = select(describe(tensor), (1, -1))
    assert isinstance(read(part), np.ndarray)
    assert_same_values(part, tensor[1, -1])
    assert b"".join(raw(part)) == tensor[1, -1].reshape(1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_torchs_values(name: str) -> None:
    assert_same_values(describe(VIEWS[name]), VIEWS[name])


@pytest.mark.parametrize("dtype", ["complex32", "complex64", "complex128"])
def test_what_torch_has_put_off_is_done(dtype: str) -> None:
    tensor = torch.complex(torch.arange(-3.5, 3.0), torch.arange(0.5, 7.0))
    for lazy, layout in (
        (tensor.conj(), "conjugate"),
        (torch._neg_view(tensor), "negative"),
        (torch._neg_view(tensor.conj()), "conjugate-negative"),
    ):
        entry = describe(tensor.to(getattr(torch, dtype)))._replace(layout=layout)
        assert read(entry).tolist() == lazy.tolist()
        assert joined(entry).tolist() == lazy.tolist()
        single = read(select(entry, (2,)))
        assert isinstance(single, np.ndarray)
        assert single.item() == lazy[2].item()


def joined(entry: Entry) -> np.ndarray[Any, Any]:
    """Return the values that come in blocks, in one array."""
    parts = [np.empty(0, value_type(entry)), *blocks(entry)]
    return np.concatenate(parts).reshape(entry.shape)


@pytest.mark.parametrize("name", VIEWS)
def test_blocks_hold_the_values_of_a_view_in_order(name: str) -> None:
    entry = describe(VIEWS[name])
    assert joined(entry).tobytes() == read(entry).tobytes()
    assert all(0 < block.size <= NUMBERS and block.ndim == 1 for block in blocks(entry))


@pytest.mark.parametrize("dtype", READABLE)
def test_blocks_hold_the_values_of_every_type(dtype: str) -> None:
    for entry in (describe(of_bytes(dtype, (5, 4))), big_endian(of_bytes(dtype, ()))):
        assert value_type(entry) == read(entry).dtype
        assert joined(entry).tobytes() == read(entry).tobytes()


def test_an_array_of_any_size_comes_in_blocks() -> None:
    entry, source = zeros("bfloat16", 1 << 20, 1 << 20)
    first = next(iter(blocks(entry)))
    assert (first.shape, first.dtype) == ((NUMBERS,), np.dtype("<f4"))
    assert source.nbytes_read == BLOCK


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128", "int16"])
def test_raw_bytes_are_those_after_what_torch_has_put_off(dtype: str) -> None:
    tensor = of_bytes(dtype, (3, 5)).nan_to_num()
    negative = tensor.clone().neg_()
    for entry in (describe(tensor), big_endian(tensor)):
        lazy = entry._replace(layout="negative")
        assert b"".join(raw(lazy)) == negative.numpy().tobytes()


def test_bytes_that_have_to_be_made_of_others_are_refused() -> None:
    entry = describe(of_bytes("complex32", (3,)))._replace(layout="conjugate")
    message = "'w' is conjugate: of complex32, its bytes are not stored; read\\(\\) computes"
    with pytest.raises(UsageError, match=message):
        list(raw(entry))


def test_nothing_is_the_negative_of_a_bool() -> None:
    entry = with_bits("bool", (2,), b"\0\1")._replace(layout="negative")
    for values in (read, blocks, raw):
        with pytest.raises(UsageError, match="values of bool are not unpacked"):
            list(values(entry))


def test_any_byte_but_0_is_true() -> None:
    entry = with_bits("bool", (4,), b"\0\1\2\xff")
    assert read(entry).tobytes() == b"\0\1\1\1"
    assert b"".join(raw(entry)) == b"\0\1\2\xff"


# Slices


def steps(size: int) -> st.SearchStrategy[int | slice | EllipsisType]:
    bound = st.none() | st.integers(-size - 2, size + 2)
    stride = st.none() | st.integers(-3, 3)
    within = st.integers(-size - 1, size)
    return st.one_of(within, st.builds(slice, bound, bound, stride), st.just(...))


@st.composite
def indexed(draw: st.DrawFn) -> tuple[tuple[int, ...], Index]:
    shape = tuple(draw(st.lists(st.integers(0, 6), max_size=4)))
    sizes = [*shape, 3][: draw(st.integers(0, len(shape) + 1))]
    return shape, tuple(draw(steps(size)) for size in sizes)


def by_numpy(values: np.ndarray[Any, Any], index: Index) -> np.ndarray[Any, Any] | None:
    try:
        return np.asarray(values[index])
    except (IndexError, ValueError):
        return None


@given(indexed(), indexed())
def test_a_slice_is_what_numpy_would_give(
    first: tuple[tuple[int, ...], Index], then: tuple[tuple[int, ...], Index]
) -> None:
    """So is a slice of the slice, whose strides are not those of an array."""
    shape, index = first
    values: np.ndarray[Any, Any] = np.arange(np.prod(shape, dtype=int), dtype="<i4").reshape(shape)
    entry = describe(torch.from_numpy(values))._replace(strides=None)
    for chosen in (index, then[1]):
        expected = by_numpy(values, chosen)
        if expected is None:
            with pytest.raises(UsageError, match=r"'w' of shape \["):
                select(entry, chosen)
            return
        entry, values = select(entry, chosen), expected
        assert entry.shape == values.shape
        assert np.array_equal(read(entry), values)
        assert b"".join(raw(entry)) == values.tobytes()


@given(st.data())
def test_every_slice_that_numpy_knows_is_known(data: st.DataObject) -> None:
    shape = data.draw(array_shapes(min_dims=0, max_dims=4, min_side=0))
    index = data.draw(basic_indices(shape, allow_newaxis=False))
    values: np.ndarray[Any, Any] = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    entry = describe(torch.from_numpy(values))
    chosen = select(entry, index if isinstance(index, tuple) else (index,))
    assert read(chosen).tolist() == values[index].tolist()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((3,), "index 3 is out of bounds for dimension 0 of size 3"),
        ((0, -5), "index -5 is out of bounds for dimension 1 of size 4"),
        ((..., 4), "index 4 is out of bounds for dimension 1 of size 4"),
        ((0, 0, 0), "3 indices are too many"),
        ((slice(None, None, 0),), "a slice's step is 0"),
        ((..., ...), "an index holds one '...' at most"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(index: Index, message: str) -> None:
    entry, source = zeros("float32", 3, 4)
    with pytest.raises(UsageError) as caught:
        select(entry, index)
    assert str(caught.value) == f"'w' of shape [3, 4]: {message}"
    assert not source.reads


# Bytes


@pytest.mark.parametrize("name", VIEWS)
def test_raw_bytes_are_those_of_a_contiguous_copy(name: str) -> None:
    view = VIEWS[name]
    expected = view.contiguous().numpy().tobytes()
    assert b"".join(raw(describe(view))) == expected
    assert b"".join(raw(big_endian(view))) == expected


@pytest.mark.parametrize("dtype", READABLE)
def test_raw_bytes_of_every_type_are_little_endian(dtype: str) -> None:
    tensor = of_bytes(dtype, (4, 6))
    expected = tensor.view(torch.uint8).numpy().tobytes()
    assert b"".join(raw(describe(tensor))) == expected
    assert b"".join(raw(big_endian(tensor))) == expected


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e5m2"])
def test_raw_bytes_keep_the_payload_of_every_nan(dtype: str) -> None:
    tensor = every_pattern(dtype)
    assert b"".join(raw(describe(tensor))) == own_bytes(tensor)
    assert b"".join(raw(big_endian(tensor))) == own_bytes(tensor)


@pytest.mark.parametrize("dtype", ["bits8", "bits16", "float4_e2m1fn_x2"])
def test_raw_bytes_need_no_values(dtype: str) -> None:
    data = bytes(range(24))
    shape = (24 * 8 // BY_NAME[dtype].bits,)
    assert b"".join(raw(with_bits(dtype, shape, data))) == data


@pytest.mark.parametrize(
    ("dtype", "shape", "nbytes"),
    [
        ("float4_e2m1fn", (6,), 3),
        ("float4_e2m1fn", (3, 3), 5),
        ("float4_e2m1fn", (), 1),
        ("float4_e2m1fn", (0, 3), 0),
        ("float6_e2m3fn", (4,), 3),
        ("float6_e3m2fn", (2, 3), 5),
        ("float4_e2m1fn", (2, 5 * MIB), 5 * MIB),
    ],
)
def test_packed_elements_are_copied_as_they_are(
    dtype: str, shape: tuple[int, ...], nbytes: int
) -> None:
    data = (bytes(range(1, 251)) * (nbytes // 250 + 1))[:nbytes]
    entry = with_bits(dtype, shape, data + b"not its own", nbytes)
    assert b"".join(raw(entry)) == data


def test_a_part_of_packed_elements_is_refused() -> None:
    entry = with_bits("float4_e2m1fn", (6,), b"abc")
    message = "'w': a part of float4_e2m1fn does not fill whole bytes"
    with pytest.raises(UsageError, match=message):
        list(raw(select(entry, (slice(1, 3),))))


def test_raw_bytes_come_in_blocks() -> None:
    for entry in (zeros("float32", 5, MIB)[0], describe(VIEWS["5 MiB transposed"])):
        lengths = [len(block) for block in raw(entry)]
        assert sum(lengths) == entry.nbytes
        assert max(lengths) == 4 * NUMBERS


# What is not read


def test_only_the_bytes_of_a_slice_are_read() -> None:
    entry, source = zeros("float32", 1000, 1_000_000)
    assert read(select(entry, (0, slice(5)))).shape == (5,)
    assert source.reads == [(0, 20)]


def test_a_contiguous_slice_is_read_at_once() -> None:
    entry, source = zeros("bfloat16", 1000, 4000)
    read(select(entry, (slice(10, 20),)))
    assert source.reads == [(10 * 8000, 10 * 8000)]


def test_a_column_is_read_an_element_at_a_time() -> None:
    entry, source = zeros("float32", 1000, 1_000_000)
    assert read(select(entry, (slice(None), 0))).shape == (1000,)
    assert source.nbytes_read == 4000


@pytest.mark.parametrize(
    ("shape", "index", "nbytes", "most_reads"),
    [
        ((1000, 1024), (slice(None), 0), 999 * 4096 + 4, 12),  # a gap of 4092 bytes
        ((1000, 1025), (slice(None), 0), 4000, 1000),  # a gap of 4096
        ((1000, 2000), (slice(None), slice(977)), 999 * 8000 + 3908, 24),
        ((1000, 2000), (slice(None), slice(976)), 1000 * 3904, 1000),
        ((10, 10, 3000), (slice(None), slice(0, 10, 9), slice(5)), 400, 20),
        ((3_000_000,), (slice(None, None, -3),), 12_000_000, 36),
    ],
)
def test_gaps_are_read_where_they_are_small(
    shape: tuple[int, ...], index: Index, nbytes: int, most_reads: int
) -> None:
    entry, source = zeros("float32", *shape)
    read(select(entry, index))
    assert nbytes * 0.99 < source.nbytes_read <= nbytes
    assert len(source.reads) <= most_reads
    assert max(length for _, length in source.reads) <= BLOCK


DATA = bytes(range(256)) * 40


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-20, 20)), max_size=4),
    st.sampled_from([16, 256, MIB]),
    st.sampled_from([0, 16, 4096]),
)
def test_elements_at_any_strides_are_numpys(
    dimensions: list[tuple[int, int]], block: int, small_gap: int
) -> None:
    shape, strides = (tuple(pair[place] for pair in dimensions) for place in (0, 1))
    first = sum(max(0, (1 - size) * stride) for size, stride in dimensions if size)
    entry = with_bits("int16", shape, DATA)._replace(strides=strides, offset=first)
    steps = [2 * stride for stride in strides]
    view = np.lib.stride_tricks.as_strided(np.frombuffer(DATA, "<i2")[first:], shape, steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paramctl.arrays.BLOCK", block)
        patch.setattr("paramctl.arrays.SMALL_GAP", small_gap)
        assert np.array_equal(read(entry), view)
        assert b"".join(raw(entry)) == view.tobytes()


def test_a_box_is_read_a_row_at_a_time() -> None:
    entry, source = zeros("float32", 100, 1000, 1000)
    box = select(entry, (slice(3, 9, 2), slice(None, None, -100), slice(7, 12)))
    assert read(box).shape == (3, 10, 5)
    assert source.nbytes_read == 3 * 10 * 5 * 4


def test_an_expanded_element_is_read_once() -> None:
    entry, source = zeros("float32", 1)
    assert read(entry._replace(shape=(1000, 1000), strides=(0, 0))).shape == (1000, 1000)
    assert source.reads == [(0, 4)]


def test_a_storage_inside_a_file_is_read_where_it_lies() -> None:
    source = Zeros(1 << 50)
    storage = Storage(source, 1 << 49, 4000)
    read(Entry("w", BY_NAME["float32"], (10,), storage, 100))
    assert source.reads == [((1 << 49) + 400, 40)]


# What is refused


@pytest.mark.parametrize(("dtype", "itemsize"), [("uint8", 1), ("bfloat16", 4), ("complex32", 8)])
def test_an_array_of_more_than_4_gib_is_refused(dtype: str, itemsize: int) -> None:
    numel = (1 << 32) // itemsize + 1
    entry, source = zeros(dtype, numel)
    message = f"'w' takes {numel * itemsize} bytes, over 4294967296; name a slice of it"
    with pytest.raises(LimitError, match=message):
        read(entry)
    assert not source.reads
    assert read(select(entry, (slice(3),))).shape == (3,)


@pytest.mark.parametrize("shape", [(1,) * 65, (0, 1 << 62), (1 << 62, 0), (0, 1 << 40, 1 << 40)])
def test_a_shape_that_numpy_cannot_hold_is_refused(shape: tuple[int, ...]) -> None:
    entry, source = zeros("float32", *shape)
    for values in (read, blocks):
        with pytest.raises(LimitError, match=r"'w' of shape \[.*\] is more than numpy holds"):
            list(values(entry))
    assert b"".join(raw(entry)) == bytes(entry.nbytes)
    assert len(source.reads) == min(entry.numel, 1)


def test_the_stride_of_a_dimension_of_1_says_nothing() -> None:
    entry = with_bits("int32", (1, 2, 1), bytes(range(8)))._replace(
        strides=(1 << 80, 1, -(1 << 70))
    )
    assert read(entry).tolist() == [[[0x03020100], [0x07060504]]]
    assert b"".join(raw(entry)) == bytes(range(8))


@pytest.mark.parametrize(
    ("entry", "begin", "end"),
    [
        (with_bits("float32", (3,), bytes(16), 8), 0, 12),
        (with_bits("float32", (2,), bytes(16), 8)._replace(offset=1), 4, 12),
        (with_bits("int8", (2, 2), bytes(16), 8)._replace(strides=(7, 1)), 0, 9),
        (with_bits("int16", (3,), bytes(16), 8)._replace(strides=(-1,), offset=1), -2, 4),
        (with_bits("float32", (), bytes(16), 8)._replace(offset=2), 8, 12),
        (with_bits("uint8", (9, 1 << 20), bytes(9 * MIB), 9 * MIB - 1), 0, 9 * MIB),
    ],
)
def test_an_entry_that_reaches_past_its_storage_is_refused(
    entry: Entry, begin: int, end: int
) -> None:
    assert entry.storage
    message = f"'w' takes bytes {begin} to {end} of a storage of {entry.storage.nbytes}"
    for values in (read, raw, blocks):
        with pytest.raises(MalformedError, match=message):
            list(values(entry))
    assert isinstance(entry.storage.source, Memory)
    assert not entry.storage.source.reads


def test_packed_elements_that_reach_past_their_storage_are_refused() -> None:
    entry = with_bits("float4_e2m1fn", (7,), bytes(16), 3)
    with pytest.raises(MalformedError, match="'w' takes bytes 0 to 4 of a storage of 3"):
        list(raw(entry))


@pytest.mark.parametrize("layout", ["sparse_coo", "quantized", "meta", "missing", "nested"])
def test_what_is_no_plain_tensor_has_no_values(layout: str) -> None:
    plain, _ = zeros("float32", 3)
    for entry in (plain._replace(layout=layout), plain._replace(layout=layout, storage=None)):
        for values in (read, raw, blocks):
            with pytest.raises(
                UsageError, match=f"'w' is {layout}: it has no values laid out as an array"
            ):
                list(values(entry))


@pytest.mark.parametrize(
    "dtype",
    [*(dtype for dtype in DTYPES if dtype.name not in {*READABLE, *PACKINGS}), UNKNOWN],
    ids=str,
)
def test_a_type_without_values_is_refused_before_any_read(dtype: Any) -> None:
    entry, source = zeros("float32", 4)
    message = f"'w': values of {dtype.name} are not unpacked; raw\\(\\) yields its bytes"
    for refuse in (read, check):
        with pytest.raises(UsageError, match=message):
            refuse(entry._replace(dtype=dtype))
    assert not source.reads
