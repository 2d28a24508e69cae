"""Statistics of parameters, held against numpy and torch for every type that has values."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import save_file
from states import checkpoint_of

from paramctl.checkpoint import Checkpoint
from paramctl.errors import ParamctlError
from paramctl.formats import open_checkpoint
from paramctl.passes import BLOCK, TASK, find_all
from paramctl.stats.moments import SAMPLE, Moments
from paramctl.stats.quantiles import find_quantiles

FLOATS = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
]
INTEGERS = [
    *(torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool),
]
FRACTIONS = [0.0, 0.01, 0.25, 0.5, 0.9, 1.0]


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def moments_of(checkpoint: Checkpoint) -> dict[str, Moments]:
    entries = list(checkpoint.entries.values())
    found = find_all([(e,) for e in entries], lambda place: Moments(entries[place].numel), quiet)
    return {entry.name: each for entry, each in zip(entries, found, strict=True)}


def quantiles_of(tensor: torch.Tensor) -> list[float]:
    checkpoint = checkpoint_of({"w": tensor})
    count = moments_of(checkpoint)["w"].count
    return find_quantiles([checkpoint["w"]], [count], FRACTIONS, quiet)[0]


def random(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    """Return values of all sizes, zeros among them."""
    torch.manual_seed(0)
    if dtype == torch.bool:
        return torch.rand(shape) < 0.3
    if dtype.is_floating_point:
        return (torch.randn(shape) * 10 ** (torch.rand(shape) - 0.5) + 0.1).to(dtype)
    low = 0 if dtype.is_signed is False else -100
    return torch.randint(low, 100, shape).to(dtype)


def as_numpy(tensor: torch.Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return tensor.to(torch.float64).numpy()


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=str)
def test_moments_are_those_of_numpy_in_float64(dtype: torch.dtype) -> None:
    tensor = random(dtype, 300, 1000)
    values = as_numpy(tensor)
    found = moments_of(checkpoint_of({"w": tensor}))["w"]
    assert (found.numel, found.count) == (values.size, values.size)
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-12)
    assert found.norm == pytest.approx(np.linalg.norm(values), rel=1e-12)
    assert (found.low, found.high) == (values.min(), values.max())
    assert found.largest == abs(values).max()
    assert found.zeros == (values == 0).sum()
    assert (found.nans, found.infinities) == (0, 0)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=str)
def test_quantiles_are_those_of_numpy(dtype: torch.dtype) -> None:
    tensor = random(dtype, 70, 1001)
    assert quantiles_of(tensor) == pytest.approx(
        list(np.quantile(as_numpy(tensor), FRACTIONS)), rel=1e-12, abs=1e-300
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e5m2], ids=str)
def test_what_is_not_finite_is_counted_and_left_out(dtype: torch.dtype) -> None:
    tensor = random(dtype, 1000)
    tensor[::7], tensor[1::70], tensor[3::70] = torch.nan, torch.inf, -torch.inf
    values = as_numpy(tensor)
    finite = values[np.isfinite(values)]
    found = moments_of(checkpoint_of({"w": tensor}))["w"]
    assert found.nans == np.isnan(values).sum()
    assert found.infinities == np.isinf(values).sum()
    assert found.count == finite.size
    assert found.mean == pytest.approx(finite.mean())
    assert found.std == pytest.approx(finite.std())
    assert (found.low, found.high) == (finite.min(), finite.max())
    assert quantiles_of(tensor) == pytest.approx(list(np.quantile(finite, FRACTIONS)))


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(0), torch.full((3,), torch.nan), torch.tensor([torch.inf, -torch.inf])],
)
def test_of_no_values_nothing_is_said(tensor: torch.Tensor) -> None:
    found = moments_of(checkpoint_of({"w": tensor}))["w"]
    assert (found.count, found.std, found.low, found.high, found.largest) == (0, *[None] * 4)
    assert (found.norm, found.zeros) == (0, 0)
    assert np.isnan(quantiles_of(tensor)).all()


def test_a_mean_far_from_zero_leaves_the_spread_exact() -> None:
    """Sums of squares would lose all digits: the variance is 10^-16 of them."""
    values = 1e8 + torch.linspace(0, 1, 2 * BLOCK + 17, dtype=torch.float64)
    found = moments_of(checkpoint_of({"w": values}))["w"]
    assert found.std == pytest.approx(float(values.std(correction=0)), rel=1e-7)


def test_large_integers_keep_their_digits() -> None:
    tensor = torch.tensor([-(2**63), 2**63 - 1, 0])
    found = moments_of(checkpoint_of({"w": tensor}))["w"]
    assert (found.low, found.high) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize("tensor", [torch.zeros(3), -torch.zeros(3), torch.zeros(3).bool()])
def test_no_zero_is_written_with_a_sign(tensor: torch.Tensor) -> None:
    found = moments_of(checkpoint_of({"w": tensor}))["w"]
    assert [str(float(each or 0)) for each in (found.low, found.high, found.largest)] == ["0.0"] * 3


def test_what_lies_between_the_largest_floats_is_finite() -> None:
    """Their distance is beyond float64."""
    largest = float(np.finfo(np.float64).max)
    values = torch.tensor([-largest, largest, largest], dtype=torch.float64)
    found = moments_of(checkpoint_of({"w": values}))["w"]
    assert found.std == pytest.approx(largest / 3 * 2**1.5)
    expected = [-largest, -0.96 * largest, 0.0, *[largest] * 3]
    assert quantiles_of(values) == pytest.approx(expected)


def test_views_and_columns_are_read_as_they_lie() -> None:
    base = torch.randn(600, 700)
    found = moments_of(checkpoint_of({"t": base.t(), "part": base[::3, 5:]}))
    assert found["t"].mean == pytest.approx(float(base.double().mean()), rel=1e-10)
    assert found["part"].norm == pytest.approx(float(base[::3, 5:].double().norm()), rel=1e-10)


@pytest.mark.parametrize("numel", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, TASK + 1])
def test_every_value_is_looked_at_once(numel: int) -> None:
    tensor = torch.arange(numel, dtype=torch.int32)
    found = moments_of(checkpoint_of({"a": tensor, "b": tensor + 1}))
    assert [each.numel for each in found.values()] == [numel, numel]
    assert found["a"].mean == pytest.approx(max(0, numel - 1) / 2)
    assert len(found["a"].sample) <= 2 * SAMPLE


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    state = {str(n): torch.randn(n * 1000) for n in range(1, 40)} | {"big": torch.randn(TASK * 2)}
    checkpoint = checkpoint_of(state)
    told = []
    for threads in (1, 5):
        monkeypatch.setattr("paramctl.passes.MAX_THREADS", threads)
        monkeypatch.setattr("os.cpu_count", lambda: 5)
        told.append([(m.mean, m.std, m.norm) for m in moments_of(checkpoint).values()])
    assert told[0] == told[1]


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), max_size=20), min_size=1, max_size=5))
def test_merging_is_the_same_as_looking_at_all(parts: list[list[float]]) -> None:
    whole = np.array(list(itertools.chain(*parts)), np.float32)
    together, apart = Moments(0), Moments(0)
    together.add(whole)
    for part in parts:
        each = Moments(0)
        each.add(np.array(part, np.float32))
        apart.merge(each)
    assert (apart.count, apart.low, apart.high) == (together.count, together.low, together.high)
    assert apart.mean == pytest.approx(together.mean, rel=1e-9, abs=1e-9)
    assert apart.norm == pytest.approx(together.norm, rel=1e-9, abs=1e-9)


@given(
    st.lists(st.floats(width=32), max_size=50), st.lists(st.floats(0, 1), min_size=1, max_size=4)
)
@example([0.0, -3.0], [1 - 2**-53])
def test_quantiles_of_any_floats(values: list[float], fractions: list[float]) -> None:
    tensor = torch.tensor(values, dtype=torch.float32)
    checkpoint = checkpoint_of({"w": tensor})
    finite = as_numpy(tensor)[np.isfinite(as_numpy(tensor))]
    (found,) = find_quantiles([checkpoint["w"]], [finite.size], fractions, quiet)
    expected = np.quantile(finite, fractions) if finite.size else [np.nan] * len(fractions)
    assert found == pytest.approx(list(expected), rel=1e-9, abs=1e-30, nan_ok=True)


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_file({"w": torch.randn(1000)}, path)
    checkpoint = open_checkpoint(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ParamctlError):
        moments_of(checkpoint)


@given(
    st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
@example([[sys.float_info.max] * 3])
def test_mean_and_spread_of_any_finite_floats_are_finite(blocks: list[list[float]]) -> None:
    """Sums and squares of the largest overflow, and those of the smallest are zero."""
    found = Moments(0)
    for block in blocks:
        each = Moments(0)
        each.add(np.array(block))
        found.merge(each)
    values = np.array([value for block in blocks for value in block], np.longdouble)
    scale = float(np.abs(values).max())
    assert found.mean == pytest.approx(float(values.mean()), abs=1e-15 * scale + 1e-323)
    assert found.std == pytest.approx(float(values.std()), rel=1e-9, abs=1e-15 * scale + 1e-323)
