"""Parameters left out or taken out: which names and values there are then, and what is tied."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, load_model
from states import checkpoint_of, tensor_of
from torch import nn

import paramctl
from paramctl.checkpoint import Checkpoint
from paramctl.edits.merging import merge
from paramctl.edits.origins import find_origins
from paramctl.edits.provenance import KEY as INIT
from paramctl.edits.selection import drop, extract
from paramctl.edits.tying import tie_groups
from paramctl.errors import AddressError, UsageError
from paramctl.models.spec import KEY as SPEC

SAMPLES = Path(__file__).parents[1] / "sample_models"
NAMES = ["a", "a.b", "a.c.w", "a.c.v", "b.w", "b.c.w", "ab.w"]


def model_of(*names: str) -> Checkpoint:
    return checkpoint_of({name: torch.tensor([i]) for i, name in enumerate(names)})


@pytest.mark.parametrize(
    ("addresses", "left"),
    [
        (["a"], ["a.b", "a.c.w", "a.c.v", "b.w", "b.c.w", "ab.w"]),
        (["a.*"], ["a", "b.w", "b.c.w", "ab.w"]),
        (["a.c"], ["a", "a.b", "b.w", "b.c.w", "ab.w"]),
        (["**.w"], ["a", "a.b", "a.c.v"]),
        (["b", "ab"], ["a", "a.b", "a.c.w", "a.c.v"]),
        (["*.c", "b"], ["a", "a.b", "ab.w"]),
    ],
)
def test_what_is_named_is_left_out(addresses: list[str], left: list[str]) -> None:
    assert list(drop(model_of(*NAMES), addresses)) == left
    kept = extract(model_of(*NAMES), addresses)
    assert len(kept) + len(left) == len(NAMES)


@pytest.mark.parametrize(
    ("addresses", "kept"),
    [
        (["a"], {"a": 0}),  # a parameter, though there are names below it
        (["a.b"], {"a.b": 1}),
        (["a.c"], {"w": 2, "v": 3}),
        (["*.c"], {"a.c.w": 2, "a.c.v": 3, "b.c.w": 5}),
        (["b"], {"w": 4, "c.w": 5}),
        (["b.c"], {"w": 5}),
        (["b", "b"], {"w": 4, "c.w": 5}),
        (["b", "b.c"], {"b.w": 4, "b.c.w": 5}),
        (["ab.w"], {"ab.w": 6}),
        (["[2]"], {"w": 6}),
        (["[1].c"], {"w": 5}),
    ],
)
def test_one_layer_becomes_the_model_and_several_keep_their_names(
    addresses: list[str], kept: dict[str, int]
) -> None:
    part = extract(model_of(*NAMES), addresses)
    assert {name: int(tensor_of(entry)) for name, entry in part.items()} == kept
    assert all(name == entry.name for name, entry in part.items())


@pytest.mark.parametrize("edit", [drop, extract])
def test_mistakes_are_told(edit: type) -> None:
    with pytest.raises(UsageError, match="nothing is named"):
        edit(model_of("a"), [])
    with pytest.raises(AddressError, match="no parameter or layer 'b'"):
        edit(model_of("a"), ["a", "b"])
    with pytest.raises(AddressError, match="is a slice"):
        edit(model_of("a"), ["a[0]"])
    with pytest.raises(UsageError, match="nothing says of what class"):
        edit(model_of("a"), [], ["Linear"])


def test_something_is_left() -> None:
    with pytest.raises(UsageError, match="nothing would be left"):
        drop(model_of("a.w", "b"), ["*", "a.w"])


def test_of_a_tie_the_next_name_is_stored_when_the_first_one_goes() -> None:
    model = tie_groups(model_of("a", "b", "c", "d"), [["b", "a", "d"]])
    left = drop(model, ["b"])
    assert left.aliases == {"d": "a"}
    assert drop(left, ["a"]).aliases == {}
    assert {int(tensor_of(left[name])) for name in ("a", "d")} == {1}
    assert drop(model, ["a"]).aliases == {"d": "b"}


def test_a_dropped_alias_does_not_come_back_from_the_metadata(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "shared.safetensors")
    model.drop("4").save(tmp_path / "m")
    again = paramctl.open(tmp_path / "m")
    assert set(again) == set(model) - {"4.weight", "4.bias"}
    assert (again.aliases, again.metadata) == ({}, {"format": "pt"})


def test_what_is_extracted_loads_into_that_module(tmp_path: Path) -> None:
    paramctl.open(SAMPLES / "rgnet.pt").extract("0.block 2").save(tmp_path / "block")
    block = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    load_model(block, tmp_path / "block")
    whole = torch.load(SAMPLES / "rgnet.pt")
    assert all(
        torch.equal(value, whole[f"0.block 2.{name}"]) for name, value in block.state_dict().items()
    )


def test_ties_among_what_is_extracted_stay_and_others_end() -> None:
    model = tie_groups(model_of("x.a", "x.b", "y.a", "y.b"), [["y.a", "x.a", "x.b"]])
    assert extract(model, ["x"]).aliases == {"b": "a"}
    assert extract(model, ["y"]).aliases == {}
    assert {int(tensor_of(entry)) for entry in extract(model, ["x"]).values()} == {2}


def test_classes_and_draws_come_along_and_the_spec_does_not() -> None:
    model = paramctl.open(SAMPLES / "cnn.yaml").init("default", seed=0)
    stem = model.extract("stem")
    assert stem.types == {"": "Sequential", "0": "Conv2d", "1": "BatchNorm2d"}
    drawn = {name for record in json.loads(stem.metadata[INIT]) for name in record["parameters"]}
    assert drawn == set(stem)
    assert (SPEC in stem.metadata, stem.build) == (False, None)
    norms = extract(model, [], ["BatchNorm2d"])
    assert {name.rpartition(".")[0] for name in norms} == {
        layer for layer, name in model.types.items() if name == "BatchNorm2d"
    }
    assert set(drop(model, [], ["BatchNorm2d"])) == set(model) - set(norms)


@settings(max_examples=50)
@given(
    st.lists(st.from_regex(r"\A[a-c](\.[a-c]){0,2}\Z"), unique=True, min_size=2, max_size=9),
    st.data(),
)
def test_parts_that_are_put_together_are_the_model(names: list[str], data: st.DataObject) -> None:
    model = model_of(*names)
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=len(names) - 1))
    part, rest = extract(model, chosen), drop(model, chosen)
    assert list(part) == [name for name in names if name in chosen]
    assert list(rest) == [name for name in names if name not in chosen]
    again = merge(part, find_origins((part, rest), None))
    assert {name: int(tensor_of(entry)) for name, entry in again.items()} == {
        name: place for place, name in enumerate(names)
    }


def test_a_shorter_model_holds_the_bytes_of_the_others(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "gpt2")
    model.save(tmp_path / "all")
    model.drop("h.[1-3]").save(tmp_path / "less", max_shard_size=8_000)
    whole = load_file(tmp_path / "all")
    shards = [load_file(path) for path in (tmp_path / "less").glob("*.safetensors")]
    assert len(shards) > 1
    left = {name: value for shard in shards for name, value in shard.items()}
    assert left.keys() == {name for name in whole if name[:3] not in ("h.1", "h.2", "h.3")}
    assert all(torch.equal(value, whole[name]) for name, value in left.items())
