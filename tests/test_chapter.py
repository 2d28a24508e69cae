"""The textbook's chapter on parameter management, cell by cell, held against PyTorch.

"Dive into Deep Learning", section "Parameter Management": what the chapter does to a net in Python
is done to the saved net from the shell, on the same weights.
"""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from program import shell
from safetensors.torch import load_file, load_model
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_models"
MLP, RGNET, SHARED = (SAMPLES / name for name in ("mlp.pt", "rgnet.pt", "shared.pt"))
MY_INIT = ROOT / "docs" / "my_init.py"
MIXTURE = "mixture(1/4: uniform(5, 10), 1/2: zeros, 1/4: uniform(-10, -5))"
WIDE = 1 << 18  # inputs of a layer that shows a distribution
SIGMAS = 5


def mlp() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    net.load_state_dict(torch.load(MLP))
    return net


def rgnet() -> nn.Sequential:
    blocks = nn.Sequential()
    for i in range(4):
        block = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
        blocks.add_module(f"block {i}", block)
    net = nn.Sequential(blocks, nn.Linear(4, 1))
    net.load_state_dict(torch.load(RGNET))
    return net


def tied_net() -> nn.Sequential:
    shared = nn.Linear(8, 8)
    net = nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1)
    )
    net.load_state_dict(torch.load(SHARED))
    return net


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A net of the same names with enough weights to tell a distribution by."""
    path = tmp_path / "wide.pt"
    torch.save(nn.Sequential(nn.Linear(WIDE, 1), nn.ReLU(), nn.Linear(1, 4)).state_dict(), path)
    return path


def shown(run_out: str) -> dict[str, Tensor]:
    """Return what `show --format json` printed."""
    return {item["name"]: torch.tensor(item["values"]) for item in json.loads(run_out)}


def changed(forks: Forks, folder: Path, verb: str, model: Path, *more: str) -> dict[str, Tensor]:
    """Change a model and load what is written."""
    run = forks.run(verb, model, *more, "-o", folder / "out.safetensors", "--force")
    assert run.code == 0, run.err
    return load_file(folder / "out.safetensors")


# Parameter access


def test_state_dict_of_the_third_layer(forks: Forks) -> None:
    values = shown(forks.run("show", MLP, "[2]", "--format", "json").out)
    state = mlp()[2].state_dict()
    assert [name.removeprefix("2.") for name in values] == list(state)
    assert all(torch.equal(values[f"2.{name}"], tensor) for name, tensor in state.items())


def test_type_and_data_of_a_bias(forks: Forks) -> None:
    net = torch.load(SAMPLES / "mlp_module.pt", weights_only=False)
    head, text = forks.run("show", SAMPLES / "mlp_module.pt", "2.bias", "-q").out.splitlines()
    assert isinstance(net[2].bias, nn.Parameter)
    assert "  ·  parameter  ·  requires_grad: True  ·  " in head
    assert f"Parameter containing:\n{text}" == repr(net[2].bias)
    plain = forks.run("show", MLP, "2.bias").out.splitlines()[1]
    assert plain == repr(net[2].bias.data)


def test_there_is_no_gradient_yet(forks: Forks) -> None:
    weight: Tensor = mlp().state_dict(keep_vars=True)["2.weight"]
    assert weight.grad is None
    assert "grad: none stored" in forks.run("show", MLP, "2.weight").out
    assert json.loads(forks.run("show", MLP, "2.weight", "--format", "json").out)[0]["grad"] is None


def test_names_and_shapes_of_all_parameters(forks: Forks) -> None:
    rows = [line.split("\t")[:2] for line in forks.run("ls", MLP).out.splitlines()]
    assert rows == [[name, str(list(param.shape))] for name, param in mlp().named_parameters()]


def test_a_bias_by_its_name_in_the_state_dict(forks: Forks) -> None:
    values = shown(forks.run("show", MLP, "2.bias", "--format", "json").out)
    assert torch.equal(values["2.bias"], mlp().state_dict()["2.bias"].data)


# Nested blocks


def test_the_regular_net_is_printed(forks: Forks) -> None:
    assert forks.run("print", SAMPLES / "rgnet_module.pt").out == f"{rgnet()}\n"


def test_the_regular_net_is_listed_with_all_of_its_layers(forks: Forks) -> None:
    net = rgnet()
    module = SAMPLES / "rgnet_module.pt"
    rows = [line.split("\t") for line in forks.run("ls", module, "-q").out.splitlines()]
    assert [row[0] for row in rows] == [name for name, _ in net.named_parameters()]
    types = {name: type(layer).__name__ for name, layer in net.named_modules()}
    assert [row[6] for row in rows] == [types[row[0].rpartition(".")[0]] for row in rows]
    tree = forks.run("ls", module, "-q", "--format", "tree").out
    assert "block [0-3]  x4" in tree
    assert f"{sum(p.numel() for p in net.parameters())} parameters in 18 tensors" in tree


def test_a_bias_by_its_places(forks: Forks) -> None:
    values = shown(forks.run("show", RGNET, "[0][1][0].bias", "--format", "json").out)
    layer = rgnet().get_submodule("0.block 1.0")
    assert torch.equal(values["0.block 1.0.bias"], layer.state_dict()["bias"])
    text = forks.run("show", RGNET, "[0][1][0].bias").out.splitlines()[1]
    assert text == repr(layer.state_dict()["bias"])


# Initialization


def assert_uniform(values: Tensor, low: float, high: float) -> None:
    """Check the bounds, the mean and the variance of values that should be U(low, high)."""
    count = values.numel()
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < values.max() <= high
    std = (high - low) / 12**0.5
    assert abs(values.mean() - (low + high) / 2) < SIGMAS * std / count**0.5
    assert abs(values.var() / std**2 - 1) < SIGMAS * (0.8 / count) ** 0.5


def test_normal_weights_and_zero_biases(forks: Forks, wide: Path, tmp_path: Path) -> None:
    net = changed(forks, tmp_path, "init", wide, "--scheme", "normal(std=0.01)", "--seed", "0")
    weight = net["0.weight"].double() / 0.01
    assert abs(weight.mean()) < SIGMAS / WIDE**0.5
    assert abs(weight.var() - 1) < SIGMAS * (2 / WIDE) ** 0.5
    assert abs((weight**4).mean() - 3) < SIGMAS * (96 / WIDE) ** 0.5
    assert not net["0.bias"].any()
    assert not net["2.bias"].any()


def test_constant_weights(forks: Forks, tmp_path: Path) -> None:
    def init_constant(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 1)
            nn.init.zeros_(module.bias)

    expected = mlp().apply(init_constant).state_dict()
    net = changed(forks, tmp_path, "init", MLP, "--scheme", "constant(1)")
    assert all(torch.equal(net[name], tensor) for name, tensor in expected.items())


def test_xavier_in_one_layer_and_42_in_another(forks: Forks, wide: Path, tmp_path: Path) -> None:
    rules = ("--rule", "0=xavier", "--rule", "2=constant(42)", "--seed", "0")
    net, old = changed(forks, tmp_path, "init", wide, *rules), torch.load(wide)
    bound = (6 / (WIDE + 1)) ** 0.5
    assert_uniform(net["0.weight"].double(), -bound, bound)
    assert torch.equal(net["2.weight"], nn.init.constant_(torch.empty(4, 1), 42))
    assert torch.equal(net["0.bias"], old["0.bias"])  # the chapter leaves them, too
    assert torch.equal(net["2.bias"], old["2.bias"])


@pytest.mark.parametrize("scheme", [MIXTURE, f"{MY_INIT}:my_init"])
def test_the_initialization_of_its_own(
    scheme: str, forks: Forks, wide: Path, tmp_path: Path
) -> None:
    net = changed(forks, tmp_path, "init", wide, "--scheme", scheme, "--seed", "0")
    values = net["0.weight"].double().flatten()
    parts = {"low": values[values < 0], "zero": values[values == 0], "high": values[values > 0]}
    for part, share in {"low": 1 / 4, "zero": 1 / 2, "high": 1 / 4}.items():
        error = (share * (1 - share) / WIDE) ** 0.5
        assert abs(parts[part].numel() / WIDE - share) < SIGMAS * error
    assert_uniform(parts["low"], -10, -5)
    assert_uniform(parts["high"], 5, 10)
    assert not (values == torch.roll(values, 1)).logical_and(values != 0).any()


def test_both_ways_have_the_distribution_of_the_chapter_s_code() -> None:
    torch.manual_seed(0)
    values = nn.init.uniform_(torch.empty(WIDE), -10, 10)
    values *= values.abs() >= 5
    assert_uniform(values[values > 0].double(), 5, 10)
    assert abs(int((values == 0).sum()) / WIDE - 1 / 2) < SIGMAS / 2 / WIDE**0.5


def test_direct_assignment(forks: Forks, tmp_path: Path) -> None:
    expected = mlp().state_dict()
    expected["0.weight"].data[:] += 1
    expected["0.weight"].data[0, 0] = 42
    net = changed(forks, tmp_path, "set", MLP, "0.weight[:] += 1", "0.weight[0, 0] = 42")
    assert all(torch.equal(net[name], tensor) for name, tensor in expected.items())


# Tied parameters


def test_a_change_of_one_tied_layer_shows_in_the_other(forks: Forks, tmp_path: Path) -> None:
    net, other = tied_net(), tied_net()
    with torch.no_grad():
        net.state_dict(keep_vars=True)["2.weight"][0, 0] = 100
    changed(forks, tmp_path, "set", SHARED, "2.weight[0, 0] = 100")
    load_model(other, tmp_path / "out.safetensors")
    for name, tensor in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)
    values = shown(
        forks.run(
            "show", tmp_path / "out.safetensors", "2.weight", "4.weight", "--format", "json"
        ).out
    )
    assert values["2.weight"][0, 0] == values["4.weight"][0, 0] == 100
    assert torch.equal(values["2.weight"], values["4.weight"])


def test_layers_that_are_apart_are_tied(forks: Forks, tmp_path: Path) -> None:
    apart = tmp_path / "apart.pt"
    state = {name: tensor.clone() for name, tensor in tied_net().state_dict().items()}
    state["4.weight"] += 1
    torch.save(state, apart)
    changed(forks, tmp_path, "tie", apart, "2", "4")
    net = tied_net()
    assert not any(load_model(net, tmp_path / "out.safetensors"))
    assert torch.equal(net.state_dict()["4.weight"], state["2.weight"])
    size = sum(tensor.nbytes for tensor in load_file(tmp_path / "out.safetensors").values())
    assert size == sum(tensor.nbytes for tensor in state.values()) - 4 * (64 + 8)


# Gradients and training


def inputs(folder: Path, rows: int) -> Tensor:
    """Return X, which lies in x.npy too."""
    torch.manual_seed(0)
    values = torch.rand(rows, 4)
    np.save(folder / "x.npy", values.numpy())
    return values


def gradient(net: nn.Module, name: str) -> Tensor:
    found = net.get_parameter(name).grad
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["mlp", "shared"])
def test_gradients_are_there_after_backward(name: str, torch_forks: Forks, tmp_path: Path) -> None:
    net = mlp() if name == "mlp" else tied_net()
    given, grads = inputs(tmp_path, 2), tmp_path / "grads.safetensors"
    net(given).sum().backward()
    run = torch_forks.run(
        "probe",
        *(SAMPLES / f"{name}.yaml", "--weights", SAMPLES / f"{name}.pt"),
        *("--input", tmp_path / "x.npy", "--save-grads", grads),
    )
    assert run.code == 0, run.err
    values = shown(torch_forks.run("show", grads, "--format", "json").out)
    assert values.keys() == {key for key, _ in net.named_parameters(remove_duplicate=False)}
    for key, parameter in net.named_parameters(remove_duplicate=False):
        torch.testing.assert_close(values[key], parameter.grad)


def test_gradients_of_tied_layers_add_up(torch_forks: Forks, tmp_path: Path) -> None:
    given, net = inputs(tmp_path, 2), tied_net()
    apart = nn.Sequential(*(copy.deepcopy(layer) for layer in net))
    apart(given).sum().backward()
    net(given).sum().backward()
    run = torch_forks.run(
        "probe",
        *(SAMPLES / "shared.yaml", "--weights", SAMPLES / "shared.pt"),
        *("--input", tmp_path / "x.npy", "--format", "json"),
    )
    found = {each["name"]: each for each in json.loads(run.out)["parameters"]}
    for leaf in ("weight", "bias"):
        told = found[f"2.{leaf}"]
        norms = {use["place"]: use["gradient"]["norm"] for use in told["uses"]}
        parts = [gradient(apart, f"{layer}.{leaf}") for layer in "24"]
        assert norms == pytest.approx(
            {f"{layer}.{leaf}": float(part.norm()) for layer, part in zip("24", parts, strict=True)}
        )
        total = torch.stack(parts).sum(0)
        assert told["gradient"]["norm"] == pytest.approx(float(total.norm()))
        torch.testing.assert_close(total, gradient(net, f"2.{leaf}"))


def test_an_mlp_with_a_shared_layer_is_trained_and_watched(
    torch_forks: Forks, tmp_path: Path
) -> None:
    given, net, out = inputs(tmp_path, 16), tied_net(), tmp_path / "trained.safetensors"
    target = given.sum(1, keepdim=True)
    np.save(tmp_path / "y.npy", target.numpy())
    run = torch_forks.run(
        "probe",
        *(SAMPLES / "shared.yaml", "--weights", SAMPLES / "shared.pt", "--steps", "10"),
        *("--data", f"{tmp_path / 'x.npy'},{tmp_path / 'y.npy'}", "--format", "json", "-o", out),
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for line in run.out.splitlines():
        step = json.loads(line)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(given), target)
        loss.backward()  # type: ignore[no-untyped-call]
        assert step["loss"] == pytest.approx(loss.item(), rel=1e-5)
        for name, parameter in net.named_parameters():
            told = step["parameters"][name]
            assert told["norm"] == pytest.approx(float(parameter.detach().norm()), rel=1e-5)
            norm = float(gradient(net, name).norm())
            assert told["gradient"] == pytest.approx(norm, rel=1e-4)
        optimizer.step()
    assert len(run.out.splitlines()) == 10
    other = tied_net()
    assert not any(load_model(other, out))
    for key, tensor in net.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], tensor)


def test_the_whole_chapter_is_a_pipeline() -> None:
    run = shell(
        'cat "$M" | "$P" init --scheme xavier --seed 0 | "$P" tie 2 4'
        ' | "$P" set - \'0.bias = 1\' | "$P" show --format json',
        M=SHARED,
    )
    assert (run.returncode, run.stderr) == (0, b"")
    net = shown(run.stdout.decode())
    assert torch.equal(net["0.bias"], torch.ones(8))
    assert torch.equal(net["2.weight"], net["4.weight"])
    assert set(net) == set(tied_net().state_dict())
