"""Casts: every value becomes what torch's `to` makes of it, where it is read."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from memory import describe
from safetensors.torch import load_file, save_file

import paramctl
from paramctl.checkpoint import PLANNED, Checkpoint, Entry, Storage
from paramctl.conversion import holds_number
from paramctl.dtypes import BY_NAME, FLOATING, DType
from paramctl.edits.casting import cast, count_overflows, parse_dtype
from paramctl.errors import AddressError, UsageError
from paramctl.sources import BytesSource
from paramctl.writer import save

BYTES = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def model(**tensors: torch.Tensor) -> Checkpoint:
    return Checkpoint(
        "m", "none", {name: describe(t)._replace(name=name) for name, t in tensors.items()}
    )


def stored(entry: Entry) -> torch.Tensor:
    """Return what an entry holds, as torch would read it."""
    assert entry.storage
    values = torch.empty(entry.shape, dtype=getattr(torch, entry.dtype.name))
    if entry.numel:
        data = bytearray(entry.storage.source.read(0, entry.nbytes))
        values.copy_(torch.frombuffer(data, dtype=values.dtype).reshape(entry.shape))
    return values


def assert_same(mine: torch.Tensor, theirs: torch.Tensor) -> None:
    """Check that two tensors are equal bit for bit, NaN apart."""
    assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
    missing = torch.isnan(theirs.double())
    assert torch.equal(torch.isnan(mine.double()), missing)
    codes = (each.contiguous().view(BYTES[each.itemsize])[~missing] for each in (mine, theirs))
    assert torch.equal(*codes)


def every_code(dtype: DType) -> torch.Tensor:
    """Return all values of a small type; of a large one those about the places where others round.

    These are all of float16's and bfloat16's, the middles between them, and their neighbours.
    """
    if dtype.bits <= 16:
        codes = torch.arange(1 << dtype.bits, dtype=torch.int32).to(BYTES[dtype.bits // 8])
        return codes.view(getattr(torch, dtype.name))
    halves = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    small = torch.cat([halves.view(torch.float16).double(), halves.view(torch.bfloat16).double()])
    small = small[~torch.isnan(small)].sort().values.to(getattr(torch, dtype.name))
    middles = small[1:] / 2 + small[:-1] / 2
    exact = torch.cat([small, middles])
    up, down = (torch.nextafter(exact, torch.full_like(exact, end)) for end in (np.inf, -np.inf))
    random = np.random.default_rng(0).bytes(1 << 20)
    patterns = torch.frombuffer(bytearray(random), dtype=exact.dtype)
    return torch.cat([exact, up, down, patterns, torch.tensor([torch.nan], dtype=exact.dtype)])


@pytest.mark.parametrize(("old", "new"), list(permutations(sorted(FLOATING), 2)))
def test_every_value_becomes_what_torch_makes_of_it(old: str, new: str) -> None:
    values = every_code(BY_NAME[old])
    assert_same(stored(cast(model(w=values), BY_NAME[new])["w"]), values.to(getattr(torch, new)))


@given(st.data())
def test_any_range_of_bytes_is_that_of_the_whole(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(0, 5), max_size=4))
    tensor = torch.arange(float(np.prod([1, *shape]))).reshape(shape) * 1.7
    if shape:
        tensor = tensor.transpose(0, data.draw(st.integers(0, len(shape) - 1)))
    new = data.draw(st.sampled_from([name for name in sorted(FLOATING) if name != "float32"]))
    entry = cast(model(w=tensor), BY_NAME[new])["w"]
    assert entry.storage
    whole = entry.storage.source.read(0, entry.nbytes)
    assert_same(stored(entry), tensor.to(getattr(torch, new)))
    begin = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - begin))
    assert entry.storage.source.read(begin, length) == whole[begin : begin + length]


@pytest.mark.parametrize("layout", ["negative", "strided"])
@pytest.mark.parametrize("big_endian", [True, False])
def test_values_are_read_as_they_are_meant(layout: str, *, big_endian: bool) -> None:
    values = np.array([1.5, -2.25, 3e38], ">f4" if big_endian else "<f4")
    place = Storage(BytesSource(values.tobytes(), "x"), 0, 12, big_endian=big_endian)
    entry = Entry("w", BY_NAME["float32"], (3,), place, layout=layout)
    changed = cast(Checkpoint("m", "none", {"w": entry}), BY_NAME["float64"])["w"]
    expected = torch.from_numpy(values.astype("<f8"))
    assert torch.equal(stored(changed), -expected if layout == "negative" else expected)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_halves_are_read_in_their_byte_order(name: str) -> None:
    values = torch.tensor([1.5, -2.25, 3e4], dtype=getattr(torch, name))
    swapped = values.view(torch.int16).numpy().astype(">i2").tobytes()
    place = Storage(BytesSource(swapped, "x"), 0, 6, big_endian=True)
    entry = Entry("w", BY_NAME[name], (3,), place)
    changed = cast(Checkpoint("m", "none", {"w": entry}), BY_NAME["float32"])["w"]
    assert torch.equal(stored(changed), values.float())


def test_only_what_is_floating_point_is_cast() -> None:
    tensors = {
        name: torch.zeros(2, dtype=getattr(torch, name))
        for name in ("float32", "bfloat16", "int64", "bool", "uint8", "complex64", "float8_e8m0fnu")
    }
    old = model(**tensors)
    changed = cast(old, BY_NAME["bfloat16"])
    assert changed["float32"].dtype.name == "bfloat16"
    assert all(changed[name] is old[name] for name in tensors if name != "float32")


def test_what_is_tied_is_cast_or_kept_together() -> None:
    old = model(a=torch.ones(3), b=torch.ones(2))
    tied = replace(old, entries={**old.entries, "c": old["a"]._replace(name="c")})
    tied.aliases["c"] = "a"
    changed = cast(tied, BY_NAME["float16"])
    assert changed["a"].storage is changed["c"].storage
    assert [entry.dtype.name for entry in changed.values()] == ["float16"] * 3
    kept = cast(tied, BY_NAME["float16"], ["c"])
    assert [entry.dtype.name for entry in kept.values()] == ["float32", "float16", "float32"]
    with pytest.raises(AddressError, match="no parameter or layer 'd'"):
        cast(tied, BY_NAME["float16"], ["d"])


def test_what_has_no_values_yet_is_cast_too() -> None:
    planned = Entry("w", BY_NAME["float32"], (3,), None, layout=PLANNED)
    changed = cast(Checkpoint("m", "none", {"w": planned}), BY_NAME["bfloat16"])
    assert changed["w"] == planned._replace(dtype=BY_NAME["bfloat16"])


LIMITS = {  # the largest number, and the first that is rounded beyond it
    "float32": (2.0**128 - 2.0**104, 2.0**128 - 2.0**103),
    "bfloat16": (2.0**128 - 2.0**120, 2.0**128 - 2.0**119),
    "float16": (65504.0, 65520.0),
    "float8_e5m2": (57344.0, 61440.0),
    "float8_e5m2fnuz": (57344.0, 61440.0),
    "float8_e4m3fnuz": (240.0, 248.0),
    "float8_e4m3fn": (448.0, np.nextafter(448.0, 449.0)),  # all of them become the largest
}
WITHOUT_INFINITY = {"float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2fnuz"}


@pytest.mark.parametrize("name", LIMITS)
def test_values_that_are_too_large_are_counted_once(name: str) -> None:
    fits, beyond = LIMITS[name]
    values = torch.tensor(
        [fits, -fits, beyond, -beyond, np.inf, -np.inf, np.nan, 0], dtype=torch.float64
    )
    changed = cast(model(w=values, v=torch.zeros(2, dtype=torch.float64)), BY_NAME[name])
    assert not count_overflows(changed)
    for _ in range(2):
        stored(changed["w"])
        assert count_overflows(changed) == {"w": 4 if name in WITHOUT_INFINITY else 2}


@pytest.mark.parametrize("name", LIMITS)
def test_a_value_that_is_too_large_is_found_among_small_ones(name: str) -> None:
    fits, beyond = LIMITS[name]
    for value, count in [(fits, 0), (-fits, 0), (beyond, 1), (-beyond, 1)]:
        values = torch.tensor([0.0, value, 1.0], dtype=torch.float64)
        changed = cast(model(w=values), BY_NAME[name])
        stored(changed["w"])
        assert count_overflows(changed).get("w", 0) == count


@pytest.mark.parametrize(("old", "new"), list(permutations(sorted(FLOATING), 2)))
def test_values_are_too_large_where_torch_makes_no_number_of_them(old: str, new: str) -> None:
    values = every_code(BY_NAME[old])
    values = values[~values.double().isnan()]
    if new == "float8_e4m3fn":  # torch makes its largest of them
        lost = values.double().abs() > LIMITS[new][0]
    else:
        lost = ~values.to(getattr(torch, new)).double().isfinite()
    if new not in WITHOUT_INFINITY:
        lost &= values.double().isfinite()
    changed = cast(model(w=values), BY_NAME[new])
    stored(changed["w"])
    assert count_overflows(changed).get("w", 0) == lost.count_nonzero()


def test_values_that_are_too_large_are_told_apart_where_tensors_lie_in_a_row(
    tmp_path: Path,
) -> None:
    tensors = {
        "a": torch.tensor([1e5, 1.0]),
        "b": torch.zeros(0),
        "c": torch.ones(2, 2),
        "d": torch.full((2, 3), -1e6),
    }
    save_file(tensors, tmp_path / "x.safetensors")
    changed = cast(paramctl.open(tmp_path / "x.safetensors"), BY_NAME["float16"])
    save(changed, tmp_path / "y.safetensors")
    assert count_overflows(changed) == {"a": 1, "d": 6}
    written = load_file(tmp_path / "y.safetensors")
    assert all(torch.equal(written[name], tensors[name].half()) for name in tensors)


@pytest.mark.parametrize("name", LIMITS)
def test_a_type_holds_the_numbers_that_it_has_one_close_to(name: str) -> None:
    fits, beyond = LIMITS[name]
    dtype = BY_NAME[name]
    least = torch.finfo(getattr(torch, name)).smallest_normal
    for sign in (1, -1):
        assert all(holds_number(dtype, sign * number) for number in (0, 1, least, fits))
        assert not holds_number(dtype, sign * float(beyond))
        assert not holds_number(dtype, sign * 1e-60)  # which becomes zero
        assert holds_number(dtype, sign * np.inf) == (name not in WITHOUT_INFINITY)
    assert holds_number(dtype, np.nan)


def test_a_wider_type_overflows_nowhere() -> None:
    changed = cast(model(w=torch.tensor([3e38, np.inf])), BY_NAME["float64"])
    stored(changed["w"])
    assert not count_overflows(changed)


@pytest.mark.parametrize("text", ["bfloat16", "bf16", "BF16"])
def test_a_type_has_short_names(text: str) -> None:
    assert parse_dtype(text).name == "bfloat16"


@pytest.mark.parametrize("text", ["int8", "I8", "float8_e8m0fnu", "complex64", "", "float"])
def test_a_cast_is_to_floating_point(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}' is no type to cast to") as caught:
        parse_dtype(text)
    assert "bfloat16" in caught.value.hint
