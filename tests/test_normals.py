from typing import Any

import numpy as np
import pytest
from devices import OTHERS, off, on
from scipy.special import ndtri  # type: ignore[import-untyped]

from paramctl.init.normals import (
    SCRATCH,
    _tail,
    fill_cut_normals,
    fill_normals,
    shares_of,
)
from paramctl.init.uniforms import fill_uniforms

ULPS = 4  # units in the last place of float32, by which a normal may be off
TAIL = 1_990_772_000  # sizes from here on lie in the tail, past sqrt(55 / 64) 2^31
SIGN = np.int32(-(2**31))  # the bit of a word that is the sign
ENDS = np.array([-(2**31), -(2**31) + 1, -1, 0, 1, 2**31 - 2, 2**31 - 1], np.int32)
RANDOM = np.random.default_rng(1).integers(-(2**31), 2**31, 1 << 20, dtype=np.int32)
WORDS = np.concatenate([ENDS, RANDOM]).view(np.uint32)
CUTS = [(0.0, 1.0), (0.0, 1e-290), (1e-20, 1e-3), (0.02, 0.5), (0.25, 1e-6)]
"""What lies below, and the share that is drawn from."""

SHARES = 10 ** np.random.default_rng(2).uniform(-300, 0, 1 << 19)


def normals(words: Any, device: str = "cpu") -> Any:
    out = on(device, np.empty(len(words), np.float32))
    scratch = on(device, np.empty((SCRATCH, len(words)), np.float32))
    fill_normals(out, on(device, words), scratch)
    return off(out)


def cut_normals(below: float, share: float, device: str = "cpu") -> Any:
    out = on(device, np.empty(len(WORDS), np.float32))
    scratch = on(device, np.empty((SCRATCH, len(WORDS)), np.float32))
    fill_cut_normals(out, on(device, WORDS), below, share, scratch)
    return off(out)


def ulps(found: Any, expected: Any) -> float:
    """Return the largest error in units in the last place of float32."""
    return float(np.max(abs(found - expected) / np.spacing(abs(expected).astype(np.float32))))


def exact(signed: Any) -> Any:
    """Return the normals of words by scipy: a sign, and the share of sizes that are smaller."""
    sizes = signed & 0x7FFFFFFF
    return np.copysign(ndtri((2.0**31 - sizes - 0.5) * 2.0**-32), signed + 0.5)


@pytest.mark.parametrize(
    "signed",
    [
        RANDOM,
        np.arange(-(1 << 19), 1 << 19, dtype=np.int32),
        np.linspace(-(2**31), 2**31 - 1, 1 << 20).astype(np.int32),
    ],
    ids=["random", "around 0", "grid"],
)
def test_normals_are_within_4_units_of_scipys(signed: Any) -> None:
    assert ulps(normals(signed.view(np.uint32)), exact(signed)) < ULPS


@pytest.mark.parametrize(
    ("sizes", "units"),
    [(np.arange(TAIL, 2**31, 97), 2), (np.arange(2**31 - (1 << 20), 2**31), 1)],
    ids=["whole", "outermost"],
)
def test_the_tails_are_within_2_units_of_scipys(sizes: Any, units: int) -> None:
    signed = sizes.astype(np.int32)
    assert ulps(normals(signed.view(np.uint32)), exact(signed)) < units
    mirrored = normals((signed ^ SIGN).view(np.uint32))
    assert np.array_equal(mirrored, -normals(signed.view(np.uint32)))


def test_the_outermost_words_give_the_outermost_normals() -> None:
    lowest, highest = normals(np.array([(1 << 32) - 1, (1 << 31) - 1], np.uint32))
    assert highest == -lowest == np.float32(-ndtri(2.0**-33))


@pytest.mark.parametrize(("below", "share"), CUTS)
def test_cut_normals_are_within_4_units_of_scipys(below: float, share: float) -> None:
    expected = ndtri(shares_of(WORDS.view(np.int32), below, share))
    assert ulps(cut_normals(below, share), expected) < ULPS


def test_fractions_are_the_upper_24_bits() -> None:
    out = np.empty(len(WORDS), np.float32)
    fill_uniforms(out, WORDS.copy())
    assert np.array_equal(out.astype(float) * 2**24, WORDS >> 8)


@pytest.mark.parametrize("device", OTHERS)
def test_torch_gives_numpys_bits(device: str) -> None:
    out = on(device, np.empty(len(WORDS), np.float32))
    fill_uniforms(out, on(device, WORDS))
    assert np.array_equal(off(out).astype(float) * 2**24, WORDS >> 8)
    assert np.array_equal(normals(WORDS, device), normals(WORDS))
    for cut in CUTS:
        assert np.array_equal(cut_normals(*cut, device), cut_normals(*cut))


@pytest.mark.parametrize("device", OTHERS)
def test_torch_gives_numpys_bits_in_the_tail_before_they_are_rounded(device: str) -> None:
    assert np.array_equal(off(_tail(on(device, SHARES))), _tail(SHARES))
