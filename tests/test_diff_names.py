"""Which parameters of two models are compared with one another, and what is said of ties."""

from collections.abc import Collection

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from states import checkpoint_of
from test_stats import quiet

from paramctl.checkpoint import Checkpoint
from paramctl.diff.comparison import Comparison, Parameter, compare_parameters
from paramctl.diff.facts import ABSENT, Fact, compare_classes, compare_metadata, own_metadata
from paramctl.diff.names import Pair, find_prefix, find_renamed, pair_names, strip_prefixes
from paramctl.diff.values import EXACT
from paramctl.errors import MalformedError, UsageError

State = dict[str, torch.Tensor]


def renamed(a: State, b: State, chosen: Collection[Pair] | None = None) -> list[Pair]:
    models = checkpoint_of(a), checkpoint_of(b)
    pairs = pair_names(a, b)
    return find_renamed(pairs, *models, set(pairs) if chosen is None else chosen)


def compare(a: Checkpoint, b: Checkpoint, ignored: Collection[str] = ()) -> dict[str, Parameter]:
    pairs = pair_names(a.entries, b.entries)
    pairs = find_renamed(pairs, a, b, set(pairs))
    found = compare_parameters((a, b), pairs, EXACT, quiet, ignored)
    return {parameter.name: parameter for parameter in found}


# Names


def test_pairs_stand_in_the_order_of_a_and_what_b_adds_behind_what_it_follows() -> None:
    a, b = ["x", "gone", "y", "z"], ["new", "x", "after x", "too", "z", "y", "after y"]
    assert pair_names(a, b) == [
        *(Pair(None, "new"), Pair("x", "x"), Pair(None, "after x"), Pair(None, "too")),
        *(Pair("gone", None), Pair("y", "y"), Pair(None, "after y"), Pair("z", "z")),
    ]
    assert pair_names(["a", "b"], ["c"]) == [Pair("a", None), Pair("b", None), Pair(None, "c")]


@given(
    st.lists(st.text("abc", max_size=2), unique=True),
    st.lists(st.text("abc", max_size=2), unique=True),
)
def test_every_name_is_in_one_pair(a: list[str], b: list[str]) -> None:
    pairs = pair_names(a, b)
    assert [pair.a for pair in pairs if pair.a is not None] == a
    assert sorted(pair.b for pair in pairs if pair.b is not None) == sorted(b)
    assert {pair.a for pair in pairs if pair.a == pair.b} == set(a) & set(b)


def test_a_prefix_is_stripped_of_names_layers_and_ties() -> None:
    weight = torch.randn(2)
    plain = checkpoint_of({"0.w": weight, "1.w": weight})
    wrapped = checkpoint_of({"module.0.w": weight, "module.1.w": weight})
    wrapped.types = {"module": "DDP", "module.0": "Linear", "modules": "Other"}
    stripped = strip_prefixes(wrapped, ["module."])
    assert list(stripped) == ["0.w", "1.w"]
    assert stripped.aliases == plain.aliases == {"1.w": "0.w"}
    assert stripped.types == {"": "DDP", "0": "Linear", "modules": "Other"}
    assert [entry.name for entry in stripped.entries.values()] == ["module.0.w", "module.1.w"]
    assert strip_prefixes(plain, ["module.", "_orig_mod."]) == plain
    found = compare(plain, stripped)
    assert [each.change for each in found.values()] == ["equal", "equal"]


@pytest.mark.parametrize("names", [("module.a", "a"), ("a", "module.a"), ("module.a", "b.a")])
def test_two_parameters_never_get_one_name(names: tuple[str, str]) -> None:
    checkpoint = checkpoint_of({name: torch.zeros(1) for name in names})
    with pytest.raises(UsageError, match="are both") as caught:
        strip_prefixes(checkpoint, ["module.", "b."] if "b.a" in names else ["module."])
    assert caught.value.file == "state.pt"


def test_a_prefix_that_would_help_is_found() -> None:
    assert find_prefix(["module.0.w", "module.0.b"], ["0.w"]) == "module."
    assert find_prefix(["0.w"], ["step", "_orig_mod.module.0.w"]) == "_orig_mod.module."
    assert find_prefix(["0.w"], ["1.b"]) == ""
    assert find_prefix([], ["1.b"]) == ""


# Renames


