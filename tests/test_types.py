"""The classes of layers: told in a file's metadata, read back, and never those of another model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from forks import Forks
from hostile import assert_bounded
from index_rows import index
from program import paramctl
from safetensors_rows import F32, header, one, tensor
from specs import described
from torch import nn

import paramctl as package
from paramctl import writer
from paramctl.checkpoint import Checkpoint
from paramctl.layer_types import KEY, MAX_CLASS, MAX_TEXT, tell_types
from paramctl.writer import WriteOptions

SAMPLES = Path(__file__).parents[1] / "sample_models"
COMPLAINT = f"its metadata '{KEY}' is no JSON object of layers' classes"
TWO = {"0.weight": F32, "block.1.weight": tensor("F32", "[1]", 4, 8)}


def with_types(text: str, names: dict[str, str] = TWO) -> bytes:
    """Write a safetensors file with this text as what it says of its layers."""
    entries = ",".join(f"{json.dumps(name)}:{entry}" for name, entry in names.items())
    metadata = json.dumps({"__metadata__": {KEY: text}})
    return header(f"{metadata[:-1]},{entries}}}", bytes(4 * len(names)))


def reopened(checkpoint: Checkpoint, path: Path, **options: int) -> Checkpoint:
    writer.save(checkpoint, path, WriteOptions(**options))  # type: ignore[arg-type]
    return package.open(path)


def holding(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the types of the layers with something below them, the slow way."""
    return {
        layer: name
        for layer, name in checkpoint.types.items()
        if any(f"{each}.".startswith(f"{layer}.") or not layer for each in checkpoint)
    }


@pytest.mark.parametrize("size", [None, 100])
@pytest.mark.parametrize(
    "sample",
    ["mlp.yaml", "shared.yaml", "cnn.yaml", "gpt.yaml", "rgnet_module.pt", "mlp_traced.pt"],
)
def test_what_is_written_knows_its_layers(sample: str, size: int | None, tmp_path: Path) -> None:
    model = package.open(SAMPLES / sample)
    drawn = model.init("default", seed=0)
    again = reopened(drawn, tmp_path / "x", **{"max_shard_size": size} if size else {})
    assert again.format == ("sharded safetensors" if size else "safetensors")
    assert again.types == holding(model) != {}
    assert again.complaints == ()


def test_ls_shows_them(forks: Forks, tmp_path: Path) -> None:
    assert forks.run("init", SAMPLES / "mlp.yaml", "-o", tmp_path / "x").code == 0
    assert forks.run("ls", tmp_path / "x").out.splitlines() == [
        "0.bias\t[8]\tfloat32\t8\t32\t-\tLinear\t-\t-",
        "0.weight\t[8, 4]\tfloat32\t32\t128\t-\tLinear\t-\t-",
        "2.bias\t[1]\tfloat32\t1\t4\t-\tLinear\t-\t-",
        "2.weight\t[1, 8]\tfloat32\t8\t32\t-\tLinear\t-\t-",
    ]


