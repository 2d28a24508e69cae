"""Models made one: the union of what they hold, and of what they say beside it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from forks import Forks
from hypothesis import given
from hypothesis import strategies as st
from program import paramctl, run_on_terminal, shell
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from states import checkpoint_of, tensor_of
from torch import Tensor

import paramctl as library
from paramctl.checkpoint import Checkpoint
from paramctl.edits.merging import merge
from paramctl.edits.origins import Prefer, find_origins
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.models import spec
from paramctl.views.merging import notes_on

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.safetensors", SAMPLES / "shared.pt"
SPEC = SAMPLES / "mlp.yaml"
State = Mapping[str, Tensor]


def united(*models: Checkpoint, prefer: Prefer | None = None) -> tuple[Checkpoint, list[str]]:
    """Return the union, and what is told of it."""
    origins = find_origins(models, prefer)
    merged = merge(models[0], origins)
    return merged, list(notes_on(merged, origins))


def same_bits(one: Tensor, other: Tensor) -> bool:
    alike = (one.dtype, one.shape) == (other.dtype, other.shape)
    return alike and one.contiguous().numpy().tobytes() == other.contiguous().numpy().tobytes()


def state_of(rows: list[tuple[str, str, int, int]]) -> dict[str, Tensor]:
    """Return what has these names: each tied to one before it, or of so many of one number."""
    state: dict[str, Tensor] = {}
    for name, other, size, number in rows:
        state[name] = state.get(other, torch.full((2, size), float(number)))
    return state


NAMES = st.sampled_from("abcdef")
STATES = st.lists(
    st.tuples(NAMES, NAMES, st.integers(1, 2), st.integers(0, 2)), min_size=1, max_size=8
).map(state_of)
"""State dicts of a few names, some of them tied; of few values, so that some agree."""


@given(st.lists(STATES, min_size=1, max_size=3), st.sampled_from(["first", "last"]))
def test_the_union_is_that_of_dictionaries(models: list[dict[str, Tensor]], prefer: Prefer) -> None:
    merged, _ = united(*map(checkpoint_of, models), prefer=prefer)
    expected: dict[str, Tensor] = {}
    for model in models:
        expected |= model if prefer == "last" else {k: model[k] for k in model.keys() - expected}
    assert {name: tensor_of(entry).tolist() for name, entry in merged.items()} == {
        name: tensor.tolist() for name, tensor in expected.items()
    }
    assert list(merged) == list(dict.fromkeys(name for model in models for name in model))
    groups = Groups(merged.aliases)
    for one in merged:
        for other in merged:
            is_tied = expected[one].data_ptr() == expected[other].data_ptr()
            assert (other in groups.members(one)) == is_tied


@given(STATES, STATES)
def test_names_collide_unless_what_they_stand_for_is_the_same(
    a: dict[str, Tensor], b: dict[str, Tensor]
) -> None:
    colliding = [name for name in a if name in b and not same_bits(a[name], b[name])]
    models = checkpoint_of(a), checkpoint_of(b)
    if colliding:
        with pytest.raises(UsageError, match="with different contents") as error:
            united(*models)
        assert all(f"'{name}'" in str(error.value) for name in colliding[:5])
        return
    merged, _ = united(*models)
    assert {name: tensor_of(entry).tolist() for name, entry in merged.items()} == {
        name: tensor.tolist() for name, tensor in (a | b).items()
    }
    groups = Groups(merged.aliases)
    for state in (a, b):
        for one in state:
            tied = {n for n in state if state[n].data_ptr() == state[one].data_ptr()}
            assert tied <= set(groups.members(one))


def test_every_type_and_order_of_bytes_stays_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    names = ["float64", "bfloat16", "float16", "float8_e4m3fn", "int8", "uint16", "bool"]
    a = {name: (torch.rand(3, 5) * 2).to(getattr(torch, name)) for name in names}
    b = {
        "strided": torch.randn(4, 6).t()[1:, ::2],
        "scalar": torch.tensor(1j),
        "empty": a["int8"][:0],
    }
    save_file(a, tmp_path / "a")
    torch.save(b, tmp_path / "b.pt")
    library.open(tmp_path / "a").merge(library.open(tmp_path / "b.pt")).save(tmp_path / "c")
    loaded = load_file(tmp_path / "c")
    for name, tensor in (a | b).items():
        bits = loaded[name].contiguous().view(torch.uint8) if tensor.dim() else loaded[name]
        expected = tensor.contiguous().view(torch.uint8) if tensor.dim() else tensor
        assert torch.equal(bits, expected), name


def test_equal_names_join_the_ties_of_their_models() -> None:
    weight, head = torch.ones(2, 2), torch.zeros(2)
    a = {"wte": weight, "a": weight, "x": head}
    b = {"wte": weight.clone(), "y": head}
    b["head"] = b["wte"]
    merged, notes = united(checkpoint_of(a), checkpoint_of(b))
    assert set(Groups(merged.aliases).members("wte")) == {"wte", "a", "head"}
    assert len({merged[name].storage for name in ("wte", "a", "head")}) == 1
    assert notes == ["1 name in several models, the same in each"]


def test_a_tie_to_what_gives_way_is_cut_and_told() -> None:
    a = {"wte": torch.ones(2)}
    b = {"wte": torch.zeros(2)}
    b["head"] = b["wte"]
    merged, notes = united(checkpoint_of(a), checkpoint_of(b), prefer="first")
    assert merged.aliases == {}
    assert tensor_of(merged["head"]).tolist() == [0, 0]
    assert notes == [
        "1 name in several models: that of the first one is taken",
        "no longer tied: 'head' and 'wte'",
    ]


def test_the_error_lists_five_and_counts_the_rest() -> None:
    a, b = ({f"{i}": torch.full((1,), value) for i in range(8)} for value in (0.0, 1.0))
    with pytest.raises(UsageError) as error:
        united(checkpoint_of(a), checkpoint_of(b))
    assert str(error.value) == (
        "8 names are in several models with different contents: '0' (state.pt, state.pt), "
        "'1' (state.pt, state.pt), '2' (state.pt, state.pt), '3' (state.pt, state.pt), "
        "'4' (state.pt, state.pt), and 3 more; prefer='first', or 'last', or rename them"
    )


# Metadata


def described(state: State, **metadata: str) -> Checkpoint:
    return replace(checkpoint_of(state), metadata=metadata)


def test_metadata_is_put_together_and_what_differs_is_told() -> None:
    a = described({"a": torch.ones(1)}, author="A", license="MIT", only_a="1")
    b = described({"b": torch.ones(1)}, author="B", license="MIT", only_b="2")
    authors: dict[Prefer, str] = {"first": "A", "last": "B"}
    for prefer, author in authors.items():
        merged, notes = united(a, b, prefer=prefer)
        assert merged.metadata == {
            "author": author,
            "license": "MIT",
            "only_a": "1",
            "only_b": "2",
        }
        assert notes == [f"metadata that differs, the {prefer} model's is kept: author"]


def test_the_classes_of_layers_are_put_together() -> None:
    a = replace(checkpoint_of({"a.w": torch.ones(1)}), types={"": "A", "a": "Linear"})
    b = replace(checkpoint_of({"b.w": torch.ones(1)}), types={"": "B", "b": "Embedding"})
    assert united(a, b)[0].types == {"": "A", "a": "Linear", "b": "Embedding"}
    assert united(a, b, prefer="last")[0].types[""] == "B"


def test_what_was_drawn_is_said_of_the_parameters_that_are_taken() -> None:
    a = library.open(MLP).init("normal", seed=1)
    b = library.open(MLP).init("uniform", "2", seed=2)
    records = json.loads(a.merge(b, prefer="last").metadata["paramctl.init"])
    seeds = {name: record["seed"] for record in records for name in record["parameters"]}
    assert seeds == {"2.weight": 2, "2.bias": 2}
    records = json.loads(a.merge(b, prefer="first").metadata["paramctl.init"])
    assert {record["seed"] for record in records} == {1}


def test_a_spec_stays_where_it_describes_the_union(torch_forks: Forks, tmp_path: Path) -> None:
    a, b, c = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    torch_forks.run("init", SAMPLES / "mlp.yaml", "-s", "xavier", "--seed", "0", "-o", a)
    save_file({"0.bias": torch.ones(8)}, b)
    assert torch_forks.run("merge", a, b, "--prefer", "last", "-o", c).code == 0
    assert torch_forks.run("print", c).code == 0
    save_file({"new": torch.ones(8)}, b)
    run = torch_forks.run("merge", a, b, "-o", c, "--force")
    assert "no model's spec describes the whole: it is left out" in run.err
    assert spec.KEY not in library.open(c).metadata


# The verb


def test_pipes_shards_and_files_give_the_same_bytes(tmp_path: Path, forks: Forks) -> None:
    out = tmp_path / "out"
    assert forks.run("merge", SHARED, SAMPLES / "gpt2", "-o", out).code == 0
    piped = shell('cat "$M" | "$P" merge - "$N"', M=SHARED, N=SAMPLES / "gpt2")
    assert (piped.returncode, piped.stdout) == (0, out.read_bytes())
    loaded, parts = load_file(out), [torch.load(SHARED)]
    parts += [load_file(path) for path in sorted((SAMPLES / "gpt2").glob("*.safetensors"))]
    for name, tensor in ((n, t) for part in parts for n, t in part.items()):
        assert name in {"4.weight", "4.bias"} or torch.equal(loaded[name], tensor)
    with safe_open(out, "pt") as file:
        metadata = file.metadata()
    assert "total_size" not in metadata
    assert (metadata["4.weight"], metadata["format"]) == ("2.weight", "pt")


def test_in_place_the_first_model_takes_the_others_in(tmp_path: Path, forks: Forks) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"a": torch.ones(2)}, a)
    save_file({"b": torch.zeros(2)}, b)
    before = b.read_bytes()
    assert forks.run("merge", a, b, "-i").code == 0
    assert {k: v.tolist() for k, v in load_file(a).items()} == {"a": [1, 1], "b": [0, 0]}
    assert b.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no model is named, two or more are merged; '-' is standard input"),
        ([MLP], "one model is named, two or more are merged; '-' is standard input"),
        (["-", "-"], "standard input holds one model; name a file for the other"),
        ([MLP, ""], "an empty argument; name a file, or '-' for standard input"),
        ([MLP, "2.bias"], "2.bias: No such file or directory"),
        ([MLP, SHARED], "4 names are in several models with different contents: "),
    ],
)
def test_what_cannot_be_merged_is_refused_before_anything_is_written(
    arguments: list[str | Path], message: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("merge", *arguments, "-o", tmp_path / "x")
    assert (run.code, run.out, run.err.count("\n")) == (6 if "such" in message else 2, "", 1)
    assert run.err.startswith(f"paramctl: {message}")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_union_names_all_models(torch_forks: Forks) -> None:
    run = torch_forks.run("merge", MLP, SPEC, "--prefer", "last", "-n")
    assert (run.code, run.out) == (2, "")
    assert f"paramctl: {MLP}, {SPEC}: '0.bias' has no values yet" in run.err


def test_a_plan_says_what_comes_from_where(tmp_path: Path) -> None:
    save_file({"0.bias": torch.ones(3), "a\x1b[0m": torch.ones(())}, tmp_path / "b")
    text = run_on_terminal(
        "merge", MLP, tmp_path / "b", "--prefer", "last", NO_COLOR="1", columns=300
    )
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[1] == f"{MLP}, {tmp_path}/b  ·  merged"
    bias = next(line for line in lines if "bias    [3]" in line)
    assert bias.endswith(f"of {tmp_path}/b, not {MLP}")
    assert lines[-2:] == [
        "to merge: 45 parameters in 5 tensors, 180 B",
        "paramctl: nothing is written; add -o FILE",
    ]
    run = paramctl("merge", MLP, tmp_path / "b", "--prefer", "last", "-n")
    assert run.out.splitlines()[0].split("\t") == [
        "0.bias",
        f"{tmp_path}/b",
        "[3]",
        "float32",
        str(MLP),
    ]
