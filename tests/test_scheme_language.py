"""The scheme language: what a text asks for, and where it is wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramctl.errors import ExpressionError
from paramctl.init.distributions import FLOAT32_MAX
from paramctl.init.language import parse_scheme
from paramctl.init.registry import all_schemes
from paramctl.init.targets import Target

NUMBERS = st.floats(-FLOAT32_MAX, FLOAT32_MAX) | st.integers(-(10**20), 10**20)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("xavier", "xavier_uniform"),
        ("  zeros ( ) ", "zeros"),
        ("normal(std=0.02)", "normal(std=0.02)"),
        ("normal(0, .02)", "normal(std=0.02)"),
        ("normal(std=1)", "normal"),
        ("normal(mean=-2.0, std=1e-3)", "normal(mean=-2, std=0.001)"),
        ("constant(42)", "constant(42)"),
        ("constant(value=-4.5)", "constant(-4.5)"),
        ("constant(10**30)", "constant(1e+30)"),
        ("sparse(9/10, std=0.1)", "sparse(0.9, std=0.1)"),
        ("uniform(5, 10)", "uniform(low=5, high=10)"),
        ("normal(std=0.02/sqrt(2*12))", "normal(std=0.004082482904638631)"),
        (
            'kaiming_normal(mode="fan_out", nonlinearity="leaky_relu", a=0.1)',
            'kaiming_normal(a=0.1, mode="fan_out")',
        ),
        ("orthogonal(gain='relu')", 'orthogonal(gain="relu")'),
        ("dirac(groups=4/2)", "dirac(groups=2)"),
        (
            "mixture(1/4: uniform(5, 10), 1/2: zeros, 1/4: uniform(-10, -5))",
            "mixture(0.25: uniform(low=5, high=10), 0.5: zeros, 0.25: uniform(low=-10, high=-5))",
        ),
        ("mixture(1/3: zeros, 1/3: ones, 1/3: mixture(1: xavier))", None),
    ],
)
def test_a_scheme_has_one_text(text: str, canonical: str | None) -> None:
    bound = parse_scheme(text)
    assert canonical in (None, str(bound))
    assert parse_scheme(str(bound)) == bound
    assert str(parse_scheme(str(bound))) == str(bound)


@given(NUMBERS, st.floats(0, FLOAT32_MAX))
def test_numbers_survive_their_text(mean: float, std: float) -> None:
    bound = parse_scheme(f"normal({mean!r}, {std!r})")
    assert bound.distribution(Target("w", (2,))).std == std
    assert bound.distribution(Target("w", (2,))).mean == mean
    assert parse_scheme(str(bound)) == bound


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a number, a name or a string, found the end (column 1)"),
        ("norml", "no scheme 'norml' (column 1); closest: normal"),
        ("mixture(1/2: norml, 1/2: zeros)", "no scheme 'norml' (column 14); closest: normal"),
        ("42", "expected a scheme, found '42' (column 1)"),
        ("'zeros'", "expected a scheme, found '\"zeros\"' (column 1)"),
        ("zeros + ones", "expected a scheme, found 'zeros + ones' (column 7)"),
        ("normal(stdd=1)", "'normal' has no parameter 'stdd' (column 8); closest: std"),
        ("zeros(value=1)", "'zeros' has no parameter 'value' (column 7); zeros()"),
        ("normal(1, 2, 3)", "one argument too many (column 14); normal(mean=0, std=1)"),
        ("zeros(1)", "one argument too many (column 7); zeros()"),
        ("mixture(zeros)", "one argument too many (column 9); mixture(weight: scheme, ...)"),
        ("normal(1, mean=2)", "'mean' is given twice (column 11)"),
        ("constant", "'constant' needs 'value' (column 1); constant(value)"),
        ("sparse(std=1)", "'sparse' needs 'sparsity' (column 1); sparse(sparsity, std=0.01)"),
        ("normal(0.5: zeros)", "'normal' is no mixture (column 8)"),
        ("normal(std='a')", "std is a number (column 12)"),
        ("normal(std=[1])", "std is a number (column 12)"),
        ("normal(std=1/0)", "'/' has no value here: float division by zero (column 13)"),
        ("kaiming(mode=fan_out)", "'fan_out' needs quotes (column 14); write mode=\"fan_out\""),
        ("kaiming(mode=1)", "mode is a word in quotes (column 14)"),
        ("xavier(gain=[1])", "gain is a number or a word in quotes (column 13)"),
        ("dirac(groups=1.5)", "groups is a whole number (column 14)"),
        ("constant(1e39)", "value is too large for float32 (column 10)"),
        ("constant(1e999)", "the number is too large (column 10)"),
    ],
)
def test_what_names_no_scheme_is_refused_with_its_column(text: str, message: str) -> None:
    assert_refused(text, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("normal(std=nan)", "no number is called 'nan'"),
        ("normal(std=inf)", "no number is called 'inf'"),
        ("normal(std=-1)", "std is -1, the least is 0 (column 12)"),
        ("trunc_normal(std=0)", "std is 0, it must be above 0 (column 18)"),
        ("trunc_normal(a=2, b=2)", "a is 2, it must be below b, 2 (column 16)"),
        ("trunc_normal(b=-2)", "a is -2, it must be below b, -2 (column 16)"),
        (
            "trunc_normal(a=100, b=101)",
            "lies next to nothing of a normal distribution of mean 0 and std 1 (column 16)",
        ),
        (
            "trunc_normal(std=0.1, mean=9)",
            "lies next to nothing of a normal distribution of mean 9 and std 0.1 (column 28)",
        ),
        ("uniform(10, 5)", "low is 10, it must be below high, 5 (column 9)"),
        ("uniform(high=-5)", "low is 0, it must be below high, -5 (column 14)"),
        ("uniform(-3e38, 3e38)", "low and high are too far apart for float32 (column 9)"),
        ("xavier(gain=0)", "gain is 0, it must be above 0 (column 13)"),
        ("orthogonal(-1)", "gain is -1, it must be above 0 (column 12)"),
        ('xavier("rel")', "no nonlinearity 'rel' (column 8); closest: relu"),
        ('kaiming(nonlinearity="rel")', "no nonlinearity 'rel' (column 22); closest: relu"),
        ('kaiming(0, "fan_ou")', "no mode 'fan_ou' (column 12); closest: fan_out"),
        (
            'variance_scaling(mode="x")',
            "no mode 'x' (column 23); there are fan_in, fan_out, fan_avg",
        ),
        ('variance_scaling(distribution="norm")', "no distribution 'norm' (column 31)"),
        ("variance_scaling(0)", "scale is 0, it must be above 0 (column 18)"),
        ("dirac(groups=0)", "groups is 0, the least is 1 (column 14)"),
        ("sparse(1.5)", "sparsity is 1.5, the most is 1 (column 8)"),
        ("sparse(-0.5)", "sparsity is -0.5, the least is 0 (column 8)"),
        ("sparse(0.5, std=-1)", "std is -1, the least is 0 (column 17)"),
        ("mixture", "the weights add up to 0, not to 1 (column 1)"),
        ("mixture(1/4: zeros, 1/4: ones)", "the weights add up to 0.5, not to 1 (column 1)"),
        ("mixture(1/4: xavier, 1/4: orthogonal)", "the weights add up to 0.5, not to 1"),
        ("mixture(2: zeros, -1: ones)", "weight 2 is -1, the least is 0 (column 19)"),
        ("mixture(1: normal(std=-1))", "std is -1, the least is 0 (column 23)"),
    ],
)
def test_what_is_wrong_for_any_parameter_is_refused_at_once(text: str, message: str) -> None:
    assert_refused(text, message)


NAMES = [scheme.name for scheme in all_schemes()]


@given(st.sampled_from(NAMES), st.text("1.,()'=:ab ", max_size=9))
def test_any_text_is_a_scheme_or_an_error_with_a_column(name: str, rest: str) -> None:
    try:
        bound = parse_scheme(name + rest)
    except ExpressionError as error:
        assert f"(column {error.column + 1})" in str(error)  # noqa: PT017 (or it is a scheme)
    else:
        assert parse_scheme(str(bound)) == bound


def assert_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)) as caught:
        parse_scheme(text)
    assert str(caught.value).startswith(f"'{text}': ")
    assert caught.value.exit_code == 2