def test_init_draws_a_file_by_its_classes_as_the_module_itself(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Embedding(6, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    torch.save(net, tmp_path / "net.pt")
    module = package.open(tmp_path / "net.pt")
    module.init("zeros").save(tmp_path / "zeros")
    module.init("default", seed=3).save(tmp_path / "drawn")
    package.open(tmp_path / "zeros").init("default", seed=3).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "drawn").read_bytes()


def test_the_text_is_the_same_wherever_the_classes_are_known_from(tmp_path: Path) -> None:
    text = "layers: [{Linear: [4, 8]}, ReLU, {Linear: [8, 1]}]"
    module = package.open(SAMPLES / "mlp_module.pt")
    told = tell_types(described(text))
    assert told == tell_types(module) == {KEY: '{"":"Sequential","0":"Linear","2":"Linear"}'}
    assert tell_types(reopened(module, tmp_path / "x")) == told


EDITS: dict[str, Callable[[package.Model], package.Model]] = {
    "init": lambda model: model.init("xavier", seed=0),
    "set": lambda model: model.set("**.bias = 0"),
    "tie": lambda model: model.tie("0.block 0", "0.block 1"),
    "untie": lambda model: model.tie("0.block 0", "0.block 1").untie(),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_keep_them(edit: str, tmp_path: Path) -> None:
    module = package.open(SAMPLES / "rgnet_module.pt")
    module.save(tmp_path / "before")
    before = package.open(tmp_path / "before")
    after = reopened(EDITS[edit](before), tmp_path / "after")
    assert after.types == before.types == holding(module)
    assert after.metadata[KEY] == before.metadata[KEY]


def test_only_layers_that_hold_something_are_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(
        with_types('{"":"Net","0":"Linear","block":"A.B","block.1":"Größe","bloc":"No","1":"No"}')
    )
    model = package.open(tmp_path / "x")
    known = {"": "Net", "0": "Linear", "block": "A.B", "block.1": "Größe"}
    assert (model.types, model.complaints) == (known, ())
    after = reopened(model, tmp_path / "y")
    assert (after.types, json.loads(after.metadata[KEY])) == (known, known)


def test_what_is_stale_or_broken_is_not_written_again(tmp_path: Path) -> None:
    for text in ('{"gone":"Linear"}', "no JSON"):
        (tmp_path / "x").write_bytes(with_types(text))
        model = package.open(tmp_path / "x")
        assert (model.metadata[KEY], model.types) == (text, {})
        assert reopened(model, tmp_path / text[2]).metadata == {"format": "pt"}


def test_a_class_whose_name_is_none_is_not_written() -> None:
    model = package.open(SAMPLES / "mlp.safetensors")
    model.types = {"0": "\x1b[31m", "2": "x" * (MAX_CLASS + 1), "": "Net"}
    assert tell_types(model) == {KEY: '{"":"Net"}'}


HOSTILE = {
    "text": "Linear",
    "empty": "",
    "null": "null",
    "list": "[]",
    "number": '{"0":1}',
    "nested": '{"0":{"0":"Linear"}}',
    "open": '{"0":"Linear"',
    "comma": '{"0":"Linear",}',
    "behind": '{"0":"Linear"}{}',
    "deep": "[" * 200_000,
    "deep-object": '{"0":' * 100_000,
    "lists": "[" + "[]," * 250_000 + "[]]",
    "escape": r'{"0":"\x"}',
    "no-class": '{"0":"a b"}',
    "no-name": '{"0":""}',
    "steering": '{"0":"\\u001b[31m"}',
    "bidi": '{"0":"a\u202eb"}',
    "markup": '{"0":"[bold]"}',
    "long": json.dumps({"0": "x" * (MAX_CLASS + 1)}),
    "backslashes": '{"' + "\\" * 900_001 + '":"Linear"}',
    "quotes": '"' * 900_001,
    "spaces": " " * 900_000 + "{" + " " * 90_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_malformed_ones_are_told_behind_the_listing(text: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(with_types(text))
    run = paramctl("ls", tmp_path / "x")
    assert run.out.splitlines() == [
        "0.weight\t[1]\tfloat32\t1\t4\t-\t-\t-\t-",
        "block.1.weight\t[1]\tfloat32\t1\t4\t-\t-\t-\t-",
    ]
    assert (run.code, run.err) == (3, f"paramctl: {tmp_path / 'x'}: {COMPLAINT}\n")
    assert_bounded(run)


MANY = {
    "layers": json.dumps({str(n): "Linear" for n in range(60_000)}),
    "classes": json.dumps({str(n): f"C{n}" for n in range(60_000)}),
    "twice": "{" + '"0":"Linear",' * 70_000 + '"0":"Linear"}',
    "dots": json.dumps({"0." * 450_000: "Linear", "0": "Linear"}),
    "long": json.dumps({"0": "Linear", "a" * 900_000: "Linear"}),
}


@pytest.mark.parametrize("text", MANY.values(), ids=MANY)
def test_many_of_them_cost_little(text: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(with_types(text))
    run = paramctl("ls", tmp_path / "x")
    rows = [line.split("\t") for line in run.out.splitlines()]
    assert (run.code, run.err, [row[6] for row in rows]) == (0, "", [json.loads(text)["0"], "-"])
    assert_bounded(run)


def test_names_of_many_parts_cost_little(tmp_path: Path) -> None:
    name = "a." * 200_000 + "b"
    types = json.dumps({"a": "Linear", name[:-2]: "Deep", "": "Net"})
    (tmp_path / "x").write_bytes(with_types(types, {name: F32}))
    run = paramctl("ls", tmp_path / "x")
    assert (run.code, run.err, run.out.count("\tDeep\t")) == (0, "", 1)
    assert_bounded(run)


def test_what_is_too_long_is_not_read_and_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    model = described("layers: [{Linear: [4, 8]}]")
    (text,) = tell_types(model).values()
    assert len(text) < MAX_TEXT
    monkeypatch.setattr("paramctl.layer_types.MAX_TEXT", len(text))
    assert tell_types(model) == {KEY: text}
    monkeypatch.setattr("paramctl.layer_types.MAX_TEXT", len(text) - 1)
    assert tell_types(model) == {}


@pytest.mark.parametrize("value", [1, None, {"w": "Linear"}, ["w"], "{"])
def test_an_index_that_says_anything_else_is_told(value: object, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(one(F32))
    run = paramctl("ls", index(tmp_path, {"w": "a.safetensors"}, metadata={KEY: value}))
    assert (run.code, run.out.count("\n"), COMPLAINT in run.err) == (3, 1, True)


def test_what_a_module_says_of_itself_counts_more(tmp_path: Path) -> None:
    value = {"model": nn.Sequential(nn.Linear(1, 1)), KEY: '{"0":"Fake","":"Fake"}'}
    torch.save(value, tmp_path / "x.pt")
    assert package.open(tmp_path / "x.pt").types == {"": "Sequential", "0": "Linear"}
