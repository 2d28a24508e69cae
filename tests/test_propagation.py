"""Verdicts on signals: which initialization lets a deep net's outputs and gradients live."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paramctl.probe.gradients import probe
from paramctl.probe.outputs import Output
from paramctl.probe.propagation import Propagation, judge
from paramctl.probe.statistics import Statistics

WIDTH, DEPTH, ROWS = 128, 50, 64
INITS: dict[str, Callable[[Tensor], Any]] = {
    "normal(0.01)": lambda weight: nn.init.normal_(weight, std=0.01),
    "normal(1)": nn.init.normal_,
    "xavier": nn.init.xavier_uniform_,
    "kaiming": nn.init.kaiming_uniform_,
    "lecun": lambda weight: nn.init.normal_(weight, std=WIDTH**-0.5),
}


def deep(init: str, activation: type[nn.Module], depth: int = DEPTH) -> Propagation | None:
    """Probe a deep net of this initialization."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(WIDTH, WIDTH, bias=False), activation()]
        INITS[init](next(layers[-2].parameters()))
    net = nn.Sequential(*layers)
    return judge(probe(net, torch.randn(ROWS, WIDTH), None, "sum").outputs)


@pytest.mark.parametrize(
    ("init", "activation", "verdict"),
    [
        ("normal(0.01)", nn.ReLU, "vanishing"),
        ("xavier", nn.ReLU, "shrinking"),
        ("kaiming", nn.ReLU, "steady"),
        ("normal(1)", nn.ReLU, "exploding"),
        ("normal(0.01)", nn.Tanh, "vanishing"),
        ("xavier", nn.Tanh, "steady"),
        ("xavier", nn.Identity, "steady"),
        ("kaiming", nn.Identity, "growing"),
        ("lecun", nn.SELU, "steady"),
    ],
)
def test_a_deep_net_is_judged_by_what_its_initialization_does(
    init: str, activation: type[nn.Module], verdict: str
) -> None:
    found = deep(init, activation)
    assert found is not None
    assert found.signals[0].verdict == verdict
    assert found.is_steady == (verdict == "steady")


@pytest.mark.parametrize(("init", "factor"), [("xavier", 0.5**0.5), ("kaiming", 1.0)])
def test_the_factor_is_what_the_theory_says(init: str, factor: float) -> None:
    """Var[y] = n/2 Var[w] E[x^2] behind a ReLU: He et al. 2015, equation 9."""
    found = deep(init, nn.ReLU)
    assert found is not None
    assert [signal.what for signal in found.signals] == ["outputs", "gradients"]
    assert [signal.layers for signal in found.signals] == [DEPTH, DEPTH - 1]
    for signal in found.signals:
        assert signal.factor == pytest.approx(factor, abs=0.05)


@pytest.mark.parametrize(
    ("activation", "scheme"),
    [
        (nn.ReLU, "kaiming_normal"),
        (nn.GELU, "kaiming_normal"),
        (nn.Tanh, "xavier_normal"),
        (nn.SELU, "lecun_normal"),
        (nn.LeakyReLU, 'kaiming_normal(nonlinearity="leaky_relu", a=0.01)'),
        (nn.Sigmoid, ""),
        (nn.Identity, ""),
    ],
)
def test_the_scheme_fits_the_activation(activation: type[nn.Module], scheme: str) -> None:
    found = deep("xavier", activation)
    assert found is not None
    assert found.scheme == scheme


def test_few_layers_are_not_judged() -> None:
    assert deep("normal(0.01)", nn.ReLU, depth=5) is None
    assert deep("normal(0.01)", nn.ReLU, depth=6) is not None


def outputs(sizes: list[float]) -> list[Output]:
    """Return the outputs of layers, of these sizes."""
    layer = nn.Linear(1, 1)
    return [
        Output(str(n), layer, (1,), Statistics(size, 0.0, size, size), 0.0, None, 1.0)
        for n, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "verdict", "place"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], "steady", ""),
        ([1, 1, 1, 1, 1, 1, 1, 1000], "steady", ""),
        ([8, 7, 6, 5, 4, 3, 2, 1], "steady", ""),
        ([1.5**n for n in range(8)], "growing", "6"),
        ([3.0**n for n in range(8)], "exploding", "3"),
        ([0.7**n for n in range(8)], "shrinking", "7"),
        ([0.1 ** (2 * n) for n in range(8)], "vanishing", "1"),
        ([1, 0.1, 0.01, 0, 0, 0, 0, 0], "vanishing", "2"),
        ([0, 0, 0, 0, 0, 0], "vanishing", "0"),
        ([1, 1, 1, 1, math.inf, math.nan], "exploding", "4"),
        ([1e-150, 1e-90, 1e-30, 1e30, 1e90, 1e150], "exploding", "1"),
    ],
)
def test_a_trend_is_told_from_chance_and_from_one_odd_layer(
    sizes: list[float], verdict: str, place: str
) -> None:
    found = judge(outputs(sizes))
    assert found is not None
    assert (found.signals[0].verdict, found.signals[0].place) == (verdict, place)


def test_frozen_layers_get_no_gradient_and_are_not_judged_by_it() -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(9):
        layers += [nn.Linear(WIDTH, WIDTH, bias=False), nn.ReLU()]
        INITS["kaiming"](next(layers[-2].parameters()))
    for frozen in layers[:6]:
        frozen.requires_grad_(requires_grad=False)
    found = judge(probe(nn.Sequential(*layers), torch.randn(ROWS, WIDTH), None, "sum").outputs)
    assert found is not None
    assert [signal.what for signal in found.signals] == ["outputs", "gradients"]
    assert [signal.layers for signal in found.signals] == [9, 5]
    assert found.is_steady
