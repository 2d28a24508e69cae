"""What addresses name."""

import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paramctl import addresses
from paramctl.addresses import Match, Resolver, find_nodes, resolve, resolve_all
from paramctl.errors import AddressError
from paramctl.layers import build_layers
from paramctl.slices import Index
from paramctl.views.escaping import escape

RGNET = [
    f"0.block {block}.{layer}.{name}"
    for block in range(4)
    for layer in (0, 2)
    for name in ("weight", "bias")
] + ["1.weight", "1.bias"]
ODD = ["blocks[a].w", "blocks[a].b", "x y.z", "a", "a.b", "", "..", "*", "w[0]", "h.2.w", "h.10.w"]


def names_of(names: list[str], address: str) -> list[str]:
    return [match.name for match in resolve(names, address)]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("0.block 1.0.bias", ["0.block 1.0.bias"]),
        ("[0][1][0].bias", ["0.block 1.0.bias"]),
        ("0[1][0].bias", ["0.block 1.0.bias"]),
        ("[0][-1][2]", ["0.block 3.2.weight", "0.block 3.2.bias"]),
        ("[0][1][1]", ["0.block 1.2.weight", "0.block 1.2.bias"]),
        ("1", ["1.weight", "1.bias"]),
        ("[1].bias", ["1.bias"]),
        ("*.bias", ["1.bias"]),
        ("0.*.0.bias", [f"0.block {block}.0.bias" for block in range(4)]),
        ("**.bias", [name for name in RGNET if name.endswith("bias")]),
        ("**", RGNET),
        ("0.block ?.2.weight", [f"0.block {block}.2.weight" for block in range(4)]),
        ("**.block 2.**", [name for name in RGNET if "block 2" in name]),
        ("0.block 1", [name for name in RGNET if "block 1" in name]),
        ("0.block [1-2].0.bias", ["0.block 1.0.bias", "0.block 2.0.bias"]),
        ("0.block [0,2..3].0.bias", ["0.block 0.0.bias", "0.block 2.0.bias"]),
        ("0.block [3,2..1].0.bias", [f"0.block {block}.0.bias" for block in (1, 2, 3)]),
        ("[0].block [3-9]", [name for name in RGNET if "block 3" in name]),
        ("0.*.[0-2].bias", [name for name in RGNET if name[0] == "0" and name.endswith("bias")]),
        ("[0-9].bias", ["1.bias"]),
    ],
)
def test_an_address_names_parameters(address: str, expected: list[str]) -> None:
    assert names_of(RGNET, address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("blocks[a].w", ["blocks[a].w"]),
        ("blocks[a]", ["blocks[a].w", "blocks[a].b"]),
        ("x y", ["x y.z"]),
        ("a", ["a"]),
        ("*", ["*"]),
        ("..", [".."]),
        ("w[0]", ["w[0]"]),
        ("h[1]", ["h.10.w"]),
        ("h[10]", ["h.10.w"]),
        ("h[2]", ["h.2.w"]),
    ],
)
def test_a_name_is_itself_before_it_is_a_pattern(address: str, expected: list[str]) -> None:
    assert names_of(ODD, address) == expected


@pytest.mark.parametrize(
    ("address", "slices"),
    [
        ("1.weight[0,:5]", (0, slice(None, 5))),
        ("1.weight[...]", (...,)),
        ("1.weight[1,]", (1,)),
        ("1.weight[:2, ]", (slice(None, 2),)),
        ("*.weight[1,]", (1,)),
        ("1.weight[ -1 , 1:-1:2 ]", (-1, slice(1, -1, 2))),
        ("1.weight[::-1]", (slice(None, None, -1),)),
        ("[1].weight[0]", (0,)),
        ("[1][0][0]", (0,)),
    ],
)
def test_a_slice_follows_a_parameter(address: str, slices: Index) -> None:
    assert resolve(RGNET, address) == [Match("1.weight", slices)]


