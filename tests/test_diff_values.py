"""The values of two models against each other, held against numpy in float64 for every type."""

import itertools
from collections.abc import Mapping
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from memory import Memory, zeros
from nets import STATES
from oracle import TORCH_WARNINGS
from safetensors.torch import save_file
from states import checkpoint_of
from test_stats import FLOATS, INTEGERS, as_numpy, quiet, random

from paramctl.checkpoint import PLANNED, Entry, ReadOptions, Storage
from paramctl.diff.outcomes import Outcome, compare_all
from paramctl.diff.values import CHUNK, EXACT, Difference, Tolerance
from paramctl.dtypes import BY_NAME
from paramctl.errors import MalformedError, ParamctlError
from paramctl.formats import open_checkpoint, read_checkpoint
from paramctl.passes import BLOCK, TASK
from paramctl.sources import BytesSource

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
State = Mapping[str, torch.Tensor]


def outcomes(a: State, b: State, tolerance: Tolerance = EXACT) -> dict[str, Outcome]:
    models = checkpoint_of(a), checkpoint_of(b)
    couples = [(models[0][name], models[1][name]) for name in a]
    return dict(zip(a, compare_all(couples, tolerance, quiet), strict=True))


def difference(a: torch.Tensor, b: torch.Tensor, tolerance: Tolerance = EXACT) -> Difference:
    found = outcomes({"w": a}, {"w": b}, tolerance)["w"]
    assert found.difference is not None
    assert found.is_equal is found.difference.is_equal
    return found.difference


def of_lists(a: list[float], b: list[float], tolerance: Tolerance = EXACT) -> Difference:
    found = Difference(tolerance)
    found.add(np.array(a), np.array(b))
    return found


def nudged(tensor: torch.Tensor) -> torch.Tensor:
    """Return values of which a part is other ones, most of them near."""
    other = tensor.clone()
    changed = other.flatten()[::3]
    other.flatten()[::3] = (
        changed.logical_not()
        if other.dtype == torch.bool
        else ((changed.double() * 1.25 + 1).to(other.dtype))
    )
    return other


def check(found: Difference, a: Floats, b: Floats) -> None:
    """Compare with what numpy makes of finite values."""
    apart = abs(a - b)
    shares = np.divide(apart, abs(b), out=np.full_like(b, np.inf), where=b != 0)
    assert (found.count, found.equal, found.nans) == (a.size, (a == b).sum(), 0)
    assert found.largest == apart.max()
    assert found.place == apart.argmax()
    assert found.relative == pytest.approx(shares[apart > 0].max(), rel=1e-12)
    assert found.distance == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-11)
    cosine = a.ravel() @ b.ravel() / (np.linalg.norm(a) * np.linalg.norm(b))
    assert found.cosine == pytest.approx(cosine, rel=1e-11)


# Numbers of every type


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS], ids=str)
def test_every_type_differs_as_numpy_says_in_float64(dtype: torch.dtype) -> None:
    a = random(dtype, 300, 101)
    b = nudged(a)
    check(difference(a, b), as_numpy(a), as_numpy(b))


@pytest.mark.parametrize(
    ("one", "other"),
    list(itertools.permutations([*FLOATS[1:5], torch.int16, torch.bool], 2)),
    ids=str,
)
def test_types_are_compared_with_one_another(one: torch.dtype, other: torch.dtype) -> None:
    a = random(torch.float32, 50, 70)
    old, new = a.to(one), nudged(a).to(other)
    check(difference(old, new), as_numpy(old), as_numpy(new))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.complex32], ids=str)
def test_complex_numbers_are_apart_by_an_absolute_value(dtype: torch.dtype) -> None:
    a = torch.randn(40, 5, dtype=torch.complex64).to(dtype)
    b = a.clone()
    b[3, 2] += 3 + 4j
    wide_a, wide_b = (each.to(torch.complex128).numpy() for each in (a, b))
    found = difference(a, b)
    assert (found.count, found.equal, found.place) == (200, 199, 17)
    assert found.largest == pytest.approx(abs(wide_a - wide_b).max())
    assert found.distance == pytest.approx(np.linalg.norm(wide_a - wide_b) / np.linalg.norm(wide_b))
    norms = np.linalg.norm(wide_a) * np.linalg.norm(wide_b)
    assert found.cosine == pytest.approx(np.vdot(wide_a, wide_b).real / norms)


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        (torch.tensor([2**63 - 1, 5]), torch.tensor([2**63 - 2, 5]), 1),
        (torch.tensor([2**63 - 1]), torch.tensor([-(2**63)]), float(2**64 - 1)),
        (
            torch.tensor([2**64 - 1], dtype=torch.uint64),
            torch.tensor([2**64 - 4], dtype=torch.uint64),
            3,
        ),
    ],
)
def test_large_integers_that_are_one_float64_are_told_apart(
    a: torch.Tensor, b: torch.Tensor, apart: float
) -> None:
    found = difference(a, b)
    assert (found.largest, found.place) == (apart, 0)
    assert not found.is_equal


