from math import inf

import numpy as np
import pytest
from scipy.special import ndtr  # type: ignore[import-untyped]

from paramctl.init.shares import Interval, share_below


def test_shares_are_scipys() -> None:
    points = np.concatenate([np.linspace(-37, 9, 4000), np.linspace(-1.6, -1.4, 200)])
    for point in points.tolist():
        assert share_below(point) == pytest.approx(ndtr(point), rel=4e-13)


def test_shares_at_the_ends() -> None:
    assert [share_below(x) for x in (-inf, -40.0, 0.0, 40.0, inf)] == [0, 0, 0.5, 1, 1]


def test_shares_are_the_same_on_every_machine() -> None:
    """Down to the last bit: the platform's mathematical library has no part in them."""
    assert share_below(-30.0) == float.fromhex("0x1.7795ad05ea398p-656")
    assert share_below(-2.0) == float.fromhex("0x1.74bcf82c9d860p-6")
    assert share_below(-1.0) == float.fromhex("0x1.44ed0bb7cb20ap-3")
    assert share_below(0.1) == float.fromhex("0x1.1464507526871p-1")


def test_a_mirrored_interval_has_the_opposite_mean() -> None:
    interval = Interval(-3.0, 1.0)
    mirrored = interval.mirrored()
    assert mirrored == (-1.0, 3.0)
    assert mirrored.mean == pytest.approx(-interval.mean)
    assert mirrored.std == pytest.approx(interval.std)