def test_equal_content_under_another_name_is_a_rename() -> None:
    w, v = torch.randn(3, 2), torch.randn(3, 2)
    found = renamed({"old": w, "same": v, "gone": v}, {"same": v, "new": w, "more": v + 1})
    assert found == [
        *(Pair("old", "new"), Pair("same", "same"), Pair(None, "more"), Pair("gone", None)),
    ]


@pytest.mark.parametrize(
    "other", [torch.ones(6), torch.ones(2, 3).double(), torch.ones(3, 2) * 2, torch.zeros(2, 3)]
)
def test_another_shape_type_or_value_is_none(other: torch.Tensor) -> None:
    assert renamed({"a.w": torch.ones(2, 3)}, {"b.w": other}) == [
        Pair("a.w", None),
        Pair(None, "b.w"),
    ]


def test_constants_are_renamed_only_where_the_last_parts_agree() -> None:
    zeros = torch.zeros(4)
    assert renamed({"a.bias": zeros}, {"b.bias": zeros}) == [Pair("a.bias", "b.bias")]
    assert renamed({"a.bias": zeros}, {"b.mean": zeros}) == [
        Pair("a.bias", None),
        Pair(None, "b.mean"),
    ]


def test_like_contents_are_joined_in_the_order_of_their_numbers() -> None:
    ones = torch.ones(4)
    a = {f"h.{place}.ln.weight": ones.clone() for place in range(12)}
    b = {f"layers.{place}.norm.weight": ones.clone() for place in sorted(range(12), key=str)}
    assert renamed(a, b) == [
        Pair(f"h.{place}.ln.weight", f"layers.{place}.norm.weight") for place in range(12)
    ]


def test_the_same_last_part_comes_first() -> None:
    w = torch.randn(4)
    a = {"a.weight": w, "a.scale": w.clone()}
    b = {"b.scale": w.clone(), "b.weight": w.clone()}
    assert set(renamed(a, b)) == {Pair("a.weight", "b.weight"), Pair("a.scale", "b.scale")}


def test_what_is_empty_is_no_rename() -> None:
    assert renamed({"a": torch.zeros(0)}, {"b": torch.zeros(0)}) == [
        Pair("a", None),
        Pair(None, "b"),
    ]


def test_only_what_is_chosen_is_looked_for() -> None:
    a, b = {"a": torch.ones(2), "c": torch.rand(3)}, {"b": torch.ones(2), "d": torch.rand(3)}
    b["d"] = a["c"]
    b["b.a"] = b.pop("b")
    chosen = {Pair("c", None)}
    assert Pair("c", "d") in renamed(a, b, chosen)
    assert Pair("a", None) in renamed(a, b, chosen)
    assert Pair("a", "b.a") in renamed(a, b)


def test_a_bomb_is_no_rename() -> None:
    a, b = checkpoint_of({"a.w": torch.ones(1)}), checkpoint_of({"b.w": torch.ones(1)})
    for model in (a, b):
        for name, entry in model.entries.items():
            model.entries[name] = entry._replace(shape=(2**40, 2**20), strides=(0, 0))
    assert [each.change for each in compare(a, b).values()] == ["removed", "added"]


def test_what_reaches_past_its_storage_is_told_with_its_file() -> None:
    a, b = checkpoint_of({"a.w": torch.ones(1)}), checkpoint_of({"b.w": torch.ones(9)})
    a.entries["a.w"] = a["a.w"]._replace(shape=(9,))
    with pytest.raises(MalformedError) as caught:
        compare(a, b)
    assert caught.value.file == "state.pt"


# Parameters


def test_a_parameter_says_in_what_it_differs() -> None:
    a = {"same": torch.ones(2), "v": torch.ones(2), "t": torch.ones(2), "s": torch.ones(2)}
    b = {"same": torch.ones(2), "v": torch.zeros(2), "t": torch.ones(2).half(), "s": torch.ones(3)}
    found = compare(checkpoint_of(a), checkpoint_of(b))
    assert {name: each.differs for name, each in found.items()} == {
        "same": (),
        "v": ("values",),
        "t": ("dtype",),
        "s": ("shape",),
    }
    assert [each.change for each in found.values()] == ["equal", *["changed"] * 3]
    found = compare(checkpoint_of(a), checkpoint_of(b), ["dtype"])
    assert found["t"].change == "equal"


