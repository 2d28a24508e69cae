"""Models of every kind under probe: what they are made of, and how they fail."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from ggml import write
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as Quantization
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file, save_file
from torch import nn

import paramctl
from paramctl.probe.network import build

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP = SAMPLES / "mlp.yaml"
CODE = """
import torch
from torch import nn
from torch.nn import functional as F

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.arange(8.0).reshape(2, 4))
        self.register_buffer("order", torch.tensor([1, 0]))
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return F.linear(self.linear(x), self.table)[:, self.order]

class Loop(nn.Module):
    def __init__(self, times=400):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.times = times

    def forward(self, x):
        for _ in range(self.times):
            x = self.linear(x).tanh()
        return x

class Three(nn.Module):
    def __init__(self, dtype="bfloat16"):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(32, 32, bias=False) for _ in range(3)))
        self.layers[1].weight = self.layers[2].weight = self.layers[0].weight
        self.to(getattr(torch, dtype))

    def forward(self, x):
        return self.layers(x)

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))

class Minds(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 4))
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        assert isinstance(self.weight, nn.Parameter)
        return F.linear(self.linear(x), self.weight)

class Fails(nn.Module):
    def __init__(self, error="KeyError"):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.error = error

    def forward(self, x):
        if self.error == "inplace":
            y = self.linear(x).exp()
            z = y * 2
            y.add_(1)
            return z + y
        raise {"KeyError": KeyError, "SystemExit": SystemExit}[self.error]("oh")

class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.complex(self.linear(x), x)

def sparse():
    return nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Linear(4, 9))

def frozen():
    return nn.Linear(4, 1).requires_grad_(False)

def lazy():
    return nn.Sequential(nn.LazyLinear(4))

def batch_norm():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3).eval())

def weight_norm():
    return torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))
