"""Two grids meet if and only if they have a bit in common; no question takes long."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramctl.grids import Grid, Meetings

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=4).map(tuple)
GRIDS = st.builds(Grid, st.integers(0, 100), st.integers(1, 9), STEPS)


def bits_of(grid: Grid) -> set[int]:
    counts = [range(count) for _, count in grid.steps]
    starts = {
        grid.first
        + sum(place * stride for place, (stride, _) in zip(places, grid.steps, strict=True))
        for places in product(*counts)
    }
    return {start + bit for start in starts for bit in range(grid.width)}


@given(GRIDS, GRIDS)
def test_grids_meet_where_they_have_a_bit_in_common(one: Grid, other: Grid) -> None:
    assert Meetings().meet(one, other) == bool(bits_of(one) & bits_of(other))


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 100_003])
@pytest.mark.parametrize("width", [1, 8, 32])
def test_every_other_column_leaves_the_others_free(columns: int, width: int) -> None:
    even, odd = (
        Grid(first * width, width, ((2 * columns * width, 10**9), (2 * width, columns)))
        for first in (0, 1)
    )
    assert not Meetings(work=100).meet(even, odd)
    assert Meetings(work=100).meet(even, even)


def test_work_that_would_not_end_is_left() -> None:
    strides = [2 * (2**59 + pow(3, 100 + place, 2**59)) for place in range(40)]
    one = Grid(0, 1, tuple((stride, 2) for stride in strides[:20]))
    other = Grid(sum(strides[:20]) // 4 * 2, 1, tuple((stride, 2) for stride in strides[20:]))
    meetings = Meetings()
    assert not meetings.meet(one, other)
    assert not meetings.meet(one, one)  # nothing is left to tell that with
