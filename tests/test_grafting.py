"""Warm starts: what fits is copied, what does not is told, kept or initialized."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from ggml import write
from gguf import GGMLQuantizationType as Quantization
from gguf.quants import dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st
from program import paramctl, run_on_terminal, shell
from safetensors.torch import load_file, load_model, save_file
from states import checkpoint_of, tensor_of
from torch import Tensor, nn

import paramctl as library
from paramctl.checkpoint import Checkpoint
from paramctl.dtypes import FLOATING
from paramctl.edits.draws import Plan
from paramctl.edits.fits import Fits, find_fits
from paramctl.edits.grafting import graft
from paramctl.errors import UsageError

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.safetensors", SAMPLES / "shared.pt"
SPEC = SAMPLES / "mlp.yaml"
DTYPES = [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.int8, torch.int64]
STATES = st.dictionaries(
    st.sampled_from("abcde"),
    st.builds(
        lambda rows, dtype, number: torch.full((rows, 2), number).to(dtype),
        st.integers(1, 3),
        st.sampled_from(DTYPES),
        st.floats(-100, 100, width=16),
    ),
    min_size=1,
)


def grafted(source: Checkpoint, target: Checkpoint) -> tuple[Checkpoint, Fits]:
    """Return what becomes of a model that keeps what nothing fits."""
    fits = find_fits(source, target)
    return graft(target, fits, Plan((), {}, ()), 0), fits


def fits_into(one: Tensor, other: Tensor) -> bool:
    floating = one.is_floating_point() and other.is_floating_point()
    return one.shape == other.shape and (one.dtype == other.dtype or floating)


@given(STATES, STATES)
def test_what_fits_is_copied_and_the_rest_is_as_it_was(
    source: dict[str, Tensor], target: dict[str, Tensor]
) -> None:
    fitting = [name for name in target if name in source and fits_into(source[name], target[name])]
    models = checkpoint_of(source), checkpoint_of(target)
    if not fitting:
        with pytest.raises(UsageError, match="nothing in it fits into"):
            find_fits(*models)
        return
    changed, fits = grafted(*models)
    assert list(fits.copied) == fitting
    assert list(fits.lacking) == [name for name in target if name not in fitting]
    assert fits.left_over == [name for name in source if name not in target]
    for name, own in target.items():
        expected = source[name].to(own.dtype) if name in fitting else own
        got = tensor_of(changed[name])
        assert (got.dtype, got.shape) == (own.dtype, own.shape)
        assert torch.equal(got.view(torch.uint8), expected.view(torch.uint8))


@pytest.mark.parametrize("wanted", sorted(FLOATING))
@pytest.mark.parametrize("given_type", ["float64", "float16", "bfloat16", "float8_e5m2"])
def test_casts_round_as_torch_does(wanted: str, given_type: str) -> None:
    torch.manual_seed(0)
    values = (torch.randn(3, 700, dtype=torch.float64) * 50).to(getattr(torch, given_type))
    dtype = getattr(torch, wanted)
    target = checkpoint_of({"a": torch.zeros(3, 700).to(dtype), "b": torch.zeros(1)})
    changed, _ = grafted(checkpoint_of({"a": values}), target)
    assert torch.equal(
        tensor_of(changed["a"]).view(torch.uint8), values.to(dtype).view(torch.uint8)
    )


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (torch.ones(3), "[3] there"),
        (torch.ones(2, 1), "[2, 1] there"),
        (torch.ones(2).to_sparse(), "sparse_coo there"),
        (torch.ones(2, dtype=torch.int32), "int32 there"),
        (torch.ones(2, dtype=torch.complex64), "complex64 there"),
        (torch.ones(2, device="meta"), "meta there"),
    ],
)
def test_what_does_not_fit_is_told_with_the_reason(tensor: Tensor, why: str) -> None:
    source = checkpoint_of({"a": tensor, "b": torch.ones(1), "c": torch.ones(1)})
    target = checkpoint_of({"a": torch.zeros(2), "b": torch.zeros(1), "d": torch.zeros(1)})
    changed, fits = grafted(source, target)
    assert fits.lacking == {"a": why, "d": "not there"}
    assert fits.left_over == ["c"]
    assert tensor_of(changed["a"]).tolist() == [0, 0]
    assert tensor_of(changed["b"]).tolist() == [1]


# Ties


def test_quantized_values_are_copied_as_numbers(tmp_path: Path, forks: Forks) -> None:
    given = np.random.default_rng(0).normal(size=(4, 32)).astype("f4")
    blocks = quantize(given, Quantization.Q8_0)
    tensors = {"old.0.weight": (blocks, Quantization.Q8_0), "old.0.bias": (given[:, 0], None)}
    source = write(tmp_path / "x.gguf", tensors)
    save_file({"0.weight": torch.zeros(4, 32, dtype=torch.bfloat16)}, tmp_path / "y")
    assert forks.run("graft", source, tmp_path / "y", "--map", "old ->", "-i").code == 0
    weight = load_file(tmp_path / "y")["0.weight"]
    numbers = torch.from_numpy(dequantize(blocks, Quantization.Q8_0))
    torch.testing.assert_close(weight, numbers.bfloat16(), rtol=0, atol=0)


def test_ties_are_those_of_the_target() -> None:
    one, other = torch.ones(2), torch.zeros(2)
    tied = {"wte": one, "head": one}
    apart = {"wte": torch.full((2,), 5.0), "head": torch.full((2,), 7.0)}
    changed, fits = grafted(checkpoint_of(apart), checkpoint_of(tied))
    assert changed.aliases == {"head": "wte"}
    assert changed["head"].storage == changed["wte"].storage
    assert tensor_of(changed["head"]).tolist() == [5, 5]
    assert fits.left_over == ["head"]
    changed, fits = grafted(checkpoint_of(tied), checkpoint_of(apart))
    assert (changed.aliases, fits.left_over) == ({}, [])
    assert changed["head"].storage != changed["wte"].storage
    changed, fits = grafted(checkpoint_of({"head": other}), checkpoint_of(tied))
    assert tensor_of(changed["wte"]).tolist() == [0, 0]
    assert (fits.lacking, fits.left_over) == ({}, [])
    changed, fits = grafted(checkpoint_of(tied), checkpoint_of({"wte": other}))
    assert fits.left_over == []


def test_of_tied_names_the_first_that_fits_counts() -> None:
    one = torch.ones(2)
    target = checkpoint_of({"wte": one, "head": one})
    changed, fits = grafted(checkpoint_of({"wte": torch.ones(3), "head": 2 * one}), target)
    assert tensor_of(changed["wte"]).tolist() == [2, 2]
    assert fits.left_over == ["wte"]


# Models without values


def test_a_spec_takes_what_fits_and_draws_the_rest(torch_forks: Forks, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call: list[str | Path] = [MLP, SAMPLES / "shared.yaml", "--map", "2 -> 6", "--seed", "3"]
    run = torch_forks.run("graft", *call, "-o", out)
    lines = run.err.splitlines()
    assert lines[0] == f"paramctl: not in {MLP}: '2.weight', '2.bias'"
    assert lines[2:] == ["paramctl: 4 tensors copied, 2 initialized"]
    shared = nn.Linear(8, 8)
    net = nn.Sequential(
        *(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1))
    )
    load_model(net, out)
    loaded = net.state_dict()
    assert torch.equal(loaded["0.weight"], load_file(MLP)["0.weight"])
    assert torch.equal(loaded["6.bias"], load_file(MLP)["2.bias"])
    drawn = torch_forks.run("init", SAMPLES / "shared.yaml", "--seed", "3", "-o", tmp_path / "i")
    assert drawn.code == 0
    assert torch.equal(loaded["2.weight"], load_file(tmp_path / "i")["2.weight"])
    metadata = library.open(out).metadata
    records = json.loads(metadata["paramctl.init"])
    assert {name for each in records for name in each["parameters"]} == {
        *("2.weight", "2.bias", "4.weight", "4.bias")
    }
    assert torch_forks.run("print", out).code == 0
    run = torch_forks.run("graft", *call, "--scheme", "ones", "--rule", "6=zeros", "-o", out)
    assert run.code == 2  # the file is there
    run = torch_forks.run(
        *("graft", *call, "-s", "ones", "--rule", "6=zeros", "-o", out, "--force")
    )
    assert "1 unused rule: 6=zeros" in run.err
    assert set(load_file(out)["2.weight"].flatten().tolist()) == {1}
    assert set(load_file(out)["2.bias"].tolist()) == {0}
    assert torch.equal(load_file(out)["6.weight"], load_file(MLP)["2.weight"])


def test_what_no_scheme_is_for_is_an_error(torch_forks: Forks, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("layers: [{Linear: [4, 8]}, {GRU: [8, 8]}]\n")
    call: list[str | Path] = [
        "graft",
        MLP,
        spec,
        "-o",
        tmp_path / "x",
        "--rule",
        "1=keep",
        "--rule",
        "1.*=keep",
    ]
    run = torch_forks.run(*call)
    assert (run.code, run.out) == (2, "")
    assert "and it has no values yet; give it some: --rule 1.weight_ih_l0=SCHEME" in run.err
    assert not (tmp_path / "x").exists()


# Models with values


def test_a_scheme_fills_what_does_not_fit(forks: Forks, tmp_path: Path) -> None:
    out, old = tmp_path / "out", torch.load(SHARED)
    assert forks.run("graft", MLP, SHARED, "-o", out).code == 0
    kept = load_file(out)
    assert torch.equal(kept["2.weight"], old["2.weight"])
    assert torch.equal(kept["0.weight"], load_file(MLP)["0.weight"])
    assert forks.run("graft", MLP, SHARED, "-s", "ones", "-o", out, "--force").code == 0
    assert set(load_file(out)["2.weight"].flatten().tolist()) == {1}
    assert torch.equal(load_file(out)["0.weight"], load_file(MLP)["0.weight"])
    records = json.loads(library.open(out).metadata["paramctl.init"])
    assert not any("0.weight" in record["parameters"] for record in records)


def test_strict_refuses_what_does_not_fit_on_either_side(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("graft", MLP, SHARED, "--strict", "-o", tmp_path / "x")
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        f"paramctl: not in {MLP}: '6.weight', '6.bias'; of another shape or type: "
        "'2.weight' ([1, 8] there), '2.bias' ([1] there); without --strict they are told\n"
    )
    save_file(load_file(MLP) | {"x": torch.ones(1)}, tmp_path / "more")
    run = forks.run("graft", tmp_path / "more", MLP, "--strict", "-o", tmp_path / "x")
    assert f"left over of {tmp_path}/more: 'x'" in run.err
    assert not (tmp_path / "x").exists()
    assert forks.run("graft", MLP, MLP, "--strict", "-o", tmp_path / "x").code == 0
    assert (tmp_path / "x").read_bytes() == MLP.read_bytes()


def test_pipes_maps_and_python_give_the_same_bytes(tmp_path: Path, forks: Forks) -> None:
    names, out = tmp_path / "names.tsv", tmp_path / "out"
    names.write_text("module.2\t6\n")
    save_file({f"module.{name}": value for name, value in load_file(MLP).items()}, tmp_path / "m")
    call: list[str | Path] = [
        "graft",
        tmp_path / "m",
        SHARED,
        "--map",
        names,
        "--map",
        r"s/^module\.//",
        "-o",
        out,
    ]
    assert forks.run(*call).code == 0
    piped = shell(
        r""""$P" rename "$M" 'module ->' '2 -> 6' | "$P" graft - "$S" -q""",
        M=tmp_path / "m",
        S=SHARED,
    )
    assert (piped.returncode, piped.stdout, piped.stderr) == (0, out.read_bytes(), b"")
    source = library.open(MLP).rename("2 -> 6")
    library.open(SHARED).graft(source).save(tmp_path / "python")
    assert (tmp_path / "python").read_bytes() == out.read_bytes()


def test_in_place_the_second_model_is_replaced(forks: Forks, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    save_file({"a": torch.ones(2)}, a)
    save_file({"a": torch.zeros(2), "b": torch.zeros(3)}, b)
    assert forks.run("graft", a, b, "-i").code == 0
    assert {k: v.tolist() for k, v in load_file(b).items()} == {"a": [1, 1], "b": [0, 0, 0]}
    assert list(load_file(a)) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no models are named, it takes two; SRC has the values, DST the shapes"),
        ([MLP], "1 model is named, it takes two"),
        ([MLP, MLP, MLP], "3 models are named, it takes two"),
        (["-", "-"], "standard input holds one model"),
        ([MLP, SAMPLES / "rgnet.pt"], f"{MLP}: nothing in it fits into {SAMPLES}/rgnet.pt; --map"),
        ([SPEC, MLP], f"{SPEC}: it has no values to copy; SRC is the model that has them"),
        ([MLP, SHARED, "--map", "5 -> 6"], f"{MLP}: '5 -> 6' fits no name"),
        ([MLP, SHARED, "--map", "none.tsv"], "none.tsv: No such file or directory"),
        ([MLP, SHARED, "-s", "normall"], "'normall': no scheme 'normall'"),
        ([MLP, SHARED, "--bias", "ones"], "no scheme; --scheme xavier"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    arguments: list[str | Path], message: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("graft", *arguments, "-o", tmp_path / "x")
    assert (run.code, run.out) == (6 if "such file" in message else 2, "")
    assert run.err.startswith(f"paramctl: {message}")
    assert list(tmp_path.iterdir()) == []


def test_the_prefix_that_is_in_the_way_is_told(forks: Forks, tmp_path: Path) -> None:
    save_file({f"module.{name}": value for name, value in load_file(MLP).items()}, tmp_path / "m")
    run = forks.run("graft", tmp_path / "m", MLP, "-n")
    assert run.err.endswith("; --map 'module ->'\n")
    assert forks.run("graft", tmp_path / "m", MLP, "-n", "--map", "module ->").code == 0
    run = forks.run("graft", MLP, tmp_path / "m", "-n")
    assert run.err.endswith("; --map 's/^/module./'\n")
    assert forks.run("graft", MLP, tmp_path / "m", "-n", "--map", "s/^/module./").code == 0
    run = forks.run("graft", tmp_path / "m", MLP, "-n", "--map", "module.0.weight -> other")
    assert run.err.endswith("; --map 'module ->'\n")


def test_a_plan_says_what_becomes_of_each_parameter(tmp_path: Path) -> None:
    weights = load_file(MLP)
    weights["0.bias"] = weights["0.bias"].bfloat16()
    save_file(weights | {"x\x1b": torch.ones(1)}, tmp_path / "m")
    call: list[str | Path] = ["graft", tmp_path / "m", SHARED, "--map", "2 -> 6"]
    text = run_on_terminal(*call, "-s", "zeros", NO_COLOR="1", columns=160)
    assert "\x1b" not in text
    notes = [line.rsplit("   ", 1)[-1].strip().partition("  ")[2] for line in text.splitlines()]
    assert "copied from 2.weight" in notes
    assert "copied, was bfloat16" in notes
    assert "not there: zeros (--scheme zeros)" in notes
    assert "to graft: 4 tensors copied, 2 initialized, 1 left over" in text
    assert paramctl(*call, "-n", "-q").out.splitlines() == [
        "0.weight\tcopied\t0.weight\tfloat32",
        "0.bias\tcopied\t0.bias\tbfloat16",
        "2.weight\tkept\t-\tnot there",
        "2.bias\tkept\t-\tnot there",
        "4.weight\ttied\t2.weight\t-",
        "4.bias\ttied\t2.bias\t-",
        "6.weight\tcopied\t2.weight\tfloat32",
        "6.bias\tcopied\t2.bias\tfloat32",
        "x\\x1b\tleft over\t-\t-",
    ]


def test_copies_of_a_stack_fold(tmp_path: Path) -> None:
    state = {f"h.{i}.{leaf}": torch.ones(2, 2) for i in range(4) for leaf in ("w", "b")}
    torch.save({f"t.{name}": value for name, value in state.items()}, tmp_path / "a")
    torch.save(state, tmp_path / "b")
    text = run_on_terminal("graft", tmp_path / "a", tmp_path / "b", "--map", "t ->", NO_COLOR="1")
    assert "h.[0-3]  x4" in text
    assert "copied from t.h.{i}.w" in text
    text = run_on_terminal(
        "graft", tmp_path / "a", tmp_path / "b", "--map", "t ->", "--map", "h.0 <-> h.1"
    )
    assert "copied from t.h.1.w" in text


def test_values_that_a_type_has_no_place_for_are_told(forks: Forks, tmp_path: Path) -> None:
    save_file({"a": torch.tensor([1.0, 1e6, -1e6])}, tmp_path / "a")
    save_file({"a": torch.zeros(3, dtype=torch.float16)}, tmp_path / "b")
    run = forks.run("graft", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c")
    assert run.err.splitlines()[-1] == "paramctl: 2 values too large for the type of DST: 2 of 'a'"
    inf = float("inf")
    assert load_file(tmp_path / "c")["a"].tolist() == [1, inf, -inf]