def tied(*groups: str) -> Checkpoint:
    """Return a checkpoint in which the letters of each group are tied, in alphabetical order."""
    storage = {letter: torch.full((2,), 1.0) for letter in "abcd"}
    for group in groups:
        storage |= dict.fromkeys(group, storage[group[0]])
    return checkpoint_of(storage)


@pytest.mark.parametrize(
    ("one", "other", "differing"),
    [
        (("ab",), ("ab",), ""),
        (("ab",), (), "b"),
        ((), ("abcd",), "bcd"),
        (("ab", "cd"), ("abcd",), "cd"),
        (("ab",), ("ac",), "bc"),
        (("abcd",), ("bcd",), "bcd"),
    ],
)
def test_ties_differ_where_the_first_of_their_group_does(
    one: tuple[str, ...], other: tuple[str, ...], differing: str
) -> None:
    for a, b in ((one, other), (other, one)):
        found = compare(tied(*a), tied(*b))
        assert "".join(name for name, each in found.items() if each.differs) == differing
        assert {each.differs for each in found.values()} <= {(), ("tie",)}
        assert all(each.change == "equal" for each in compare(tied(*a), tied(*b), ["tie"]).values())


def test_a_tie_with_what_is_gone_is_no_other_tie() -> None:
    a, b = tied("ab", "cd"), tied("cd")
    del b.entries["a"]
    found = compare(a, b)
    assert {name: each.change for name, each in found.items()} == {
        "a": "removed",
        "b": "equal",
        "c": "equal",
        "d": "equal",
    }


def test_what_is_tied_in_both_is_compared_once() -> None:
    a, b = tied("abcd"), tied("abcd")
    found = compare(a, b)
    assert len({id(each.outcome) for each in found.values()}) == 1


def test_a_comparison_is_equal_only_if_all_of_it_is() -> None:
    model = checkpoint_of({"a": torch.ones(1)})
    parameters = list(compare(model, model).values())
    assert Comparison(model, model, parameters, [], []).is_equal
    assert not Comparison(model, model, parameters, [Fact("k", 1, 2)], []).is_equal
    assert not Comparison(model, model, parameters, [], [Fact("0", "A", "B")]).is_equal
    other = checkpoint_of({"b": torch.ones(2)})
    assert not Comparison(model, other, list(compare(model, other).values()), [], []).is_equal


# What models say of themselves


def test_metadata_is_compared_down_to_its_leaves() -> None:
    a = {"same": 1, "deep": {"x": 1, "y": [1, 2], "only a": None}, "kind": 1, "was": {"k": 1}}
    b = {"same": 1, "deep": {"x": 2, "y": [1, 3]}, "kind": 1.0, "was": 3, "new": "text"}
    assert compare_metadata(a, b) == [
        Fact("deep.x", 1, 2),
        Fact("deep.y", [1, 2], [1, 3]),
        Fact("deep.only a", None, ABSENT),
        Fact("kind", 1, 1.0),
        Fact("was", {"k": 1}, 3),
        Fact("new", ABSENT, "text"),
    ]


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        (2, "2", True),
        ("0.5", 0.5, True),
        (True, "true", True),
        (2, "2.0", False),
        (2, 2.0, False),
        ("2", "02", False),
        (None, "null", False),
    ],
)
def test_a_number_is_its_text_in_a_format_of_texts(a: object, b: object, is_same: bool) -> None:  # noqa: FBT001 (a row)
    models = checkpoint_of({}), checkpoint_of({})
    for model, value in zip(models, (a, b), strict=True):
        model.metadata = {"k": value}
    assert Comparison.of(models, [], (), lambda told: told).is_equal == is_same


def test_what_a_file_says_of_itself_is_no_metadata_of_the_model() -> None:
    model = checkpoint_of({"a": torch.ones(1), "b": torch.ones(1)})
    model.metadata = {
        "format": "pt",
        "total_size": 8,
        "paramctl.types": "{}",
        "b": "a",
        "a": "something else",
        "epoch": 3,
    }
    assert own_metadata(model) == {"a": "something else", "epoch": 3}


def test_classes_are_compared_where_both_know_them() -> None:
    a = {"0": "Linear", "1": "ReLU", "2": "Linear"}
    assert compare_classes(a, {"0": "Linear", "2": "LoRA", "3": "New"}) == [
        Fact("2", "Linear", "LoRA")
    ]
