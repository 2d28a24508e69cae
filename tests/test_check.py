"""What `check` finds among values, held against torch for every type that has them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from nets import STATES
from oracle import TORCH_WARNINGS
from safetensors.torch import save_file
from states import checkpoint_of
from torch import Tensor

from paramctl.check.checking import check
from paramctl.check.findings import Checked, Finding
from paramctl.check.kinds import Kind, choose_kinds
from paramctl.checkpoint import Checkpoint
from paramctl.edits.equality import Equals, find_equal
from paramctl.errors import LimitError, ParamctlError, UsageError
from paramctl.formats import open_checkpoint
from paramctl.passes import BLOCK, TASK

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

WIDE = (torch.float64, torch.float32, torch.bfloat16)
IEEE = (*WIDE, torch.float16, torch.float8_e5m2)
FLOATS = (*IEEE, torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)
COMPLEX = (torch.complex64, torch.complex128)


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def checked(checkpoint: Checkpoint, only: str = "") -> Checked:
    return check(checkpoint, list(checkpoint), choose_kinds(only), None, quiet)


def found_in(state: Mapping[str, Tensor]) -> tuple[Finding, ...]:
    return checked(checkpoint_of(state)).findings


def kinds_in(tensor: Tensor, name: str = "0.weight") -> list[str]:
    return [finding.kind.value for finding in found_in({name: tensor})]


def random(dtype: torch.dtype, *shape: int) -> Tensor:
    """Return values that every type holds as normal numbers, none of them zero."""
    torch.manual_seed(0)
    return (torch.rand(shape, dtype=torch.float64) + 1).to(dtype)


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX], ids=str)
def test_healthy_values_are_no_finding(dtype: torch.dtype) -> None:
    assert kinds_in(random(dtype, 30, 40)) == []


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX], ids=str)
@pytest.mark.parametrize("place", [0, 17, -1])
def test_one_nan_is_found_where_it_is(dtype: torch.dtype, place: int) -> None:
    tensor = random(dtype, 30, 40)
    tensor.view(-1)[place] = torch.nan
    (finding,) = found_in({"0.weight": tensor})
    assert (finding.kind, finding.affected) == (Kind.NAN, 1)
    assert finding.first == divmod(place % 1200, 40)


def test_one_nan_is_found_in_every_code_of_a_byte() -> None:
    for dtype in (*FLOATS[4:], torch.float8_e8m0fnu):
        codes = torch.arange(256, dtype=torch.uint8).view(dtype)
        (finding,) = (f for f in found_in({"w": codes}) if f.kind is Kind.NAN)
        assert finding.affected == int(codes.float().isnan().sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn], ids=str)
@pytest.mark.parametrize("shape", [(2 * TASK + 3,), (5, BLOCK + 7), (3, TASK + 11)])
def test_the_last_of_millions_is_looked_at(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.ones(shape).to(dtype)
    tensor.view(-1)[-1] = torch.nan
    (finding,) = found_in({"0.bias": tensor})
    assert finding.kind is Kind.NAN
    assert finding.first == tuple(size - 1 for size in shape)


@pytest.mark.parametrize("dtype", IEEE, ids=str)
def test_infinities_of_either_sign_are_found(dtype: torch.dtype) -> None:
    tensor = random(dtype, 8, 8)
    tensor[2, 3], tensor[7, 7] = -torch.inf, torch.inf
    (finding,) = found_in({"0.weight": tensor})
    assert finding == (Kind.INF, "0.weight", "2 of 64, first at [2, 3]", 2, 64, (2, 3))


@pytest.mark.parametrize("dtype", IEEE, ids=str)
def test_every_special_value_is_counted_as_torch_does(dtype: torch.dtype) -> None:
    """All patterns of 16 bits are a float16; spread over a wider type they are all sorts of it."""
    bits = torch.arange(1 << 16, dtype=torch.int64)
    size = torch.empty(0, dtype=dtype).element_size()
    integers = {1: torch.uint8, 2: torch.uint16, 4: torch.int32, 8: torch.int64}[size]
    tensor = (bits << max(0, 8 * size - 16)).to(integers).view(dtype)
    values = tensor.double()
    info = torch.finfo(dtype)
    expected = {
        Kind.NAN: values.isnan(),
        Kind.INF: values.isinf(),
        Kind.DENORMAL: (values != 0) & (values.abs() < info.smallest_normal),
        Kind.BEYOND_FP16: values.isfinite() & values.half().isinf(),
    }
    found = {f.kind: (f.affected, f.first) for f in found_in({"w": tensor})}
    if dtype in (torch.float16, torch.float8_e5m2):  # of these they are few enough
        del expected[Kind.DENORMAL]
    assert found == {
        kind: (int(which.sum()), (int(which.to(torch.uint8).argmax()),))
        for kind, which in expected.items()
        if which.any()
    }


@pytest.mark.parametrize("dtype", WIDE, ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_float16_rounds_to_infinity_is_beyond_it(dtype: torch.dtype, sign: int) -> None:
    for value in (65_504.0, 65_519.0, 65_520.0, 65_535.0, 65_536.0, 1e10, 3e38):
        tensor = random(dtype, 9)
        tensor[4] = sign * value
        is_beyond = bool(tensor.half().isinf().any())
        assert kinds_in(tensor, "0.bias") == (["beyond-fp16"] if is_beyond else [])


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_a_denormal_is_found_and_the_smallest_normal_number_is_none(dtype: torch.dtype) -> None:
    tensor = random(dtype, 9)
    tensor[3] = torch.finfo(dtype).smallest_normal
    assert kinds_in(tensor) == []
    tensor[5] = -tensor[3] / 2
    (finding,) = found_in({"0.weight": tensor})
    assert (finding.kind, finding.affected, finding.first) == (Kind.DENORMAL, 1, (5,))


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e5m2fnuz], ids=str
)
def test_in_a_narrow_type_they_are_found_where_most_values_are(dtype: torch.dtype) -> None:
    tensor = random(dtype, 100)
    small = tensor.float() * 0 + torch.finfo(dtype).smallest_normal / 2
    few, many = tensor.clone(), tensor.clone()
    few[:50], many[:51] = small[:50].to(dtype), small[:51].to(dtype)
    assert kinds_in(few) == []
    assert kinds_in(many) == ["denormal"]
    many[60:99] = 0
    few[0:2] = 0
    assert kinds_in(many) == ["denormal"]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_weights_of_zeros_or_of_one_number_are_found(dtype: torch.dtype) -> None:
    zeros = torch.zeros(6, 7).to(dtype)
    (finding,) = found_in({"0.weight": zeros})
    assert finding == (Kind.ZEROS, "0.weight", "all 42 values are 0", 42, 42, None)
    (finding,) = found_in({"0.weight": (zeros.float() + 1.5).to(dtype)})
    assert finding == (Kind.CONSTANT, "0.weight", "all 42 values are 1.5", 42, 42, None)
    almost = (zeros.float() + 1.5).to(dtype)
    almost[5, 6] = 1
    assert kinds_in(almost) == []


def test_zeros_of_both_signs_are_zeros() -> None:
    tensor = torch.zeros(4, 4)
    tensor[1] = -0.0
    assert kinds_in(tensor) == ["zeros"]


def test_nothing_but_nan_is_no_constant() -> None:
    assert kinds_in(torch.full((4, 4), torch.nan)) == ["nan"]


@pytest.mark.parametrize("numel", [BLOCK, BLOCK + 1, TASK + 1])
def test_a_last_value_that_differs_makes_no_constant(numel: int) -> None:
    tensor = torch.ones(2, numel)
    assert kinds_in(tensor) == ["constant"]
    tensor[1, -1] = 2
    assert kinds_in(tensor) == []


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX], ids=str)
@pytest.mark.parametrize("shape", [(9, 2), (9, 5, 3, 3), (700, 1000)])
def test_rows_of_zeros_are_found(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = random(dtype, *shape)
    dead = [3, 4, shape[0] - 1]
    for row in dead:
        tensor[row] = 0
    tensor[1].view(-1)[:-1] = 0
    (finding,) = found_in({"0.weight": tensor})
    assert (finding.kind, finding.affected, finding.total) == (Kind.DEAD_ROWS, 3, shape[0])
    assert finding.first == (3,)


def test_a_row_far_down_is_found_and_one_that_holds_anything_is_none() -> None:
    tensor = torch.zeros(TASK // 50, 101, dtype=torch.bfloat16)
    places = torch.tensor([1, 51, 99])  # beside the columns that rule out most
    tensor[torch.arange(len(tensor)), places[torch.arange(len(tensor)) % 3]] = 1
    assert kinds_in(tensor) == []
    dead = len(tensor) - 7
    tensor[dead] = 0
    (finding,) = found_in({"0.weight": tensor})
    assert (finding.kind, finding.affected, finding.first) == (Kind.DEAD_ROWS, 1, (dead,))


@pytest.mark.parametrize("length", [BLOCK, BLOCK + 1, TASK - 1, TASK + 5])
def test_rows_longer_than_a_block_are_found(length: int) -> None:
    tensor = torch.ones(5, length, dtype=torch.bfloat16)
    tensor[1] = tensor[3] = 0
    tensor[4, : length - 1] = 0
    (finding,) = found_in({"0.weight": tensor})
    assert (finding.kind, finding.affected, finding.first) == (Kind.DEAD_ROWS, 2, (1,))


def test_duplicates_are_found_that_no_tie_says() -> None:
    torch.manual_seed(0)
    weight, other = torch.randn(4, 4), torch.randn(4, 4)
    state = {
        "a.weight": weight,
        "b.weight": weight.clone(),
        "c.weight": other,
        "tied.weight": weight,
        "turned.weight": weight.flatten().flip(0).reshape(4, 4),
        "d.weight": weight.clone(),
        "half.weight": weight.half(),
    }
    assert found_in(state) == (
        (Kind.DUPLICATE, "b.weight", "equal to a.weight", None, None, None),
        (Kind.DUPLICATE, "d.weight", "equal to a.weight", None, None, None),
    )


def test_a_duplicate_of_many_blocks_differs_by_its_last_bit() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, BLOCK)
    other = weight.clone()
    assert [f.kind for f in found_in({"a.weight": weight, "b.weight": other})] == [Kind.DUPLICATE]
    other[-1, -1] += 1
    assert not found_in({"a.weight": weight, "b.weight": other})


def test_only_what_looks_alike_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[str] = []

    def find(checkpoint: Checkpoint, names: list[str]) -> Equals:
        again.extend(names)
        return find_equal(checkpoint, names)

    monkeypatch.setattr("paramctl.check.duplicates.find_equal", find)
    torch.manual_seed(0)
    weight = torch.randn(5, 7, dtype=torch.float64)
    state = {f"{place}.weight": torch.randn(5, 7) for place in range(9)}
    state |= {"zeros.weight": torch.zeros(5, 7), "nought.weight": torch.zeros(5, 7)}
    found_in(state | {"a.weight": weight, "b.weight": weight.clone()})
    assert again == ["a.weight", "b.weight"]


def test_tied_values_are_told_of_once() -> None:
    weight = torch.zeros(3, 3)
    assert [f.name for f in found_in({"a.weight": weight, "b.weight": weight})] == ["a.weight"]


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda t: t.t(),
    "part": lambda t: t[::3, 5:],
    "expanded": lambda t: t[0].expand(7, t.shape[1]),
    "one": lambda t: t[0, 0],
    "empty": lambda t: t[:0],
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_looked_at_as_they_lie(view: str) -> None:
    tensor = VIEWS[view](random(torch.float32, 60, 70))
    state = {"w": tensor, "rest": torch.full((99,), torch.nan)}
    assert [f.name for f in found_in(state)] == ["rest"]
    if tensor.numel():
        tensor[tuple(size - 1 for size in tensor.shape)] = torch.nan
        finding = found_in({"w": tensor})[0]
        where = tensor.isnan().nonzero()
        assert (finding.affected, finding.first) == (len(where), tuple(where[0].tolist()))


def test_parts_of_complex_numbers_count() -> None:
    tensor = random(torch.complex64, 3, 5)
    parts = torch.view_as_real(tensor)
    parts[1, 2, 1], parts[2, 0, 0] = torch.nan, torch.inf
    assert [(f.kind, f.affected, f.first) for f in found_in({"w": tensor})] == [
        (Kind.NAN, 1, (1, 2)),
        (Kind.INF, 1, (2, 0)),
    ]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("sparse coo", {"s": "sparse_coo"}),
        ("sparse bsr", {"s": "sparse_bsr"}),
        ("nested tensor", {"n": "nested"}),
        ("meta tensor", {"m": "meta"}),
        ("qint8", {"q": "quantized"}),
        ("quantized per channel", {"q": "quantized"}),
    ],
)
def test_what_is_no_array_of_floats_is_said_to_be_unchecked(
    state: str, why: dict[str, str]
) -> None:
    value = STATES[state]()
    assert isinstance(value, dict)
    assert checked(checkpoint_of(value)).unchecked == why


@pytest.mark.parametrize("state", ["conjugate", "negative", "real part", "columns"])
def test_what_torch_puts_off_is_checked(state: str) -> None:
    value = STATES[state]()
    assert isinstance(value, dict)
    result = checked(checkpoint_of(value))
    assert (result.tensors, result.unchecked, result.findings) == (len(value), {}, ())


def test_packed_floats_are_said_to_be_unchecked() -> None:
    packed = torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    result = checked(checkpoint_of({"w": packed}))
    assert result.unchecked == {"w": "float4_e2m1fn_x2"}


def test_only_some_kinds_are_told() -> None:
    tensor = random(torch.float32, 4, 4)
    tensor[0], tensor[1, 0], tensor[2, 0] = 0, torch.nan, 1e30
    state = {"a.weight": tensor, "b.weight": tensor.clone()}
    every = ["nan", "nan", "dead-rows", "dead-rows", "duplicate", "beyond-fp16", "beyond-fp16"]
    for only, kinds in {
        "": every,
        "nan": every[:2],
        "duplicate, dead-rows": every[2:5],
        "error": every[:2],
        "warning,inf": every[2:4],
        "note": every[4:],
    }.items():
        found = checked(checkpoint_of(state), only).findings
        assert [f.kind.value for f in found] == kinds


def test_kinds_that_there_are_not_are_refused_with_the_closest() -> None:
    with pytest.raises(UsageError, match="called 'nam'; closest: nan") as caught:
        choose_kinds("inf,nam")
    assert caught.value.exit_code == 2


def test_values_are_not_read_where_no_kind_is_of_values(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_file({"w": torch.randn(1000)}, path)
    checkpoint = open_checkpoint(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert not checked(checkpoint, "shape,missing").tensors
    with pytest.raises(ParamctlError):
        checked(checkpoint)


def test_one_value_that_claims_to_be_a_terabyte_is_refused() -> None:
    checkpoint = checkpoint_of({"w": torch.ones(1).expand(1 << 40)})
    with pytest.raises(LimitError):
        checked(checkpoint)
