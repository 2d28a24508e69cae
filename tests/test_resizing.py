"""Parameters of another shape: what stays, bit by bit, and what is new."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import bytes_of, draw, model, parameter
from forks import Forks
from hypothesis import given
from hypothesis import strategies as st
from program import paramctl, run_on_terminal, shell
from safetensors.torch import load_file, save_file
from states import checkpoint_of, tensor_of
from torch import Tensor

import paramctl as library
from paramctl.checkpoint import Checkpoint
from paramctl.dtypes import FLOATING
from paramctl.edits import averaged
from paramctl.edits.resizing import parse_new, plan, resize
from paramctl.errors import UsageError

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.safetensors", SAMPLES / "shared.pt"
OTHERS = ["int8", "uint16", "int64", "bool", "complex64"]
SHAPES = st.integers(0, 4).flatmap(
    lambda rank: st.tuples(*[st.tuples(*[st.integers(1, 6)] * rank)] * 2)
)
"""Two shapes of as many dimensions."""


def resized(
    checkpoint: Checkpoint, *addresses: str, shape: tuple[int, ...], scheme: str = "", seed: int = 0
) -> Checkpoint:
    return resize(checkpoint, plan(checkpoint, addresses, shape, parse_new(scheme)), seed)


def any_bits(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Tensor:
    """Return elements of any bit patterns, NaN of every kind among them."""
    kind = getattr(torch, dtype)
    count = int(np.prod(shape)) * kind.itemsize
    data = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 256, count, np.uint8)
    return torch.from_numpy(data).view(kind).reshape(shape)


def bits(tensor: Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(map(slice, map(min, one, other)))


# What stays


@given(SHAPES, st.sampled_from(sorted(FLOATING)), st.sampled_from(["normal(std=0.02)", "ones"]))
def test_old_elements_stay_and_new_ones_are_those_of_the_new_shape(
    shapes: tuple[tuple[int, ...], tuple[int, ...]], dtype: str, scheme: str
) -> None:
    old, new = shapes
    tensor = any_bits(old, dtype)
    checkpoint = checkpoint_of({"a.w": tensor})
    if old == new:
        with pytest.raises(UsageError, match=r"nothing to resize: all that is named is \["):
            resized(checkpoint, "a.w", shape=new, scheme=scheme)
        return
    expected = tensor_of(draw(model(parameter("a.w", *new, dtype=dtype)), f"a.w={scheme}")["a.w"])
    expected[overlap(old, new)] = tensor[overlap(old, new)]
    assert bytes_of(resized(checkpoint, "a.w", shape=new, scheme=scheme)["a.w"]) == bits(expected)


@given(SHAPES, st.sampled_from(OTHERS))
def test_other_types_grow_by_zeros(
    shapes: tuple[tuple[int, ...], tuple[int, ...]], dtype: str
) -> None:
    old, new = shapes
    tensor = any_bits(old, dtype)
    expected = torch.zeros(new, dtype=tensor.dtype)
    expected[overlap(old, new)] = tensor[overlap(old, new)]
    if old != new:
        changed = resized(checkpoint_of({"a": tensor}), "a", shape=new, scheme="zeros")
        assert bytes_of(changed["a"]) == bits(expected)


@pytest.mark.parametrize("layout", ["strided", "expanded", "conjugate"])
def test_it_does_not_matter_how_elements_lie(layout: str) -> None:
    tensor = {
        "strided": torch.randn(9, 14).t()[1:10:2, 3:8],
        "expanded": torch.randn(5).expand(5, 5),
        "conjugate": torch.randn(5, 5, dtype=torch.complex64).conj(),
    }[layout]
    changed = resized(checkpoint_of({"a": tensor}), "a", shape=(7, 4), scheme="zeros")
    expected = torch.zeros(7, 4, dtype=tensor.dtype)
    expected[:5] = tensor[:, :4]
    assert torch.equal(tensor_of(changed["a"]), expected)


@pytest.mark.parametrize("shape", [(3000, 700), (2500, 1100), (2000, 1100), (3000, 500)])
def test_parameters_of_many_blocks_are_written_whole(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    tensor = torch.arange(2500 * 700).reshape(2500, 700).to(torch.int32)
    save_file({"a": tensor}, tmp_path / "a")
    library.open(tmp_path / "a").resize("a", shape=shape, scheme="zeros").save(tmp_path / "b")
    expected = torch.zeros(shape, dtype=torch.int32)
    place = overlap(shape, (2500, 700))
    expected[place] = tensor[place]
    assert torch.equal(load_file(tmp_path / "b")["a"], expected)


# Means


@given(
    st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1),
    st.sampled_from(["float64", "float32", "bfloat16", "float8_e5m2"]),
)
def test_means_are_exact_but_for_the_last_rounding(rows: list[list[float]], dtype: str) -> None:
    tensor = torch.tensor(rows).to(getattr(torch, dtype))
    sums = [sum(map(Fraction, column)) for column in tensor.double().t().tolist()]
    exact = torch.tensor([float(total / len(rows)) for total in sums], dtype=torch.float64)
    for axis in (0, 1):
        values = tensor if axis == 0 else tensor.t()
        shape = [*values.shape]
        shape[axis] += 2
        changed = resized(checkpoint_of({"a": values}), "a", shape=tuple(shape), scheme="mean")
        got = tensor_of(changed["a"]).movedim(axis, 0)
        assert torch.equal(got[:-2].float(), tensor.float())
        assert torch.equal(got[-1].float(), got[-2].float())
        if dtype == "float64":
            torch.testing.assert_close(got[-1], exact, rtol=2**-52, atol=0)
        else:
            assert bits(got[-1]) == bits(exact.to(tensor.dtype))


def test_sums_lose_nothing_to_rounding() -> None:
    column = torch.tensor([1e16, 1.0, -1e16, 1.0], dtype=torch.float64).repeat(2500)
    shape = (10_001, 2)
    state = {"a": torch.stack([column, column.flip(0)], 1)}
    assert state["a"].mean(0).tolist() != [0.5, 0.5]
    changed = resized(checkpoint_of(state), "a", shape=shape, scheme="mean")
    assert tensor_of(changed["a"])[-1].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("block", [1, 5, 64, 1 << 20])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_means_do_not_depend_on_blocks(
    block: int, axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    tensor = torch.randn(6, 5, 7).bfloat16()
    shape = [6, 5, 7]
    shape[axis] += 1
    monkeypatch.setattr(averaged, "BLOCK", block)
    changed = resized(checkpoint_of({"a": tensor}), "a", shape=tuple(shape), scheme="mean")
    expected = tensor.double().mean(axis, keepdim=True).bfloat16()
    assert torch.equal(tensor_of(changed["a"]), torch.cat([tensor, expected], axis))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_what_is_not_finite_has_a_mean_that_is_not(value: float) -> None:
    tensor = torch.ones(5, 2)
    tensor[3, 1] = value
    changed = resized(checkpoint_of({"a": tensor}), "a", shape=(6, 2), scheme="mean")
    assert tensor_of(changed["a"])[-1].tolist() == [1, pytest.approx(value, nan_ok=True)]


def test_a_mean_is_of_the_values_that_a_tensor_stands_for() -> None:
    tensor = (
        torch.tensor([[1.0 + 2.0j, 3.0 + 4.0j]]).conj().imag
    )  # torch negates it when it is read
    assert tensor.is_neg()
    changed = resized(checkpoint_of({"a": tensor}), "a", shape=(2, 2), scheme="mean")
    assert tensor_of(changed["a"]).tolist() == [[-2, -4], [-2, -4]]


def test_a_mean_is_of_what_stays() -> None:
    tensor = torch.tensor([[1.0, 5.0], [3.0, 7.0]])
    changed = resized(checkpoint_of({"a": tensor}), "a", shape=(3, 1), scheme="mean")
    assert tensor_of(changed["a"]).tolist() == [[1], [3], [2]]


# What follows


def test_a_tied_head_grows_along() -> None:
    weight = torch.randn(5, 3)
    state = {"wte.weight": weight, "head.weight": weight, "head.bias": torch.zeros(5)}
    for name in ("wte", "head.weight"):
        changed = resized(checkpoint_of(state), name, shape=(8, 3), scheme="normal", seed=3)
        assert changed.aliases == {"head.weight": "wte.weight"}
        assert changed["head.weight"].storage == changed["wte.weight"].storage
        assert changed["head.weight"].shape == (8, 3)
        assert changed["head.bias"].shape == (5,)
        drawn = draw(model(parameter("head.weight", 8, 3)), "head.weight=normal", seed=3)
        expected = tensor_of(drawn["head.weight"])
        expected[:5] = weight
        assert torch.equal(tensor_of(changed["wte.weight"]), expected)


def test_fans_are_those_of_the_new_shape() -> None:
    checkpoint = checkpoint_of({"0.weight": torch.zeros(4, 2), "0.bias": torch.zeros(4)})
    changed = resized(checkpoint, "0.weight", shape=(400, 600), scheme="xavier_uniform")
    bound = (6 / 1000) ** 0.5
    new = tensor_of(changed["0.weight"])[4:]
    assert 0.99 * bound < new.abs().max() <= bound


def test_what_was_drawn_is_said_and_what_was_said_before_is_not() -> None:
    old = library.open(MLP).init("xavier", seed=1)
    changed = old.resize("0.weight", shape=(9, 4), scheme="normal(std=0.02)", seed=2)
    records = json.loads(changed.metadata["paramctl.init"])
    assert records[-1] == {
        "scheme": "normal(std=0.02)",
        "rule": "resize from [8, 4]",
        "seed": 2,
        "parameters": ["0.weight"],
    }
    assert not any("0.weight" in record["parameters"] for record in records[:-1])
    shrunk = changed.resize("0.weight", shape=(2, 4))
    assert "0.weight" not in shrunk.metadata["paramctl.init"]
    assert "0.bias" in shrunk.metadata["paramctl.init"]


def test_a_spec_does_not_stay_and_classes_do(torch_forks: Forks, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    torch_forks.run("init", SAMPLES / "mlp.yaml", "-s", "xavier", "--seed", "0", "-o", a)
    run = torch_forks.run("resize", a, "0.weight", "--shape", "8x9", "-s", "mean", "-o", b)
    assert "the spec that came with it is left out: it describes other parameters" in run.err
    changed = library.open(b)
    assert "paramctl.spec" not in changed.metadata
    assert changed.types["0"] == "Linear"


# The verb


def test_pipes_shards_and_files_give_the_same_bytes(tmp_path: Path, forks: Forks) -> None:
    call = ["wte.weight", "--shape", "70x16", "-s", "normal(std=0.02)", "--seed", "5"]
    assert forks.run("resize", SAMPLES / "gpt2", *call, "-o", tmp_path / "out").code == 0
    piped = shell(
        '"$P" set "$M" "wte.weight += 0" | "$P" resize wte.weight --shape 70x16 '
        "-s 'normal(std=0.02)' --seed 5",
        M=SAMPLES / "gpt2",
    )
    assert piped.returncode == 0
    one, other = load_file(tmp_path / "out"), tmp_path / "piped"
    other.write_bytes(piped.stdout)
    assert {k: bits(v) for k, v in one.items()} == {k: bits(v) for k, v in load_file(other).items()}
    model = library.open(SAMPLES / "gpt2")
    model.resize("wte", shape=(70, 16), scheme="normal(std=0.02)", seed=5).save(tmp_path / "py")
    assert (tmp_path / "py").read_bytes() == (tmp_path / "out").read_bytes()


def test_a_fresh_seed_is_told_where_one_is_needed(forks: Forks, tmp_path: Path) -> None:
    call: list[str | Path] = [
        "resize",
        MLP,
        "0.bias",
        "--shape",
        "9",
        "-o",
        tmp_path / "x",
        "--force",
        "-s",
    ]
    seed = forks.run(*call, "normal").err.splitlines()[-1].removeprefix("paramctl: seed ")
    first = (tmp_path / "x").read_bytes()
    assert forks.run(*call, "normal", "--seed", seed).code == 0
    assert (tmp_path / "x").read_bytes() == first
    assert "paramctl: seed" not in forks.run(*call, "mean").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0.weight"], "no shape; such as --shape 50304x768"),
        (["0.weight", "--shape", "9x-1"], "'9x-1' is no shape; such as --shape 50304x768"),
        (["0.weight", "--shape", "9x"], "'9x' is no shape"),
        (["--shape", "9x4"], f"{MLP}: no parameter is named; such as wte.weight"),
        (["0.wieght", "--shape", "9x4"], f"{MLP}: no parameter or layer '0.wieght'; closest"),
        (["0.weight[0]", "--shape", "9"], f"{MLP}: '0.weight[0]' is a slice"),
        (["0.weight", "--shape", "9"], f"{MLP}: '0.weight' of shape [8, 4] cannot become [9]"),
        (["0", "--shape", "9x4", "-s", "ones"], f"{MLP}: '0.bias' of shape [8] cannot become"),
        (["0.weight", "--shape", "8x4"], f"{MLP}: nothing to resize: all that is named is [8, 4]"),
        (
            ["0.weight", "--shape", "9x4"],
            f"{MLP}: '0.weight' grows from [8, 4] to [9, 4]; say what is new: --scheme mean",
        ),
        (
            ["0.weight", "--shape", "9x5", "-s", "mean"],
            (
                f"{MLP}: '0.weight' grows from [8, 4] to [9, 5]: a mean is along one dimension, "
                "here 2 grow; let one grow after the other\n"
            ),
        ),
        (["0.bias", "--shape", "9", "-s", "xavier"], f"{MLP}: '0.bias' "),
        (["0.bias", "--shape", "9", "-s", "normall"], "'normall': no scheme 'normall'"),
        (["0.weight", "--shape", f"{10**17}x{10**17}", "-s", "ones"], f"{MLP}: no file can hold"),
    ],
)
def test_what_cannot_be_resized_is_refused_before_anything_is_written(
    arguments: list[str], message: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("resize", MLP, *arguments, "-o", tmp_path / "x")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith(f"paramctl: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tensor", "scheme", "message"),
    [
        (torch.ones(2, dtype=torch.int8), "ones", "is of int8: it can grow by zeros only"),
        (torch.ones(2, dtype=torch.int8), "mean", "int8 have no mean; scheme='zeros'"),
        (torch.ones(2).to(torch.float8_e8m0fnu), "zeros", "it can grow by zeros only"),
        (torch.ones(0), "mean", "take the mean of; scheme='zeros'"),
        (torch.ones(2).to_sparse(), "ones", "'a' is sparse_coo"),
    ],
)
def test_what_new_elements_cannot_be_is_refused(tensor: Tensor, scheme: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resized(checkpoint_of({"a": tensor}), "a", shape=(5,), scheme=scheme)


def test_no_size_is_negative() -> None:
    with pytest.raises(UsageError, match=r"\[-1\] is no shape"):
        resized(checkpoint_of({"a": torch.ones(2)}), "a", shape=(-1,))


@pytest.mark.parametrize(
    ("model", "name", "form"),
    [
        ("mlp.yaml", "0.weight", "spec"),
        ("fancy_mlp.py:fancy_mlp", "linear.weight", "factory"),
        ("llama_config", "lm_head.weight", "Hugging Face config"),
    ],
)
def test_a_model_without_values_has_nothing_to_resize(
    model: str, name: str, form: str, torch_forks: Forks
) -> None:
    run = torch_forks.run("resize", f"{SAMPLES}/{model}", name, "--shape", "9x4")
    assert (run.code, run.out) == (2, "")
    assert f"'{name}' has no values yet" in run.err
    assert run.err.endswith(f"; give it that shape in the {form}, or values with paramctl init\n")


def test_a_plan_says_what_was_what_is_lost_and_what_is_new() -> None:
    call: list[str | Path] = [
        "resize",
        SHARED,
        "2.weight",
        "--shape",
        "9x6",
        "-s",
        "normal(std=0.02)",
    ]
    lines = run_on_terminal(*call, NO_COLOR="1", columns=120).splitlines()
    assert lines[0] == "paramctl: '2.weight' loses 16 values of 64"
    assert lines[3].endswith("54  was [8, 8], 16 values lost, 6 new: normal(std=0.02)")
    assert lines[4].endswith("54  = 2.weight")
    assert lines[-2:] == [
        "to resize: 54 parameters in 1 tensor, 1 tie counted once, 216 B",
        "paramctl: nothing is written; add -o FILE",
    ]
    assert paramctl(*call, "-n", "-q").out == (
        "2.weight\t[8, 8]\t[9, 6]\tnormal(std=0.02)\t-\n"
        "4.weight\t[8, 8]\t[9, 6]\tnormal(std=0.02)\t2.weight\n"
    )
