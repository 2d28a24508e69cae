"""Expressions: what text stands for, and where it is wrong."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramctl.errors import ExpressionError
from paramctl.expressions.evaluation import CONSTANTS, FUNCTIONS, evaluate
from paramctl.expressions.parser import MAX_DEPTH, parse
from paramctl.expressions.quoting import quoting
from paramctl.expressions.tree import (
    RANKS,
    Call,
    Keyword,
    List,
    Name,
    Negative,
    Node,
    Number,
    Operation,
    Pair,
    String,
)

IDENTIFIERS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
DOTTED = st.from_regex(r"([a-z0-9]{1,3}\.){0,2}[a-z_][a-z0-9]?", fullmatch=True)
NUMBERS = st.integers(0, 10**30) | st.floats(0, allow_infinity=False)
STRINGS = st.text().filter(lambda text: not ("'" in text and '"' in text))
LEAVES = st.builds(Number, NUMBERS) | st.builds(String, STRINGS) | st.builds(Name, DOTTED)


def operations(operands: st.SearchStrategy[Node], *ranks: int) -> st.SearchStrategy[Node]:
    """Return operations whose signs are of one rank, a comparison with one sign."""

    def links(rank: int) -> st.SearchStrategy[Node]:
        link = st.tuples(st.sampled_from(RANKS[rank]), operands)
        rest = st.lists(link, min_size=1, max_size=4 if rank else 1).map(tuple)
        return st.builds(Operation, operands, rest)

    return st.sampled_from(ranks).flatmap(links)


def powers(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(lambda base, by: Operation(base, (("**", by),)), operands, operands)


def larger(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    positional = st.lists(parts | st.builds(Pair, parts, parts), max_size=3)
    keywords = st.builds(
        lambda names, values: list(map(Keyword, names, values)),
        st.lists(IDENTIFIERS, max_size=2, unique=True),
        st.lists(parts, max_size=2),
    )
    arguments = st.builds(lambda first, rest: (*first, *rest), positional, keywords)
    return st.one_of(
        st.builds(Negative, parts),
        operations(parts, 0, 1, 2),
        powers(parts),
        st.lists(parts, max_size=3).map(tuple).map(List),
        st.builds(Call, DOTTED, arguments),
    )


TREES = st.recursive(LEAVES, larger, max_leaves=15)


def value_of(text: str) -> object:
    with quoting(text):
        return evaluate(parse(text))


def error_of(text: str) -> ExpressionError | None:
    try:
        value_of(text)
    except ExpressionError as error:
        return error
    return None


@given(TREES)
def test_the_text_of_a_tree_parses_to_it_again(tree: Node) -> None:
    assert parse(str(tree)) == tree


DIGITS = st.builds(Number, st.floats(0.01, 9) | st.just(0.0))
ARITHMETIC = st.recursive(
    DIGITS | powers(DIGITS),
    lambda parts: st.builds(Negative, parts) | operations(parts, 1, 2),
    max_leaves=12,
)


@given(ARITHMETIC)
def test_arithmetic_is_that_of_python_s_floats(tree: Node) -> None:
    try:
        expected = eval(str(tree), {})  # noqa: S307 (numbers and signs only)
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="division by zero"):
            evaluate(tree)
    else:
        assert evaluate(tree) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.02/sqrt(2*12)", 0.02 / math.sqrt(24)),
        ("-2**2", -4),
        ("2**-1", 0.5),
        ("2**3**2", 512),
        ("1 - 2 - 3", -4),
        ("8/4/2", 1),
        ("1 + 2*3 < 8", 1),
        ("42", 42),
        (".5e-3", 0.0005),
        ("min(3, 1, 2) + max(4, 5) + abs(-6)", 12),
        ("log(e) + exp(0) + sqrt(4) * pi", 2 + 2 * math.pi),
        ("[1, [2, -3], []]", (1, (2, -3), ())),
        ('"it\'s"', "it's"),
        (" \n'x' ", "x"),
    ],
)
def test_a_text_stands_for_a_value(text: str, expected: object) -> None:
    assert value_of(text) == expected


def test_a_whole_number_stays_one() -> None:
    assert repr(value_of("42")) == "42"
    assert repr(value_of("-9007199254740993")) == "-9007199254740993"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("h.0.weight", Name("h.0.weight")),
        ("2.weight * 2.", Operation(Name("2.weight"), (("*", Number(2.0)),))),
        ("0.block", Name("0.block")),
        ("1e5", Number(1e5)),
        ("1e-5", Number(1e-5)),
        ("1e", Name("1e")),
        ("1e5.weight", Name("1e5.weight")),
        ("a.e5", Name("a.e5")),
        ("größe", Name("größe")),
        ("f(1/4: g, x=-1)", Call("f", (
            Pair(Operation(Number(1), (("/", Number(4)),)), Name("g")),
            Keyword("x", Negative(Number(1))),
        ))),
    ],
)  # fmt: skip
def test_names_and_numbers_are_told_apart(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'': expected a number, a name or a string, found the end (column 1)"),
        ("1 +", "expected a number, a name or a string, found the end (column 4)"),
        ("+1", "found '+' (column 1)"),
        ("1 2", "expected an operator, found '2' (column 3)"),
        ("x = 1", "expected an operator, found '=' (column 3)"),
        ("(1", "expected ')', found the end (column 3)"),
        ("[1, 2", "expected ']', found the end (column 6)"),
        ("f(1 2)", "expected ')', found '2' (column 5)"),
        ("f(,)", "found ',' (column 3)"),
        ("f(1,)", "found ')' (column 5)"),
        ("1)", "expected an operator, found ')' (column 2)"),
        ("a $ b", "'$' is no word (column 3)"),
        ("a!", "'!' is no word (column 2)"),
        ("f('abc)", "''' is a string without its closing quote (column 3)"),
        ("a..b", "'a..b' is neither a number nor a name (column 1)"),
        ("1.2.3", "no number is called '1.2.3' (column 1)"),
        ("1 < 2 < 3", "a second comparison (column 7)"),
        ("f(2=3)", "'2' cannot name an argument (column 3)"),
        ("f(a.b=3)", "'a.b' cannot name an argument (column 3)"),
        ("f(a=1, a=2)", "'a' is given twice (column 8)"),
        ("f(a=1, 2)", "an argument without a name follows one with a name (column 8)"),
        ("1e400", "the number is too large (column 1)"),
        ("2 * " + "9" * 401, "a number of more than 400 characters (column 5)"),
    ],
)
def test_what_does_not_parse_is_refused_with_its_column(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)):
        value_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 + pie", "no number is called 'pie' (column 5); closest: pi"),
        ("1 + sqr(2)", "no function is called 'sqr' (column 5); closest: sqrt"),
        ("f(0)", "no function is called 'f' (column 1); there are sqrt, exp, log"),
        ("1 / 0", "'/' has no value here: float division by zero (column 3)"),
        ("sqrt(-1)", "'sqrt' has no value here"),
        ("log(0)", "'log' has no value here"),
        ("(-8)**(1/3)", "'**' has no value here: math domain error (column 5)"),
        ("9**9**9**9", "'**' has no value here: math range error (column 5)"),
        ("1e308 * 10", "'*' gives too large a number (column 7)"),
        ("exp(1e4)", "'exp' has no value here: math range error (column 1)"),
        ("sqrt(1, 2)", "'sqrt' has no value here"),
        ("min()", "'min' has no value here"),
        ("max(1, 'a')", "expected a number, found '\"a\"' (column 8)"),
        ("-[1]", "expected a number, found '[1]' (column 2)"),
        ("sqrt(x=4)", "expected a number, found 'x=4' (column 6)"),
    ],
)
def test_what_has_no_value_is_refused_with_its_column(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)):
        value_of(text)


@pytest.mark.parametrize(
    "unit", ["(", "-", "[", "f(", "[1+", "2**", "9", "a.", "'", " ", "f(a=1: "]
)
def test_a_megabyte_of_nonsense_is_an_error(unit: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(unit * (1_000_000 // len(unit)))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("-", ""), ("[", "]"), ("abs(", ")")])
def test_what_nests_as_deep_as_it_may_has_a_value(opening: str, closing: str) -> None:
    depth = MAX_DEPTH - 1
    text = opening * depth + "1" + closing * depth
    value_of(text)
    assert parse(str(parse(text))) == parse(text)
    with pytest.raises(ExpressionError, match="nested more than"):
        value_of(opening + text + closing)


def test_a_long_sum_and_a_long_list_are_fine() -> None:
    assert value_of("+".join("1" * 50_000)) == 50_000
    assert value_of(f"[{','.join('1' * 50_000)}]") == (1,) * 50_000


@given(st.text("ab01.e'\"()[]+-*/<>=!:, ", max_size=20))
def test_any_text_has_a_value_or_is_an_error_with_a_column(text: str) -> None:
    error = error_of(text)
    assert error is None or (0 <= error.column <= len(text) and error.text == text)


def test_an_expression_may_start_inside_of_a_text() -> None:
    with pytest.raises(ExpressionError, match=re.escape("'w = 1 +': expected a number")) as caught:
        parse("w = 1 +", 3)
    assert caught.value.column == 7


def test_functions_and_constants_do_not_share_names() -> None:
    assert not FUNCTIONS.keys() & CONSTANTS.keys()