BASES = [0.0, 0.5, 2.0**53, -(2.0**53), 2.0**63, -(2.0**63), 2.0**64]
TYPES = [np.int64, np.uint64, np.float32, np.float64]


def near(kind: type, base: float) -> st.SearchStrategy[float]:
    """Return numbers of a type at a base, or the nearest that it has."""
    if kind in (np.float32, np.float64):
        beside = (np.nextafter(kind(base), kind(end)) for end in (-np.inf, np.inf))
        return st.sampled_from([base, *map(float, beside)])
    low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    steps = st.integers(-3, 3) | st.integers(-1025, 1025)
    return steps.map(lambda step: min(max(int(base) + step, low), high))


@given(st.data(), st.permutations(TYPES), st.sampled_from(BASES))
def test_numbers_of_64_bits_are_compared_as_what_they_are(
    data: st.DataObject, types: list[type], base: float
) -> None:
    """Python compares its integers and floats exactly."""
    a, b = (data.draw(st.lists(near(kind, base), min_size=3, max_size=3)) for kind in types[:2])
    found = Difference()
    found.add(np.array(a, types[0]), np.array(b, types[1]))
    pairs = list(zip(a, b, strict=True))
    apart = [abs(Fraction(one) - Fraction(other)) for one, other in pairs]
    assert found.equal == sum(one == other for one, other in pairs)
    assert found.largest == pytest.approx(float(max(apart)), rel=1e-15)
    assert (found.place is None) == (max(apart) == 0)


def test_an_integer_is_no_float_beside_it() -> None:
    found = difference(torch.tensor([2**53 + 1, 7]), torch.tensor([2.0**53, 7.0]).double())
    assert (found.equal, found.largest, found.place) == (1, 1, 0)
    found = difference(torch.tensor([2.0**63]), torch.tensor([2**63 - 1]))
    assert (found.equal, found.largest, found.place) == (0, 1, 0)


def test_a_bfloat16_copy_is_as_near_as_its_rounding() -> None:
    a = torch.randn(1000)
    found = difference(a, a.bfloat16())
    assert 0 < found.relative <= 2**-8
    assert found.cosine is not None
    assert 1 - 1e-5 < found.cosine < 1


# What is no number


def test_nan_equals_nan_and_an_infinity_itself() -> None:
    a = torch.tensor([torch.nan, torch.inf, -torch.inf, 1.0])
    found = difference(a, a.clone())
    assert (found.equal, found.nans, found.largest, found.place) == (4, 0, 0, None)
    assert (found.cosine, found.distance, found.relative) == (1, 0, 0)


def test_nan_in_one_only_is_counted_and_is_the_largest_difference() -> None:
    a = [0.0, 5.0, np.nan, np.nan, 2.0]
    b = [9.0, np.nan, np.nan, 1.0, 2.0]
    found = of_lists(a, b)
    assert (found.equal, found.nans, found.place) == (2, 2, 1)
    assert np.isnan(found.largest)
    assert np.isnan(found.relative)
    assert found.distance == pytest.approx(9 / np.sqrt(81 + 4))


@pytest.mark.parametrize("other", [1.0, -np.inf])
def test_an_infinity_is_infinitely_far_from_all_else(other: float) -> None:
    for a, b in ((np.inf, other), (other, np.inf)):
        found = of_lists([1.0, a, 3.0], [1.5, b, 3.0], Tolerance(1.0, 1.0))
        assert (found.largest, found.relative, found.place) == (np.inf, np.inf, 1)
        assert (found.count, found.equal) == (3, 2)
        assert found.distance == pytest.approx(0.5 / np.sqrt(1.5**2 + 9))


def test_what_overflows_float64_is_infinite_and_has_no_angle() -> None:
    found = of_lists([1.7e308, 1.0], [-1.7e308, 1.0])
    assert (found.largest, found.cosine, found.distance) == (np.inf, None, None)


def test_zeros_have_no_angle_and_are_infinitely_far_in_proportion() -> None:
    found = of_lists([1.0, 0.0], [0.0, -0.0])
    assert (found.equal, found.cosine, found.distance, found.relative) == (1, None, np.inf, np.inf)
    same = of_lists([0.0], [0.0])
    assert (same.equal, same.cosine, same.distance, same.relative) == (1, None, 0, 0)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,)])
