"""What an initialization draws: its statistics at a million elements, and what it rounds to."""

import pytest
from draw_checks import (
    Case,
    Layer,
    cases,
    check_apart,
    check_case,
    check_fused,
    check_mixture,
    check_parts,
    check_sparse,
    check_tie,
)


@pytest.mark.parametrize(
    ("case", "layer", "dtype"),
    [
        pytest.param(*row, id=f"{row[0].scheme} {row[1].type} {list(row[1].shape)} {row[2]}")
        for row in cases()
    ],
)
def test_values_have_the_scheme_s_distribution_and_round_as_torch_s(
    case: Case, layer: Layer, dtype: str
) -> None:
    check_case(case, layer, dtype)


@pytest.mark.parametrize("scheme", ["normal", "uniform", "trunc_normal", "orthogonal"])
def test_parts_are_those_of_the_whole(scheme: str) -> None:
    check_parts(scheme)


@pytest.mark.parametrize("scheme", ["normal", "uniform", "trunc_normal"])
def test_parameters_and_seeds_have_nothing_in_common(scheme: str) -> None:
    check_apart(scheme)


def test_draws_of_one_parameter_are_independent() -> None:
    check_mixture()
    check_sparse()
    check_fused()


def test_a_tie_takes_the_stream_of_its_first_name() -> None:
    check_tie()