def test_a_slice_is_taken_of_every_parameter_in_a_range() -> None:
    matches = resolve(RGNET, "0.block [0-1].0.bias[:3]")
    assert [match.name for match in matches] == ["0.block 0.0.bias", "0.block 1.0.bias"]
    assert [match.slices for match in matches] == [(slice(None, 3),)] * 2


def test_a_name_that_looks_like_a_range_is_itself() -> None:
    names = ["h.[0-3].w", "h.0.w", "h.1.w"]
    assert names_of(names, "h.[0-3].w") == ["h.[0-3].w"]
    assert names_of(names, "h.[0-3]") == ["h.[0-3].w"]
    assert names_of(names, "h.[0-2]") == ["h.0.w", "h.1.w"]


def test_a_range_is_one_where_its_prefix_is_a_parameter_too() -> None:
    assert names_of(["w", "w0", "w1", "w2"], "w[0-2]") == ["w0", "w1", "w2"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (r"a\n", "a\n"),
        (r"a\\n", r"a\n"),
        (r"\x1b[31m.w", "\x1b[31m.w"),
        (r"\u202e.[0-3]", "\u202e.2"),
        (r"\U000e0001.*", "\U000e0001.w"),
        (r"\U00110000", r"\U00110000"),
        (r"\udc80", "\udc80"),
        (r"t\tt[0]", "t\tt"),
    ],
)
def test_what_does_not_print_is_typed_as_it_is_shown(address: str, name: str) -> None:
    assert names_of([name, "other"], address) == [name]


def test_a_backslash_is_itself_where_a_name_holds_it() -> None:
    assert names_of(["a\n", r"a\n"], r"a\n") == [r"a\n"]


@given(st.lists(st.text("a.\\n\n\x1b\u202e", max_size=6), min_size=1, unique=True))
def test_every_name_can_be_typed_as_it_is_shown(names: list[str]) -> None:
    for name in filter(None, names):
        shown = escape(name)
        if not any(other == shown or other.startswith(f"{shown}.") for other in names):
            assert resolve(names, shown) == [Match(name, ())]


def test_a_slice_is_taken_of_every_parameter_that_a_pattern_names() -> None:
    assert resolve(RGNET, "1.*[0]") == [Match("1.weight", (0,)), Match("1.bias", (0,))]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "an empty address"),
        ("2.wieght", "no parameter or layer '2.wieght'; closest: 1.weight"),
        ("1.weight[0", "a bracket without its other half (column 9)"),
        ("1.weight]", "a bracket without its other half (column 9)"),
        ("1.weight[0][0]", "something behind the slice"),
        ("1.weight[x]", "'x' is no index: a number, a slice or '...' (column 10)"),
        ("1.weight[0,1.5]", "'1.5' is no index: a number, a slice or '...' (column 12)"),
        ("1.weight[0:b]", "'b' is no bound of a slice"),
        ("1.weight[]", "'' is no index"),
        ("1.weight[,]", "'' is no index"),
        ("1.weight[1,,]", "'' is no index"),
        ("[7]", "the model has 2 children, no [7] (column 2)"),
        ("[0][9].bias", "layer '0' has 4 children, no [9] (column 5)"),
        ("[0][x]", "'x' is no index of a layer's child (column 5)"),
        ("0.block [4-999999999]", "closest: 0.block [0-3]"),
        ("0.block [9-12].0.bias", "closest: 0.block [0-3].0.bias"),
        ("0.blokc [0-1].0.bias", "closest: 0.block 0.0.bias"),
        ("0.block [9-12].none", "closest: 0.block"),
        ("0.block [0,0..3]", "no parameter or layer"),
        ("0[0-1]", "'[0-1]' stands for the numbers in names, 'h.[0-3]'; a slice is '[0:3]'"),
        ("1.weight[0-1]", "a slice is '[0:3]'"),
        ("2.*", "'*' stands for one part between dots"),
        ("1.weight[" + "9" * 5000 + "]", "is no index"),
    ],
)
def test_a_wrong_address_is_explained(address: str, message: str) -> None:
    with pytest.raises(AddressError, match=re.escape(message)):
        resolve(RGNET, address)


