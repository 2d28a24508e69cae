"""A few steps of training, held against the loop that a script of the user's would have."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from safetensors.torch import load_file, load_model
from specs import tied
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (as everybody calls it)

from paramctl.probe.training import RATES, Optimizer, Step, Task, train

SAMPLES = Path(__file__).parents[1] / "sample_models"
STEPS = 20
MLP, SHARED = (SAMPLES / name for name in ("mlp.yaml", "shared.yaml"))
NETS = {"untied": MLP, "tied": SHARED}
OPTIMIZERS: dict[Optimizer, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
}


def plain_net(name: str) -> nn.Sequential:
    """Return the net as the textbook writes it."""
    if name == "untied":
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    shared = nn.Linear(8, 8)
    return nn.Sequential(
        *(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1))
    )


def plain_steps(
    net: nn.Module, given: Tensor, target: Tensor, optimizer: torch.optim.Optimizer
) -> list[dict[str, float]]:
    """Train a net in the usual loop; return each step's loss and norms."""
    steps = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.mse_loss(net(given), target)
        loss.backward()  # type: ignore[no-untyped-call]
        step = {"loss": loss.item()}
        before = {name: each.detach().clone() for name, each in net.named_parameters()}
        optimizer.step()
        for name, each in net.named_parameters():
            assert each.grad is not None
            step[f"{name} norm"] = float(before[name].double().norm())
            step[f"{name} gradient"] = float(each.grad.double().norm())
            change = each.detach().double() - before[name].double()
            step[f"{name} update"] = float(change.norm() / before[name].double().norm())
        steps.append(step)
    return steps


def flat(step: Step) -> dict[str, float]:
    told = {"loss": step.loss}
    for move in step.moves:
        assert move.gradient is not None
        told |= {f"{move.name} norm": move.norm, f"{move.name} gradient": move.gradient}
        told[f"{move.name} update"] = move.update
    return told


@pytest.fixture
def data(tmp_path: Path) -> tuple[Tensor, Tensor]:
    """Return inputs and targets, which lie in x.npy and y.npy too."""
    torch.manual_seed(0)
    given, target = torch.randn(32, 4), torch.randn(32, 1)
    np.save(tmp_path / "x.npy", given.numpy())
    np.save(tmp_path / "y.npy", target.numpy())
    return given, target


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETS)
def test_the_trajectory_is_that_of_a_plain_script(
    name: str, optimizer: Optimizer, data: tuple[Tensor, Tensor]
) -> None:
    given, target = data
    trained, plain = tied(NETS[name].read_text()), plain_net(name)
    plain.load_state_dict(trained.state_dict())
    engine = OPTIMIZERS[optimizer](plain.parameters(), lr=0.05)  # type: ignore[call-arg]
    steps = train(trained, Task(given, target, "mse"), STEPS, optimizer, 0.05)
    expected = plain_steps(plain, given, target, engine)
    for number, (step, told) in enumerate(zip(steps, expected, strict=True), 1):
        assert step.number == number
        assert flat(step) == pytest.approx(told, rel=1e-6)
    for key, tensor in plain.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[key], tensor)


@pytest.mark.parametrize("name", NETS)
def test_what_is_written_is_what_a_plain_script_would_have_trained(
    name: str, data: tuple[Tensor, Tensor], tmp_path: Path, torch_forks: Forks
) -> None:
    start, end = tmp_path / "start.safetensors", tmp_path / "end.safetensors"
    assert torch_forks.run("init", NETS[name], "--scheme", "xavier", "-o", start).code == 0
    files = f"{tmp_path / 'x.npy'},{tmp_path / 'y.npy'}"
    run = torch_forks.run("probe", start, "--steps", str(STEPS), "--data", files, "-o", end)
    assert run.code == 0, run.err
    plain = plain_net(name)
    load_model(plain, start)
    losses = [
        step["loss"]
        for step in plain_steps(plain, *data, torch.optim.SGD(plain.parameters(), lr=RATES["sgd"]))
    ]
    told = [float(line.split("\t")[1]) for line in run.out.splitlines()]
    assert told == pytest.approx(losses, rel=1e-3)
    loaded = plain_net(name)
    load_model(loaded, end, strict=True)
    for key, tensor in plain.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], tensor)
    assert len(load_file(end)) == len(list(plain.named_parameters()))
    again = torch_forks.run("probe", end, "--seed", "0")
    assert again.code == 0, again.err


def test_a_written_model_no_longer_claims_to_be_drawn(tmp_path: Path, torch_forks: Forks) -> None:
    start, end = tmp_path / "start.safetensors", tmp_path / "end.safetensors"
    torch_forks.run("init", MLP, "--seed", "0", "-o", start)
    assert "paramctl.init" in torch_forks.run("meta", start).out
    torch_forks.run("probe", start, "--steps", "1", "-o", end)
    assert "paramctl.init" not in torch_forks.run("meta", end).out


def test_a_seed_gives_the_same_steps(torch_forks: Forks) -> None:
    run: list[str | Path] = ["probe", MLP, "--steps", "3"]
    first, second, third = (torch_forks.run(*run, "--seed", seed).out for seed in "001")
    assert first == second != third


def test_a_made_up_task_is_learned(torch_forks: Forks) -> None:
    for model in (MLP, SHARED, SAMPLES / "gpt.yaml"):
        run = torch_forks.run("probe", model, "--steps", "60", "--seed", "0", "--optimizer", "adam",
                        "--lr", "0.01")  # fmt: skip
        losses = [float(line.split("\t")[1]) for line in run.out.splitlines()]
        assert len(losses) == 60
        assert losses[-1] < losses[0] / 2, run.err


def test_every_kth_step_and_the_last_are_shown(torch_forks: Forks) -> None:
    run = torch_forks.run("probe", MLP, "--steps", "10", "--every", "4", "--seed", "0")
    assert [line.split("\t")[0] for line in run.out.splitlines()] == ["4", "8", "10"]


def test_json_has_a_line_for_each_step(torch_forks: Forks) -> None:
    run: list[str | Path] = ["probe", MLP, "--steps", "3", "--seed", "0"]
    lines = torch_forks.run(*run, "--format", "json").out.splitlines()
    tsv = [line.split("\t") for line in torch_forks.run(*run).out.splitlines()]
    for line, cells in zip(lines, tsv, strict=True):
        step = json.loads(line)
        assert list(step) == ["step", "loss", "parameters"]
        assert list(step["parameters"]) == ["0.weight", "0.bias", "2.weight", "2.bias"]
        numbers = [n for move in step["parameters"].values() for n in move.values()]
        assert [str(step["step"]), *(f"{n:.4g}" for n in (step["loss"], *numbers))] == cells


def test_a_divergence_is_told_as_numbers_not_as_an_error(torch_forks: Forks) -> None:
    run = torch_forks.run(
        "probe", MLP, "--steps", "40", "--lr", "1e6", "--seed", "0", "--format", "json"
    )
    assert run.code == 0, run.err
    last = json.loads(run.out.splitlines()[-1])
    assert last["loss"] in {"nan", "inf"}
