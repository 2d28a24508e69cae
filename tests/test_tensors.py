import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, from_dtype
from memory import describe, zeros
from oracle import TORCH_WARNINGS
from torch import Tensor

from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.errors import LimitError, UsageError
from paramctl.views.tensors import format_tensor

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

DTYPES = [
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "complex32",
    "complex64",
    "complex128",
]
FLOATS = [name for name in DTYPES if "float" in name]
SHAPES = [
    *((), (0,), (0, 3), (2, 0), (3, 0, 2)),
    *((1,), (6,), (7,), (17,), (1000,), (1001,), (2000,)),
    *((1, 1), (3, 5), (5, 40), (1, 1000), (1, 1001), (1, 2000), (2000, 1), (3, 400), (400, 3)),
    *((6, 6, 6), (2, 3, 4), (7, 7, 30), (1, 1, 1), (6, 6, 28)),
    *((2, 2, 2, 2), (2, 2, 2, 200), (6, 6, 6, 6), (7, 7, 7, 7), (4, 4, 4, 4, 4)),
]
MIXES = [
    [np.nan],
    [np.inf],
    [-np.inf, np.nan],
    [0.0, -0.0],
    [0.0, np.nan, -np.inf],
    [-0.0, 1.0, 2.0],
    [1.0, np.nan, np.inf],
    [-np.inf, 100.0, 1.0],
    [0.5, np.nan, -np.inf],
    [1e-3, 1.5, np.nan, np.inf, -0.0],
    [1.0, 1000.0],
    [1.0, 1001.0],
    [1.5, 1500.0],
    [1.5, 1500.1],
    [1e-4],
    [0.99e-4],
    [1e8],
    [1.01e8],
    [99999.0, -99999.0],
    [0.99996, 9.99996],
    [-1.0, 10.0, -100.0],
    [2.0**-127, 1.0],
    [2.0**-127, 0.5],
    [2.0**-126, 1.0, np.nan],
]