def test_scalars_and_empty_tensors(shape: tuple[int, ...]) -> None:
    a = torch.full(shape, 2.0)
    found = difference(a, a + 1)
    assert (found.count, found.equal) == (a.numel(), 0)
    assert found.is_equal is not bool(a.numel())
    assert found.largest == (1 if a.numel() else 0)
    assert found.share_equal == (0 if a.numel() else 1)


# Tolerance


@given(
    st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), min_size=1, max_size=50),
    st.sampled_from([0.0, 1e-3, 1.0, 1e6]),
    st.sampled_from([0.0, 1e-5, 0.5, 1.0]),
)
def test_the_tolerance_is_that_of_numpy(
    values: list[tuple[float, float]], absolute: float, relative: float
) -> None:
    a, b = (np.array(side) for side in zip(*values, strict=True))
    with np.errstate(all="ignore"):
        close = np.isclose(a, b, atol=absolute, rtol=relative, equal_nan=True)
    assert of_lists(list(a), list(b), Tolerance(absolute, relative)).equal == close.sum()


def test_the_tolerance_grows_with_the_values_of_b() -> None:
    assert of_lists([100.0], [110.0], Tolerance(0, 0.1)).is_equal
    assert of_lists([110.0], [100.0], Tolerance(0, 0.1)).is_equal
    assert not of_lists([111.0], [100.0], Tolerance(0, 0.1)).is_equal
    assert of_lists([111.0], [100.0], Tolerance(1, 0.1)).is_equal


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, torch.bfloat16], ids=str)
def test_every_kind_of_number_has_a_tolerance(dtype: torch.dtype) -> None:
    a, b = torch.tensor([2, 8]).to(dtype), torch.tensor([3, 10]).to(dtype)
    assert difference(a, b, Tolerance(1.0)).equal == 1
    assert difference(a, b, Tolerance(2.0)).equal == 2


# Parts of a whole


