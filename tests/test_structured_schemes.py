"""Schemes whose elements hang together, and mixtures: the values themselves."""

import math
import os
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from paramctl.init.distributions import Constant, Distribution, Normal
from paramctl.init.language import parse_scheme
from paramctl.init.mixture import Mixture
from paramctl.init.streams import Stream
from paramctl.init.targets import Target

STREAM = Stream(11, "layer.weight")
SIZES = st.integers(0, 7)
MIXTURE = "mixture(1/4: uniform(5, 10), 1/2: zeros, 1/4: normal(-20))"


def values_of(text: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    distribution = distribution_of(text, shape)
    values: npt.NDArray[np.float32] = distribution.sample(STREAM, 0, math.prod(shape))
    return values.reshape(shape)


def distribution_of(text: str, shape: tuple[int, ...]) -> Distribution:
    return parse_scheme(text).distribution(Target("layer.weight", shape))


@given(SIZES, SIZES)
def test_eye_is_pytorch_s(rows: int, columns: int) -> None:
    expected = nn.init.eye_(torch.empty(rows, columns)).numpy()
    assert np.array_equal(values_of("eye", (rows, columns)), expected)


@given(st.integers(1, 3), SIZES, SIZES, st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_dirac_is_pytorch_s(groups: int, outputs: int, inputs: int, kernel: list[int]) -> None:
    shape = (groups * outputs, inputs, *kernel)
    found = values_of(f"dirac(groups={groups})", shape)
    if found.size:
        assert np.array_equal(found, nn.init.dirac_(torch.empty(shape), groups).numpy())
    assert found.shape == shape


@pytest.mark.parametrize(
    "shape", [(5, 5), (3, 8), (8, 3), (4, 3, 5), (30, 2, 3, 3), (1, 4), (4, 1)]
)
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_rows_or_columns_are_orthonormal(shape: tuple[int, ...], gain: float) -> None:
    matrix = values_of(f"orthogonal({gain})", shape).reshape(shape[0], -1) / gain
    square = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert np.linalg.norm(square - np.eye(len(square))) < 1e-5


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (4, 3, 5)])
def test_orthogonal_is_pytorch_s_for_the_same_normals(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = math.prod(shape)
    normals = torch.from_numpy(Normal(0.0, 1.0).sample(STREAM, 0, count))
    monkeypatch.setattr(
        torch.Tensor, "normal_", lambda tensor, *_, **__: tensor.copy_(normals.view_as(tensor))
    )
    expected = nn.init.orthogonal_(torch.empty(shape), gain=2.0).numpy()
    assert np.allclose(values_of("orthogonal(2)", shape), expected, atol=1e-5)


def test_a_large_orthogonal_matrix_is_one() -> None:
    matrix = values_of("orthogonal", (512, 512))
    assert np.linalg.norm(matrix @ matrix.T - np.eye(512)) < 1e-4
    assert np.abs(matrix @ matrix.T - np.eye(512)).max() < 1e-5


@pytest.mark.parametrize("setting", ["NUM_THREADS=1", "NUM_THREADS=3", "CORETYPE=Prescott"])
def test_an_orthogonal_matrix_depends_on_no_build_of_lapack(setting: str) -> None:
    """Its last bits differ in float64, which float32 does not show."""
    code = """
import sys
from paramctl.init.orthogonal import Orthogonal
from paramctl.init.streams import Stream
values = Orthogonal((300, 200), 1.3).sample(Stream(11, "layer.weight"), 0, 60000)
sys.stdout.buffer.write(values.tobytes())
"""
    name, _, value = setting.partition("=")
    environment = {**os.environ, f"OPENBLAS_{name}": value}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=environment
    )
    assert run.stdout == values_of("orthogonal(1.3)", (300, 200)).tobytes()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (3, 0, 2)])
@pytest.mark.parametrize("text", ["orthogonal", "sparse(0.5)", "eye", "delta_orthogonal"])
def test_an_empty_tensor_stays_empty(text: str, shape: tuple[int, ...]) -> None:
    ranks = {"orthogonal": (2, 3), "delta_orthogonal": (3,)}.get(text, (2,))
    if len(shape) in ranks:
        assert values_of(text, shape).size == 0


