"""Narrowing: every value becomes the element that torch makes of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paramctl.dtypes import BY_NAME, FLOATING
from paramctl.narrowing import can_hold, narrow

SIXTEEN_BITS = [name for name in sorted(FLOATING) if BY_NAME[name].bits == 16]
EIGHT_BITS = [name for name in sorted(FLOATING) if BY_NAME[name].bits == 8]


def bits(tensor: torch.Tensor) -> np.ndarray:
    size = tensor.element_size()
    return tensor.view(torch.uint8 if size == 1 else torch.int16).numpy().view(f"<u{size}")


def assert_as_torch(values: np.ndarray, name: str) -> None:
    mine = narrow(values, BY_NAME[name]).view(f"<u{BY_NAME[name].bits // 8}")
    theirs = torch.from_numpy(values).to(getattr(torch, name))
    missing = torch.isnan(theirs.float()).numpy()
    assert np.array_equal(mine[~missing], bits(theirs)[~missing])
    back = torch.from_numpy(mine.view("u1" if mine.itemsize == 1 else "<i2").copy())
    assert torch.isnan(back.view(getattr(torch, name)).float())[missing].all()


@pytest.mark.parametrize("name", SIXTEEN_BITS + EIGHT_BITS)
def test_every_float16_pattern_and_its_neighbours_narrow_as_in_torch(name: str) -> None:
    halves = np.arange(1 << 16, dtype="<u2").view("<f2").astype("<f4")
    finite = halves[np.isfinite(halves)]
    for values in (
        halves,
        np.nextafter(finite, np.float32(np.inf)),
        np.nextafter(finite, -np.float32(np.inf)),
    ):
        assert_as_torch(values, name)


@pytest.mark.parametrize("name", SIXTEEN_BITS + EIGHT_BITS)
def test_random_float32_patterns_narrow_as_in_torch(name: str) -> None:
    patterns = np.random.default_rng(0).integers(0, 1 << 32, 1 << 20, dtype="<u4")
    assert_as_torch(patterns.view("<f4"), name)


@given(st.lists(st.floats(width=32), min_size=1, max_size=8))
def test_midpoints_of_bfloat16_go_to_the_even_one(numbers: list[float]) -> None:
    values = np.asarray(numbers, "<f4")
    assert_as_torch(((values.view("<u4") & 0xFFFF0000) | 0x8000).view("<f4"), "bfloat16")


def test_whole_numbers_and_doubles_keep_their_values() -> None:
    values = np.array([-3, 0, 7], "<i8")
    assert narrow(values, BY_NAME["int16"]).tolist() == [-3, 0, 7]
    assert narrow(np.array([0.1]), BY_NAME["float64"])[0] == 0.1
    assert narrow(np.array([1e300]), BY_NAME["float32"])[0] == np.inf


def test_scales_and_packed_types_hold_no_computed_values() -> None:
    refused = {name for name, dtype in BY_NAME.items() if not can_hold(dtype)}
    assert {"float8_e8m0fnu", "float4_e2m1fn", "complex32", "quint8"} <= refused
    assert refused.isdisjoint(FLOATING | {"bool", "int64", "complex64"})