@pytest.mark.parametrize("numel", [CHUNK - 1, CHUNK + 1, BLOCK + 1, TASK + 5])
def test_the_place_is_told_beyond_chunks_blocks_and_tasks(numel: int) -> None:
    a = torch.zeros(numel)
    b = a.clone()
    b[-1], b[numel // 2] = 2, 2
    found = difference(a, b)
    assert (found.count, found.equal, found.place) == (numel, numel - 2, numel // 2)
    b[-1] = 3
    assert difference(a, b).place == numel - 1
    b[-1] = torch.nan
    assert difference(a, b).place == numel - 1


@given(
    st.lists(
        st.lists(st.tuples(st.floats(width=16), st.floats(width=16)), max_size=9),
        min_size=1,
        max_size=5,
    )
)
def test_merging_is_the_same_as_looking_at_all(parts: list[list[tuple[float, float]]]) -> None:
    def look(values: list[tuple[float, float]]) -> Difference:
        return of_lists([a for a, _ in values], [b for _, b in values])

    whole, apart = look(list(itertools.chain(*parts))), Difference()
    for part in parts:
        apart.merge(look(part))
    for each in ("count", "equal", "nans", "largest", "place", "relative", "distance", "cosine"):
        found, expected = getattr(apart, each), getattr(whole, each)
        assert found is expected or found == pytest.approx(expected, rel=1e-9, nan_ok=True), each


def test_views_are_compared_as_they_lie() -> None:
    base = torch.randn(300, 400)
    assert difference(base.t(), base.t().contiguous()).is_equal
    found = difference(base[::2, 3:], base[::2, 3:] + torch.eye(150, 397))
    assert found.equal == 150 * 397 - 150


# What is told without arithmetic


def test_one_file_is_never_read_twice_over(tmp_path: Path) -> None:
    path, link = tmp_path / "model", tmp_path / "link"
    save_file({"w": torch.randn(100), "v": torch.randn(3)}, path)
    link.hardlink_to(path)
    a, b = open_checkpoint(path), open_checkpoint(link)
    couples = [(a["w"], b["w"]), (a["v"], b["v"])]
    assert compare_all(couples, EXACT, quiet) == [Outcome(is_equal=True)] * 2
    apart = compare_all([(a["v"], b["w"]._replace(shape=(3,)))], EXACT, quiet)[0]
    assert apart.is_equal is False


def entry_of(dtype: str, shape: tuple[int, ...], data: bytes) -> Entry:
    return Entry("w", BY_NAME[dtype], shape, Storage(Memory(data), 0, len(data)))


@pytest.mark.parametrize("dtype", ["float4_e2m1fn", "quint4x2", "float6_e2m3fn"])
def test_what_has_no_numbers_to_read_is_compared_byte_for_byte(dtype: str) -> None:
    data = bytes(range(24))
    same, other = entry_of(dtype, (32,), data), entry_of(dtype, (32,), bytes(24))
    couples = [(same, entry_of(dtype, (32,), data)), (same, other)]
    found = compare_all(couples, EXACT, quiet)
    assert found == [Outcome(is_equal=True), Outcome(is_equal=False, reason="the bytes differ")]


def test_kinds_that_have_nothing_in_common_are_not_compared() -> None:
    packed, plain = entry_of("float4_e2m1fn", (2,), b"1"), entry_of("float32", (2,), bytes(8))
    (found,) = compare_all([(packed, plain)], EXACT, quiet)
    assert (found.is_equal, found.difference) == (None, None)
    assert found.reason == "float4_e2m1fn cannot be compared with float32"


@pytest.mark.parametrize("layout", ["coo", "csr", "bsr"])
def test_sparse_tensors_are_compared_part_by_part(layout: str) -> None:
    def sparse(value: float) -> torch.Tensor:
        dense = torch.eye(4) * value
        if layout == "bsr":
            return dense.to_sparse_bsr((2, 2))
        return dense.to_sparse_csr() if layout == "csr" else dense.to_sparse()

    assert outcomes({"w": sparse(1)}, {"w": sparse(1)})["w"] == Outcome(is_equal=True)
    assert outcomes({"w": sparse(1)}, {"w": sparse(2)})["w"].is_equal is False
    found = outcomes({"w": sparse(1)}, {"w": torch.eye(4)})["w"]
    assert found.is_equal is None
    assert "cannot be compared with float32" in found.reason


def test_equal_integers_of_quantized_tensors_leave_their_scales_open() -> None:
    def quantized(value: float, scale: float) -> torch.Tensor:
        return torch.quantize_per_tensor(torch.tensor([value]), scale, 0, torch.qint8)

    found = outcomes({"w": quantized(1.0, 0.5)}, {"w": quantized(2.0, 1.0)})["w"]
    assert found.is_equal is None
    assert found.reason == "quantized: the bytes are equal, the rest is not read"
    assert outcomes({"w": quantized(1.0, 0.5)}, {"w": quantized(2.0, 0.5)})["w"].is_equal is False


@pytest.mark.parametrize("layout", [PLANNED, "meta"])
def test_where_there_are_no_values_by_design_nothing_differs(layout: str) -> None:
    plain, _ = zeros("float32", 2, 3)
    empty = Entry("w", plain.dtype, plain.shape, None, layout=layout)
    found = compare_all([(empty, plain), (plain, empty), (empty, empty)], EXACT, quiet)
    assert [each.is_equal for each in found] == [True] * 3
    assert [each.reason for each in found] == [
        f"no values in {where}" for where in ("A", "B", "A and B")
    ]


def test_a_bomb_is_not_compared() -> None:
    plain, _ = zeros("float32", 1)
    bomb = plain._replace(shape=(2**40, 2**20), strides=(0, 0))
    other = bomb._replace(storage=zeros("float32", 1)[0].storage)
    (found,) = compare_all([(bomb, other)], EXACT, quiet)
    assert found.is_equal is None
    assert "would make" in found.reason


def test_what_reaches_past_its_storage_is_malformed() -> None:
    short = entry_of("float32", (5,), bytes(16))
    with pytest.raises(MalformedError) as caught:
        compare_all([(short, entry_of("float32", (5,), bytes(20)))], EXACT, quiet)
    assert caught.value.file == "memory"


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    state, path = {"w": torch.randn(1000)}, tmp_path / "model"
    save_file(state, path)
    a, b = open_checkpoint(path), checkpoint_of(state)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ParamctlError):
        compare_all([(a["w"], b["w"])], EXACT, quiet)


@pytest.mark.parametrize("name", STATES)
def test_whatever_is_saved_twice_is_equal_or_says_why_nobody_knows(name: str) -> None:
    torch.manual_seed(0)
    file, state = BytesIO(), STATES[name]()
    torch.save(state, file)
    a, b = (
        read_checkpoint(BytesSource(file.getvalue(), "state.pt"), ReadOptions(everything=True))
        for _ in range(2)
    )
    for found in compare_all([(a[name], b[name]) for name in a], EXACT, quiet):
        assert found.is_equal or (found.is_equal is None and found.reason)
