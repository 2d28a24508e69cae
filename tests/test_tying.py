"""Ties made and cut: what shares a storage, under which name, and with which values."""

import json

import pytest
import torch
from states import checkpoint_of, tensor_of

from paramctl.checkpoint import Checkpoint
from paramctl.edits.equality import find_equal
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.provenance import KEY
from paramctl.edits.rules import rules_of_scheme
from paramctl.edits.tying import tie, tie_groups, untie
from paramctl.errors import AddressError, LimitError, UsageError

SHAPES = {"0": (8, 4), "2": (8, 8), "4": (8, 8), "5": (8, 8), "6": (1, 8)}


def net() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    weights = {f"{layer}.weight": torch.randn(shape) for layer, shape in SHAPES.items()}
    return weights | {f"{layer}.bias": torch.randn(shape[0]) for layer, shape in SHAPES.items()}


def groups_of(checkpoint: Checkpoint) -> set[frozenset[str]]:
    """Return the names that share a storage, by the storages themselves."""
    groups: dict[object, set[str]] = {}
    for name, entry in checkpoint.entries.items():
        groups.setdefault(entry.storage, set()).add(name)
    found = {frozenset(group) for group in groups.values() if len(group) > 1}
    declared: dict[str, set[str]] = {}
    for alias, stored in checkpoint.aliases.items():
        declared.setdefault(stored, {stored}).add(alias)
    assert found == {frozenset(group) for group in declared.values()}
    return found


def test_tied_layers_share_the_values_of_the_first() -> None:
    tied = tie(checkpoint_of(net()), ["2", "4"])
    assert tied.aliases == {"4.weight": "2.weight", "4.bias": "2.bias"}
    assert groups_of(tied) == {frozenset({"2.weight", "4.weight"}), frozenset({"2.bias", "4.bias"})}
    assert torch.equal(tensor_of(tied["4.weight"]), net()["2.weight"])
    assert list(tied) == list(net())


def test_keep_chooses_the_values_and_the_stored_name() -> None:
    tied = tie(checkpoint_of(net()), ["2", "4", "5"], keep="4")
    assert tied.aliases["2.weight"] == tied.aliases["5.weight"] == "4.weight"
    assert torch.equal(tensor_of(tied["2.weight"]), net()["4.weight"])


def test_patterns_name_layers_one_by_one() -> None:
    assert tie(checkpoint_of(net()), ["[1]", "5"]).aliases["5.bias"] == "2.bias"
    state = {f"h.{i}.w.weight": torch.randn(2, 2) for i in range(3)}
    tied = tie(checkpoint_of(state), ["h.*.w"])
    assert groups_of(tied) == {frozenset(state)}


def test_ties_grow_together() -> None:
    tied = tie(tie(checkpoint_of(net()), ["4.bias", "5.bias"]), ["2.bias", "4.bias"])
    assert groups_of(tied) == {frozenset({"2.bias", "4.bias", "5.bias"})}
    assert torch.equal(tensor_of(tied["5.bias"]), net()["2.bias"])


def test_a_layer_of_one_parameter_is_tied_to_another_of_one() -> None:
    state = {"wte.weight": torch.randn(5, 2), "head.weight": torch.randn(5, 2)}
    assert tie(checkpoint_of(state), ["wte", "head"]).aliases == {"head.weight": "wte.weight"}


@pytest.mark.parametrize(
    ("addresses", "keep", "message"),
    [
        (["2"], "", "takes two layers or parameters, these are 1"),
        (["2", "2"], "", "these are 1"),
        (["2", "6"], "", r"'2.weight' float32 \[8, 8\] and '6.weight' float32 \[1, 8\]"),
        (["2.weight", "2"], "", "cannot be tied"),
        (["2", "4"], "5", "'5' is none of what is tied; tied: 2, 4"),
    ],
)
def test_what_differs_is_not_tied(addresses: list[str], keep: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tie(checkpoint_of(net()), addresses, keep)


def test_another_dtype_or_a_missing_parameter_is_named() -> None:
    state = {
        "a.w": torch.ones(2),
        "b.w": torch.ones(2).half(),
        "c.w": torch.ones(2),
        "c.b": torch.ones(1),
    }
    with pytest.raises(UsageError, match=r"'a.w' float32.* and 'b.w' float16"):
        tie(checkpoint_of(state), ["a", "b"])
    with pytest.raises(UsageError, match="only 'c' has a 'b'; name layers of the same"):
        tie(checkpoint_of(state), ["a", "c"])
    with pytest.raises(AddressError, match="no parameter or layer 'd'"):
        tie(checkpoint_of(state), ["a", "d"])


def test_untie_parts_what_it_is_told_and_keeps_the_values() -> None:
    tied = tie(checkpoint_of(net()), ["2", "4", "5"])
    parted = untie(tied, ["4.weight"])
    assert groups_of(parted) == {
        frozenset({"2.weight", "5.weight"}),
        frozenset({"2.bias", "4.bias", "5.bias"}),
    }
    assert torch.equal(tensor_of(parted["4.weight"]), net()["2.weight"])
    assert not groups_of(untie(tied, []))


def test_untying_the_stored_name_leaves_the_others_tied() -> None:
    tied = tie(checkpoint_of(net()), ["2.bias", "4.bias", "5.bias"])
    assert groups_of(untie(tied, ["2"])) == {frozenset({"4.bias", "5.bias"})}


def test_there_must_be_something_to_untie() -> None:
    with pytest.raises(UsageError, match="nothing to untie"):
        untie(checkpoint_of(net()), [])
    with pytest.raises(UsageError, match="nothing to untie"):
        untie(tie(checkpoint_of(net()), ["2", "4"]), ["6"])


def test_equal_parameters_are_found_by_their_bytes() -> None:
    state = net() | {"head": net()["2.weight"].clone(), "z1": torch.zeros(9), "z2": torch.zeros(9)}
    state |= {"other": state["head"].clone().view(torch.int32), "near": state["head"] + 0.0}
    state["near"][0, 0] += 1
    checkpoint = checkpoint_of(state)
    found = find_equal(checkpoint, list(checkpoint))
    assert found.groups == [["2.weight", "head"]]
    assert found.constant == [["z1", "z2"]]
    tied = tie_groups(checkpoint, found.groups)
    assert tied.aliases == {"head": "2.weight"}
    assert not find_equal(tied, list(tied)).groups


def test_the_copies_of_one_storage_are_limited() -> None:
    shared = torch.zeros(1 << 20)
    tied = checkpoint_of({f"a{i}": shared for i in range(300)})
    with pytest.raises(LimitError, match="of the 4194304 that are stored"):
        untie(tied, [])


def test_what_was_drawn_is_said_of_the_kept_values_only() -> None:
    state = {"a.w": torch.ones(2, 2), "b.w": torch.zeros(2, 2)}
    checkpoint = checkpoint_of(state)
    drawn = initialize(checkpoint, plan(checkpoint, rules_of_scheme("normal", [])), 0)
    assert json.loads(drawn.metadata[KEY])[0]["parameters"] == ["a.w", "b.w"]
    tied = tie(drawn, ["a", "b"], keep="b")
    assert json.loads(tied.metadata[KEY])[0]["parameters"] == ["b.w"]