def make(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Return a tensor of any bytes at all."""
    torch.manual_seed(seed)
    kind = getattr(torch, dtype)
    data = torch.randint(0, 256, (*shape, kind.itemsize), dtype=torch.uint8)
    if dtype == "bool":
        return data[..., 0] < 128
    return data.view(kind)[..., 0]


def as_shown(tensor: Tensor) -> str:
    return format_tensor(describe(tensor))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_bytes_print_as_torch_prints_them(dtype: str, shape: tuple[int, ...]) -> None:
    tensor = make(dtype, shape)
    assert as_shown(tensor) == str(tensor)


@pytest.mark.parametrize("scale", [1e-12, 1e-5, 1e-3, 1.0, 100.0, 1e4, 1e7, 1e9, 1e30])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_normal_values_of_any_magnitude_print_as_torch_prints_them(
    dtype: str, scale: float
) -> None:
    torch.manual_seed(0)
    tensor = torch.randn(3, 4, 9, dtype=torch.float64) * scale
    for made in (tensor, tensor.round(), tensor * 0 + scale):
        typed = made.to(getattr(torch, dtype))
        assert as_shown(typed) == str(typed)


@pytest.mark.parametrize("mix", MIXES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_nans_and_infinities_print_as_torch_prints_them(dtype: str, mix: list[float]) -> None:
    tensor = torch.tensor(mix, dtype=torch.float32).to(getattr(torch, dtype))
    assert as_shown(tensor) == str(tensor)
    for value in tensor:
        assert as_shown(value) == str(value)


@pytest.mark.parametrize("imaginary", MIXES, ids=str)
@pytest.mark.parametrize("real", [[-0.0], [np.nan, 1.0], [1.5, -1e-6], [1.0, -2.0, np.inf]])
@pytest.mark.parametrize("dtype", ["complex32", "complex64", "complex128"])
def test_parts_of_complex_numbers_are_written_each_in_its_way(
    dtype: str, real: list[float], imaginary: list[float]
) -> None:
    parts = [torch.tensor(values, dtype=torch.float64) for values in (real, imaginary)]
    numel = max(map(len, parts))
    parts = [part.repeat(numel)[:numel] for part in parts]
    tensor = torch.complex(*parts).to(getattr(torch, dtype))
    assert as_shown(tensor) == str(tensor)


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_code_of_a_byte_prints_alone_as_torch_prints_it(dtype: str) -> None:
    kind = getattr(torch, dtype)
    codes = torch.arange(256, dtype=torch.uint8).repeat_interleave(kind.itemsize)
    for value in codes.view(kind):
        assert as_shown(value) == str(value)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3,), (12,), (2000,), (40, 40)], ids=str)
@pytest.mark.parametrize("dtype", [*FLOATS, "complex64", "complex128"])
def test_a_gradient_is_told_where_torch_tells_it(dtype: str, shape: tuple[int, ...]) -> None:
    tensor = make(dtype, shape, seed=1).requires_grad_()
    assert as_shown(tensor) == str(tensor)


@pytest.mark.parametrize("numel", range(1, 30))
def test_suffixes_move_to_a_new_line_where_torch_moves_them(numel: int) -> None:
    for tensor in (torch.arange(numel), torch.arange(numel) * 11):
        for dtype in (torch.int16, torch.float64, torch.float8_e5m2fnuz):
            typed = tensor.to(dtype)
            assert as_shown(typed) == str(typed)


VIEWS = {
    "transposed": torch.arange(2800.0).reshape(70, 40).t(),
    "strided": torch.arange(9000.0)[1000:8200:3].reshape(4, -1)[:, ::2],
    "expanded": torch.arange(1.0, 8.0).expand(300, 7),
    "conjugate": torch.complex(torch.arange(9.0), -torch.arange(9.0)).conj(),
    "negative": torch.complex(torch.arange(9.0), torch.arange(9.0)).conj().imag,
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_prints_as_torch_prints_it(name: str) -> None:
    layout = name if name in ("conjugate", "negative") else "strided"
    assert format_tensor(describe(VIEWS[name])._replace(layout=layout)) == str(VIEWS[name])


@given(st.data())
def test_any_values_in_any_shape_print_as_torch_prints_them(data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(["?", "i1", "i8", "u8", "f2", "f4", "f8", "c8"])))
    shape = tuple(data.draw(st.lists(st.integers(0, 9), max_size=4)))
    values = data.draw(arrays(dtype, shape, elements=from_dtype(dtype)))
    tensor = torch.from_numpy(values)
    assert as_shown(tensor) == str(tensor)


@given(
    st.lists(st.floats(-1e6, 1e6) | st.integers(-2000, 2000).map(float), min_size=1, max_size=40),
    st.sampled_from(FLOATS),
)
def test_everyday_numbers_print_as_torch_prints_them(values: list[float], dtype: str) -> None:
    tensor = torch.tensor(values, dtype=torch.float32).to(getattr(torch, dtype))
    assert as_shown(tensor) == str(tensor)


def test_only_the_corners_of_a_large_tensor_are_read() -> None:
    entry, source = zeros("float32", 100_000, 100_000)
    row = "[0., 0., 0.,  ..., 0., 0., 0.]"
    rows = [row] * 3 + ["..."] + [row] * 3
    assert format_tensor(entry) == "tensor([" + (",\n        ".join(rows)) + "])"
    assert source.nbytes_read == 6 * 6 * 4


def test_a_tensor_that_prints_as_too_many_numbers_is_refused() -> None:
    entry, source = zeros("float32", 7)
    hostile = entry._replace(shape=(7,) * 20, strides=(0,) * 20)
    with pytest.raises(LimitError, match=f"prints as {6**20} numbers, over 1048576; name a slice"):
        format_tensor(hostile)
    assert not source.reads


def test_a_type_that_has_no_numbers_is_refused() -> None:
    entry, _ = zeros("bits8", 3)
    with pytest.raises(UsageError, match="'w': values of bits8 are not unpacked; raw"):
        format_tensor(entry)


def test_an_empty_tensor_needs_no_bytes() -> None:
    entry = Entry("w", BY_NAME["float32"], (0, 3), Storage(zeros("uint8", 0)[1], 0, 0))
    assert format_tensor(entry) == "tensor([], size=(0, 3))"
