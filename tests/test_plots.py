"""Histograms, heat maps and spectra, held against numpy and torch for every type."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from states import checkpoint_of
from test_stats import FLOATS, INTEGERS, as_numpy, quiet, random
from torch import Tensor

from paramctl.checkpoint import Entry
from paramctl.errors import LimitError, UsageError
from paramctl.passes import BLOCK
from paramctl.stats.bins import Bins
from paramctl.stats.heatmaps import HeatMap, find_heat_map
from paramctl.stats.histograms import Histogram, find_histograms
from paramctl.stats.spectra import check_matrix, find_spectrum, stable_rank
from paramctl.widening import Array

COMPLEX = [torch.complex64, torch.complex128]


def entry_of(tensor: Tensor) -> Entry:
    return checkpoint_of({"w": tensor})["w"]


def histogram_of(*tensors: Tensor, bins: int = 64) -> Histogram:
    return find_histograms([tuple(map(entry_of, tensors))], bins, quiet)[0]


def heat_of(*tensors: Tensor, rows: int = 10, columns: int = 10) -> HeatMap:
    return find_heat_map(tuple(map(entry_of, tensors)), rows, columns, quiet)


def finite(values: Array) -> Array:
    return values[np.isfinite(values)]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=str)
def test_counts_are_those_of_numpy(dtype: torch.dtype) -> None:
    tensor = random(dtype, 300, 1000)
    values = as_numpy(tensor)
    found = histogram_of(tensor)
    assert found.counts[0].tolist() == np.histogram(values, found.edges)[0].tolist()
    assert found.counts[0].sum() == values.size
    if dtype.is_floating_point:
        assert found.edges.tolist() == np.histogram_bin_edges(values, 64).tolist()


@pytest.mark.parametrize("dtype", COMPLEX, ids=str)
def test_of_complex_numbers_the_sizes_are_counted(dtype: torch.dtype) -> None:
    tensor = torch.randn(100, 20, dtype=dtype)
    sizes = np.abs(tensor.numpy().astype(np.complex128))
    assert histogram_of(tensor).counts[0].tolist() == np.histogram(sizes, 64)[0].tolist()
    assert heat_of(tensor, rows=100, columns=20).means == pytest.approx(sizes)


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([0, 1, 1], [-0.5, 0.5, 1.5], [1, 2]),
        ([7, 7], [6.5, 7.5], [2]),
        (range(-3, 10), [-3.5, 0.5, 4.5, 8.5, 12.5], [4, 4, 4, 1]),
    ],
)
def test_whole_numbers_have_bins_of_whole_numbers(
    values: list[int], edges: list[float], counts: list[int]
) -> None:
    found = histogram_of(torch.tensor(values, dtype=torch.int16), bins=4)
    assert found.edges.tolist() == edges
    assert found.counts[0].tolist() == counts


def test_what_is_not_finite_is_in_no_bin() -> None:
    tensor = torch.tensor([torch.nan, -torch.inf, 1, 2, torch.inf, torch.nan])
    found = histogram_of(tensor, bins=2)
    assert found.counts[0].tolist() == [1, 1]
    assert (found.moments[0].nans, found.moments[0].infinities) == (2, 2)


@pytest.mark.parametrize("tensor", [torch.empty(0), torch.empty(3, 0), torch.full((3,), torch.nan)])
def test_of_no_finite_values_there_are_no_bins(tensor: Tensor) -> None:
    found = histogram_of(tensor)
    assert (found.edges.size, found.counts[0].size) == (0, 0)


def test_two_models_have_the_same_bins() -> None:
    one, other = torch.randn(5000), 3 * torch.randn(70, 30) + 1
    found = histogram_of(one, other)
    assert found.edges[0] == min(one.min(), other.min())
    assert found.edges[-1] == max(one.max(), other.max())
    for tensor, counts in zip((one, other), found.counts, strict=True):
        assert counts.tolist() == np.histogram(as_numpy(tensor), found.edges)[0].tolist()


def test_bins_of_nothing_and_something_are_those_of_something() -> None:
    found = histogram_of(torch.empty(0), torch.tensor([1.0, 2.0]), bins=2)
    assert [counts.tolist() for counts in found.counts] == [[0, 0], [1, 1]]


@given(st.data())
def test_edges_decide_as_they_do_for_numpy(data: st.DataObject) -> None:
    """Values are edges, what float64 has next to them, and any between."""
    low = data.draw(st.floats(-1e300, 1e300))
    high = low + data.draw(st.floats(1e-3, 1e3)) * max(abs(low), 1e-300)
    number = data.draw(st.integers(1, 1000))
    bins = Bins.between(low, high, number)
    places = data.draw(st.lists(st.floats(0, number), max_size=20))
    values = [low + place * ((high - low) / number) for place in places]
    edges = np.concatenate([bins.edges, values])
    chosen = np.concatenate([np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)])
    chosen = chosen[(chosen >= bins.low) & (chosen <= bins.high)]
    expected = np.histogram(chosen, number, (bins.low, bins.high))[0]
    assert bins.count_values(chosen).tolist() == expected.tolist()


@example([5e-324], 1)
@given(st.lists(st.floats(width=64), max_size=30), st.integers(1, 100))
def test_every_finite_value_is_in_one_bin(values: list[float], bins: int) -> None:
    found = histogram_of(torch.tensor(values, dtype=torch.float64), bins=bins)
    assert found.counts[0].sum() == finite(np.array(values)).size
    assert np.isfinite(found.edges).all()
    assert (np.diff(found.edges) > 0).all()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30), st.integers(1, 100))
def test_so_is_every_whole_number(values: list[int], bins: int) -> None:
    found = histogram_of(torch.tensor(values), bins=bins)
    assert found.counts[0].sum() == len(values)
    assert 1 <= found.counts[0].size <= bins
    assert (np.diff(found.edges) > 0).all()


def mean_of(values: Array, rows: Array, columns: Array) -> Array:
    """Return the means of cells, one by one."""
    return np.array(
        [
            [values[top:bottom, left:right].mean() for left, right in pairwise(columns)]
            for top, bottom in pairwise(rows)
        ]
    )


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=str)
def test_cells_are_the_means_of_their_values(dtype: torch.dtype) -> None:
    tensor = random(dtype, 123, 57)
    found = heat_of(tensor)
    assert found.means.shape == (10, 10)
    assert set(np.diff(found.rows)) == {12, 13}
    assert (found.rows[-1], found.columns[-1]) == (123, 57)
    assert found.means == pytest.approx(mean_of(as_numpy(tensor), found.rows, found.columns))


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(700, 500).t(),
        lambda: torch.randn(900, 400)[::3, 7:],
        lambda: torch.randn(50, 3, 7, 7),
        lambda: torch.randn(50, 3, 7, 7).to(memory_format=torch.channels_last),
        lambda: torch.randn(3, BLOCK + 5),
        lambda: torch.randn(BLOCK + 5, 3).t(),
        lambda: torch.randn(1, 25 * BLOCK // 10).expand(3, -1),
        lambda: torch.randn(1, 11 * BLOCK),
        lambda: torch.randn(40),
        lambda: torch.randn(80)[::2],
        lambda: torch.randn(()),
        lambda: torch.randn(5, 1),
    ],
)
def test_matrices_are_read_as_they_lie(make: Callable[[], Tensor]) -> None:
    tensor = make()
    found = heat_of(tensor)
    rows = tensor.shape[0] if tensor.dim() > 1 else 1
    values = as_numpy(tensor.reshape(rows, -1))
    assert found.means == pytest.approx(mean_of(values, found.rows, found.columns), abs=1e-12)


def test_a_long_row_that_is_not_in_order_is_refused() -> None:
    tensor = torch.empty(2, BLOCK, 2).transpose(1, 2)
    with pytest.raises(LimitError, match="not in order"):
        heat_of(tensor)


def test_a_small_matrix_has_a_cell_for_each_value() -> None:
    tensor = torch.randn(4, 7)
    assert (heat_of(tensor).means == as_numpy(tensor)).all()


def test_a_cell_with_a_value_that_is_not_finite_is_marked() -> None:
    tensor = torch.zeros(40, 40)
    tensor[5, 39], tensor[5, 38], tensor[20, 0] = torch.nan, torch.inf, -torch.inf
    found = heat_of(tensor)
    assert np.argwhere(np.isnan(found.means)).tolist() == [[1, 9], [5, 0]]
    assert (found.nans, found.infinities) == (1, 2)


def test_of_two_models_the_difference_is_shown() -> None:
    one, other = torch.randn(30, 40), torch.randn(30, 40).to(torch.bfloat16)
    found = heat_of(one, other)
    expected = mean_of(as_numpy(other) - as_numpy(one), found.rows, found.columns)
    assert found.means == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0)])
def test_of_no_values_there_are_no_cells(shape: tuple[int, ...]) -> None:
    assert heat_of(torch.empty(shape)).means.size == 0


def test_means_of_the_largest_numbers_are_numbers() -> None:
    largest = torch.finfo(torch.float64).max
    assert heat_of(torch.full((40, 40), largest, dtype=torch.float64)).means == pytest.approx(
        largest
    )


@pytest.mark.parametrize(
    "dtype", [*(dtype for dtype in FLOATS if dtype.itemsize > 1), *COMPLEX], ids=str
)
def test_singular_values_are_those_of_torch(dtype: torch.dtype) -> None:
    tensor = torch.randn(60, 45).to(dtype)
    wide = tensor.to(torch.complex128 if dtype.is_complex else torch.float64)
    expected = torch.linalg.svdvals(wide).numpy()
    assert find_spectrum(entry_of(tensor)) == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_a_convolution_is_a_matrix_of_its_first_dimension() -> None:
    tensor = torch.randn(8, 3, 5, 5)
    expected = torch.linalg.svdvals(tensor.double().reshape(8, 75)).numpy()
    assert find_spectrum(entry_of(tensor)) == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-320])
def test_singular_values_of_extreme_matrices(scale: float) -> None:
    tensor = torch.diag(torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)) * scale
    expected = [3 * scale, 2 * scale, scale]
    assert find_spectrum(entry_of(tensor)) == pytest.approx(expected, rel=1e-3)


def test_how_many_singular_values_count() -> None:
    assert stable_rank(find_spectrum(entry_of(torch.eye(5)))) == pytest.approx(5)
    assert stable_rank(find_spectrum(entry_of(torch.ones(5, 5)))) == pytest.approx(1)
    assert stable_rank(find_spectrum(entry_of(torch.zeros(5, 5)))) == 0


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_has_no_singular_values(value: float) -> None:
    tensor = torch.eye(3)
    tensor[1, 1] = value
    with pytest.raises(UsageError, match="not finite"):
        find_spectrum(entry_of(tensor))


def test_singular_values_beyond_float64_are_refused() -> None:
    tensor = torch.full((9, 9), 1e308, dtype=torch.float64)
    with pytest.raises(UsageError, match="beyond"):
        find_spectrum(entry_of(tensor))


@pytest.mark.parametrize("shape", [(), (5,), (0, 3)])
def test_what_is_no_matrix_has_none(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="no matrix"):
        check_matrix(entry_of(torch.empty(shape)))


def test_a_matrix_that_would_take_too_long_is_refused() -> None:
    check_matrix(entry_of(torch.empty(1, 1).expand(2048, 2048)))
    with pytest.raises(LimitError, match="too long") as caught:
        check_matrix(entry_of(torch.empty(1, 1).expand(2049, 2048)))
    assert "[:1024, :1024]" in caught.value.hint