def test_several_addresses_name_each_parameter_once_in_the_model_s_order() -> None:
    assert resolve_all(RGNET, ["1.bias", "1", "[1].weight"]) == ["1.weight", "1.bias"]
    assert resolve_all(RGNET, []) == RGNET


def test_a_listing_takes_no_slice() -> None:
    with pytest.raises(AddressError, match=r"name the parameter: 1\.bias"):
        resolve_all(RGNET, ["1.bias[0]"])


def test_the_layers_are_made_once_for_all_addresses() -> None:
    resolver = Resolver(RGNET)
    with patch.object(addresses, "build_layers", wraps=build_layers) as build:
        assert [match.name for match in resolver.matches("1.*")] == ["1.weight", "1.bias"]
        assert resolver.nodes("0.block [1-2]") == ["0.block 1", "0.block 2"]
        assert build.call_count == 1
        assert resolve_all(RGNET, ["*.bias", "[1].weight"]) == ["1.weight", "1.bias"]
        assert build.call_count == 2


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("1.bias", ["1.bias"]),
        ("0", ["0"]),
        ("0.block 1", ["0.block 1"]),
        ("[0][1]", ["0.block 1"]),
        ("*", ["0", "1"]),
        ("0.block [2-9].*", [f"0.block {block}.{layer}" for block in (2, 3) for layer in (0, 2)]),
        ("**.bias", [name for name in RGNET if name.endswith("bias")]),
    ],
)
def test_the_nodes_of_an_address_are_layers_and_parameters(
    address: str, expected: list[str]
) -> None:
    assert find_nodes(RGNET, address) == expected


@given(st.lists(st.text("ab.[*]0 ", max_size=6), unique=True), st.text("ab.[*]0 ", max_size=6))
def test_the_nodes_hold_what_the_address_names(names: list[str], address: str) -> None:
    try:
        matches = resolve(names, address)
    except AddressError:
        with pytest.raises(AddressError):
            find_nodes(names, address)
        return
    if any(match.slices for match in matches):
        with pytest.raises(AddressError, match="is a slice"):
            find_nodes(names, address)
        return
    nodes = find_nodes(names, address)
    held = {name for node in nodes for name in names if f"{name}.".startswith(f"{node}.")}
    assert {match.name for match in matches} <= held
    assert all(node in names or any(n.startswith(f"{node}.") for n in held) for node in nodes)


def test_a_range_of_slices_names_no_node() -> None:
    with pytest.raises(AddressError, match="is a slice; name the whole parameter"):
        find_nodes(RGNET, "*.bias[0]")


@given(st.lists(st.text("ab.", max_size=40), unique=True), st.text("ab.", max_size=30))
def test_a_layer_is_found_by_its_name_at_any_depth(names: list[str], layer: str) -> None:
    expected = [name for name in names if name.startswith(f"{layer}.")]
    if expected and layer and layer not in names:
        assert names_of(names, layer) == expected


@given(st.lists(st.text("ab.[*]0 \n", max_size=6), min_size=1, unique=True))
def test_every_name_names_itself_and_nothing_else(names: list[str]) -> None:
    for name in filter(None, names):
        assert resolve(names, name) == [Match(name, ())]


@given(
    st.lists(st.text("ab.[*]0 ", max_size=6), unique=True), st.text("ab.[*]0:,? -\\\\n", max_size=9)
)
def test_any_text_names_something_or_is_an_address_error(names: list[str], address: str) -> None:
    try:
        matches = resolve(names, address)
    except AddressError:
        return
    assert matches
    assert all(match.name in names for match in matches)