"""


@pytest.fixture
def code(tmp_path: Path) -> str:
    path = tmp_path / "models.py"
    path.write_text(CODE)
    return str(path)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float64", "float8_e4m3fn"])
def test_values_of_another_type_than_the_model_s_become_the_model_s(
    name: str, tmp_path: Path, torch_forks: Forks
) -> None:
    dtype = getattr(torch, name)
    torch.manual_seed(0)
    state = {key: values.to(dtype) for key, values in torch.load(SAMPLES / "mlp.pt").items()}
    save_file(state, tmp_path / "weights")
    out, grads = tmp_path / "out", tmp_path / "grads"
    run = ["probe", str(MLP), "--weights", str(tmp_path / "weights"), "--seed", "0"]
    trained = torch_forks.run(*run, "--steps", "1", "--lr", "0", "-o", out)
    assert trained.code == 0, trained.err
    for key, values in load_file(out).items():
        torch.testing.assert_close(values, state[key].float(), rtol=0, atol=0)
    assert torch_forks.run(*run, "--save-grads", grads).code == 0
    assert {values.dtype for values in load_file(grads).values()} == {torch.float32}
    assert all(values.isfinite().all() for values in load_file(grads).values())


@pytest.mark.parametrize("model", ["Own", "weight_norm"])
def test_what_no_scheme_knows_keeps_what_the_factory_made(
    model: str, code: str, torch_forks: Forks
) -> None:
    run = torch_forks.run("probe", f"{code}:{model}", "--input", "2x4", "--format", "json")
    assert run.code == 0, run.err
    found = {each["name"]: each for each in json.loads(run.out)["parameters"]}
    if model == "Own":
        norm = float(torch.arange(8.0).norm())
        assert found["table"]["value"]["norm"] == pytest.approx(norm)


def test_the_spec_that_is_named_counts_not_the_one_of_the_weights(
    tmp_path: Path, torch_forks: Forks
) -> None:
    spec, weights, out = tmp_path / "tanh.yaml", tmp_path / "weights", tmp_path / "out"
    spec.write_text(MLP.read_text().replace("ReLU", "Tanh") + "input: [3, 4]\n")
    torch_forks.run("init", MLP, "--seed", "0", "-o", weights)
    run = torch_forks.run("probe", spec, "--weights", weights, "--seed", "0")
    assert [line.split("\t")[2:4] for line in run.out.splitlines()[:2]] == [
        ["Linear", "[3, 8]"],
        ["Tanh", "[3, 8]"],
    ]
    torch_forks.run("probe", spec, "--weights", weights, "--steps", "1", "-o", out)
    assert "Tanh" in torch_forks.run("meta", out, "paramctl.spec").out


def test_quantized_weights_are_the_numbers_they_stand_for(tmp_path: Path) -> None:
    spec, weights = tmp_path / "x.yaml", tmp_path / "x.gguf"
    spec.write_text("layers: [{Linear: [32, 4]}]")
    given = np.random.default_rng(0).normal(size=(4, 32)).astype("f4")
    blocks = quantize(given, Quantization.Q8_0)
    write(weights, {"0.weight": (blocks, Quantization.Q8_0), "0.bias": (given[:, 0], None)})
    values = replace(paramctl.open(weights), build=paramctl.open(spec).build)
    weight = build(values, "cpu").get_parameter("0.weight").detach().numpy()
    np.testing.assert_array_equal(weight, dequantize(blocks, Quantization.Q8_0))


def test_weights_that_cannot_be_unpacked_are_refused(tmp_path: Path, torch_forks: Forks) -> None:
    spec, weights = tmp_path / "x.yaml", tmp_path / "x.gguf"
    spec.write_text("layers: [{Linear: [256, 1, false]}]")
    block = np.zeros((1, GGML_QUANT_SIZES[Quantization.IQ1_S][1]), "u1")
    write(weights, {"0.weight": (block, Quantization.IQ1_S)})
    run = torch_forks.run("probe", spec, "--weights", weights)
    assert (run.code, run.out) == (2, "")
    assert "'0.weight': values of IQ1_S are not unpacked" in run.err


@pytest.mark.parametrize("model", ["Three", "Three('float16')", "Loop(50)", "Loop(400)"])
def test_rounding_is_no_place_of_use(model: str, code: str, torch_forks: Forks) -> None:
    width = 32 if model.startswith("Three") else 4
    run = torch_forks.run("probe", f"{code}:{model}", "--input", f"2x{width}", "--seed", "0")
    assert run.code == 0, run.err
    places = [line.split("\t")[2] for line in run.out.splitlines() if line.startswith("use")]
    assert len(places) >= 3
    assert "elsewhere" not in places


def test_a_model_that_minds_views_runs_without_them(code: str, torch_forks: Forks) -> None:
    run = torch_forks.run("probe", f"{code}:Minds", "--input", "2x4", "--seed", "0")
    assert run.code == 0, run.err
    assert "parameter\tweight" in run.out


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("Fails", [], "the model raised KeyError: 'oh'"),
        ("Fails('SystemExit')", [], "the model raised SystemExit: oh"),
        ("Fails('inplace')", [], "the model's backward raised RuntimeError: one of the variables"),
        ("Fails('inplace')", ["--steps", "1"], "the model's backward raised RuntimeError"),
        ("Complex", [], "the output is complex: there is no loss of it"),
        ("frozen", [], "the output depends on no parameter"),
        ("frozen", ["--steps", "2"], "the output depends on no parameter"),
        ("lazy", [], "'0.weight' has no shape before its module has run"),
        ("sparse", ["--steps", "1", "--optimizer", "adam", "--loss", "sum"], "the optimizer adam"),
    ],
)
def test_what_fails_in_the_user_s_code_is_told_as_such(
    model: str, more: list[str], message: str, code: str, torch_forks: Forks
) -> None:
    given = [] if model == "sparse" else ["--input", "2x4"]
    run = torch_forks.run("probe", f"{code}:{model}", *given, *more, "--seed", "0")
    assert run.code == 2, run
    assert message in run.err
    assert run.err.count("\n") == 1


def test_too_large_an_output_is_a_limit_not_a_misfit(tmp_path: Path, torch_forks: Forks) -> None:
    spec = tmp_path / "wide.yaml"
    spec.write_text("layers:\n  - Linear: [1, 4000000]\n")
    run = torch_forks.run("probe", spec, "--input", "2000000x1", "--seed", "0")
    assert run.code == 5
    assert "more memory than there is" in run.err


def test_sparse_gradients_are_shown_with_their_zeros(
    code: str, tmp_path: Path, torch_forks: Forks
) -> None:
    grads = tmp_path / "grads"
    run = torch_forks.run("probe", f"{code}:sparse", "--seed", "0", "--save-grads", grads)
    assert run.code == 0, run.err
    assert load_file(grads)["0.weight"].shape == (9, 4)
    assert torch_forks.run("probe", f"{code}:sparse", "--seed", "0", "--steps", "2").code == 0


def test_a_parameter_that_is_tied_to_a_buffer_is_refused(
    tmp_path: Path, torch_forks: Forks
) -> None:
    spec, model, tied = tmp_path / "bn.yaml", tmp_path / "bn", tmp_path / "tied"
    spec.write_text("layers:\n  - Linear: [4, 3]\n  - name: norm 1\n    BatchNorm1d: 3\n")
    torch_forks.run("init", spec, "-o", model)
    names = ("norm 1.running_var", "norm 1.weight")
    assert torch_forks.run("tie", model, *names, "-o", tied).code == 0
    run = torch_forks.run("probe", tied)
    assert run.code == 2
    assert "only one of them is a parameter; paramctl untie 'norm 1." in run.err


def test_names_that_are_one_in_the_model_must_be_equal_in_the_file(
    code: str, tmp_path: Path, torch_forks: Forks
) -> None:
    weights, out = tmp_path / "weights", tmp_path / "out"
    save_file({"a.weight": torch.eye(4), "b.weight": torch.zeros(4, 4)}, weights)
    run = ["probe", f"{code}:Tied", "--weights", str(weights), "--seed", "0"]
    refused = torch_forks.run(*run)
    assert refused.code == 2
    assert "'a.weight' and 'b.weight' are one in the model, and are not equal" in refused.err
    save_file({"a.weight": torch.eye(4), "b.weight": torch.eye(4)}, weights)
    assert torch_forks.run(*run, "--steps", "1", "-o", out).code == 0
    assert torch_forks.run("ls", out, "--ties", "--format", "names").out.split() == [
        "a.weight",
        "b.weight",
    ]
    assert len(load_file(out)) == 1


def test_a_part_that_is_made_for_evaluation_stays_so(code: str, torch_forks: Forks) -> None:
    run = torch_forks.run("probe", f"{code}:batch_norm", "--input", "1x4", "--seed", "0")
    assert run.code == 0, run.err  # of one row, training would be an error
    run = torch_forks.run("probe", f"{code}:batch_norm", "--input", "1x4", "--loss", "mse")
    assert run.code == 0, run.err


def test_whole_numbers_go_into_layers_of_real_ones(tmp_path: Path, torch_forks: Forks) -> None:
    np.save(tmp_path / "x.npy", np.arange(8).reshape(2, 4))
    run = torch_forks.run("probe", MLP, "--input", tmp_path / "x.npy", "--seed", "0")
    assert run.code == 0, run.err


def test_inputs_of_float64_keep_their_digits(tmp_path: Path, torch_forks: Forks) -> None:
    spec, model = tmp_path / "double.yaml", tmp_path / "double"
    spec.write_text("dtype: float64\nlayers:\n  - Linear: [4, 1]\n")
    given = np.random.default_rng(0).standard_normal((2, 4))
    np.save(tmp_path / "x.npy", given)
    torch_forks.run("init", spec, "--seed", "0", "-o", model)
    net = nn.Linear(4, 1, dtype=torch.float64)
    net.load_state_dict({key[2:]: values for key, values in load_file(model).items()})
    run = torch_forks.run("probe", model, "--input", tmp_path / "x.npy", "--format", "json")
    expected = net(torch.from_numpy(given)).sum().item()
    assert json.loads(run.out)["loss"] == pytest.approx(expected, rel=1e-14)


def test_training_with_a_shape_uses_its_rows(torch_forks: Forks) -> None:
    run = ["probe", str(MLP), "--seed", "0", "--steps", "1"]
    rows = {shape: torch_forks.run(*run, "--input", shape).out for shape in ("2x4", "64x4")}
    assert rows["2x4"] != rows["64x4"] == torch_forks.run(*run).out


def test_statistics_of_a_norm_are_no_longer_drawn_once_it_is_trained(
    tmp_path: Path, torch_forks: Forks
) -> None:
    out = tmp_path / "out"
    run = torch_forks.run("probe", SAMPLES / "cnn.yaml", "--seed", "0", "--steps", "1", "-o", out)
    assert run.code == 0, run.err
    assert "running_mean" not in torch_forks.run("meta", out, "paramctl.init").out