@pytest.mark.parametrize("shape", [(5, 3, 3), (4, 4, 3, 5), (6, 2, 1, 3, 3), (3, 2, 4)])
def test_delta_orthogonal_is_orthogonal_in_the_middle_only(shape: tuple[int, ...]) -> None:
    kernel = values_of("delta_orthogonal(2)", shape)
    middle: Any = (..., *((size - 1) // 2 for size in shape[2:]))
    matrix = kernel[middle] / 2
    assert np.linalg.norm(matrix.T @ matrix - np.eye(shape[1])) < 1e-5
    kernel[middle] = 0
    assert not kernel.any()


def test_a_delta_orthogonal_convolution_keeps_norms() -> None:
    signal = torch.randn(1, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    kernel = torch.from_numpy(values_of("delta_orthogonal", (6, 4, 3, 3)))
    passed = nn.functional.conv2d(signal, kernel, padding=1)
    assert torch.allclose(passed.norm(dim=1), signal.norm(dim=1), atol=1e-5)


@given(st.integers(1, 30), st.integers(0, 8), st.floats(0, 1))
def test_every_column_of_a_sparse_matrix_has_as_many_zeros_as_pytorch_s(
    rows: int, columns: int, sparsity: float
) -> None:
    matrix = values_of(f"sparse({sparsity!r}, 2)", (rows, columns))
    expected = nn.init.sparse_(torch.empty(rows, columns), sparsity).numpy()
    assert np.array_equal((matrix == 0).sum(axis=0), (expected == 0).sum(axis=0))


def test_a_sparse_matrix_sorts_its_columns_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = values_of("sparse(0.3)", (20, 31))
    monkeypatch.setattr("paramctl.init.sparse.SORTED", 60)
    assert np.array_equal(values_of("sparse(0.3)", (20, 31)), whole)


def test_the_zeros_of_a_sparse_matrix_stand_anywhere_and_the_rest_is_normal() -> None:
    matrix = values_of("sparse(0.25, 2)", (40, 4000))
    zeros = (matrix == 0).sum(axis=1)
    assert zeros.sum() == 10 * 4000
    assert np.abs(zeros - 1000).max() < 5 * math.sqrt(4000 * 0.25 * 0.75)
    normal = Normal(0.0, 2.0).sample(STREAM.skip(1), 0, matrix.size).reshape(matrix.shape)
    assert np.array_equal(matrix[matrix != 0], normal[matrix != 0])


def test_a_mixture_chooses_by_the_first_draw_and_its_parts_draw_on() -> None:
    distribution, count = distribution_of(MIXTURE, (100_003,)), 100_003
    assert isinstance(distribution, Mixture)
    assert distribution.draws == 3
    assert distribution.thresholds == (0, 1 << 30, 3 << 30)
    words = STREAM.words(0, count)
    uniform = distribution.parts[0].sample(STREAM.skip(1), 0, count)
    normal = distribution.parts[2].sample(STREAM.skip(2), 0, count)
    expected = np.where(words < 1 << 30, uniform, np.where(words < 3 << 30, 0, normal))
    assert np.array_equal(distribution.sample(STREAM, 0, count), expected)


class Given(NamedTuple):
    """A stream whose words are given, for every draw the same."""

    given: npt.NDArray[np.uint32]
    device: str = "cpu"

    def words(self, start: int, count: int) -> npt.NDArray[np.uint32]:
        """Return some of them."""
        return self.given[start : start + count]

    def skip(self, _draws: int) -> "Given":
        """Return the same ones."""
        return self

    def empty(self, count: int) -> npt.NDArray[np.float32]:
        """Return what is to be filled."""
        return np.empty(count, np.float32)


def test_a_mixture_divides_the_words_exactly() -> None:
    mixture = Mixture((0.25, 0.5, 0.25), (Constant(1.0), Constant(2.0), Constant(3.0)))
    quarter = 1 << 30
    words = [0, quarter - 1, quarter, 3 * quarter - 1, 3 * quarter, 2**32 - 1]
    stream: Any = Given(np.array(words, np.uint32))
    assert mixture.sample(stream, 0, 6).tolist() == [1, 1, 2, 2, 3, 3]


@given(st.integers(0, 5000), st.integers(0, 300))
def test_a_part_of_a_mixture_is_that_of_the_whole(start: int, count: int) -> None:
    distribution = distribution_of(MIXTURE, (5300,))
    assert distribution.is_blockwise
    whole = distribution.sample(STREAM, 0, 5300)
    assert np.array_equal(distribution.sample(STREAM, start, count), whole[start : start + count])


def test_a_part_without_weight_is_never_chosen() -> None:
    text = "mixture(0: ones, 1/3: zeros, 0: ones, 2/3: constant(3), 0: ones)"
    assert set(np.unique(values_of(text, (100_000,)))) == {0.0, 3.0}


def test_a_mixture_of_whole_tensors_is_a_whole_one() -> None:
    distribution = distribution_of("mixture(0.5: orthogonal, 0.5: zeros)", (40, 40))
    assert not distribution.is_blockwise
    matrix = values_of("mixture(0.5: orthogonal, 0.5: zeros)", (40, 40))
    orthogonal = distribution_of("orthogonal", (40, 40)).sample(STREAM.skip(1), 0, 1600)
    kept = matrix.reshape(-1) != 0
    assert 0.4 < kept.mean() < 0.6
    assert np.array_equal(matrix.reshape(-1)[kept], orthogonal[kept])


@pytest.mark.parametrize("text", ["orthogonal", "sparse(0.3)", "eye", MIXTURE])
def test_a_name_and_a_seed_make_one_tensor(text: str) -> None:
    first, second = values_of(text, (20, 30)), values_of(text, (20, 30))
    assert first.tobytes() == second.tobytes()
    other = distribution_of(text, (20, 30)).sample(STREAM._replace(seed=12), 0, 600)
    assert (text == "eye") == (first.tobytes() == other.tobytes())


@pytest.mark.parametrize("text", ["orthogonal", "sparse(0.3)", "eye", MIXTURE])
def test_torch_gives_the_same_bytes(text: str) -> None:
    distribution = distribution_of(text, (20, 30))
    found = distribution.sample(STREAM._replace(device="cpu:0"), 0, 600)
    assert isinstance(found, torch.Tensor)
    assert found.numpy().tobytes() == values_of(text, (20, 30)).tobytes()
