"""Schemes: what each makes of a parameter, held against PyTorch and the papers' formulas."""

import json
import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from recorder import Recorder
from torch import nn

from paramctl.errors import TargetError, UsageError
from paramctl.expressions.evaluation import CONSTANTS, evaluate_number
from paramctl.expressions.parser import parse
from paramctl.init.distributions import Constant, Distribution, Normal, TruncNormal, Uniform
from paramctl.init.language import parse_scheme
from paramctl.init.registry import all_schemes, find
from paramctl.init.streams import Stream
from paramctl.init.targets import Layout, Target

SHAPES = {
    "linear": nn.Linear(7, 5).weight.shape,
    "conv1d": nn.Conv1d(3, 8, 5).weight.shape,
    "conv2d": nn.Conv2d(3, 8, (5, 2)).weight.shape,
    "conv3d": nn.Conv3d(2, 4, 3).weight.shape,
    "grouped": nn.Conv2d(6, 8, 3, groups=2).weight.shape,
    "embedding": nn.Embedding(11, 4).weight.shape,
}
TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "xavier": nn.init.xavier_uniform_,
    "xavier_uniform(gain=2)": lambda w: nn.init.xavier_uniform_(w, gain=2),
    'xavier_normal(gain="tanh")': lambda w: nn.init.xavier_normal_(w, gain=5 / 3),
    "kaiming": nn.init.kaiming_uniform_,
    "kaiming_uniform(a=sqrt(5))": lambda w: nn.init.kaiming_uniform_(w, a=math.sqrt(5)),
    'kaiming_uniform(mode="fan_out", nonlinearity="relu")': lambda w: nn.init.kaiming_uniform_(
        w, mode="fan_out", nonlinearity="relu"
    ),
    'kaiming_normal(nonlinearity="selu")': lambda w: nn.init.kaiming_normal_(
        w, nonlinearity="selu"
    ),
    'kaiming_normal(0.1, "fan_out", "leaky_relu")': lambda w: nn.init.kaiming_normal_(
        w, 0.1, "fan_out", "leaky_relu"
    ),
    "uniform": nn.init.uniform_,
    "uniform(-1, 3)": lambda w: nn.init.uniform_(w, -1, 3),
    "normal": nn.init.normal_,
    "normal(1, 0.5)": lambda w: nn.init.normal_(w, 1, 0.5),
}


def made(text: str, shape: tuple[int, ...], layer: str = "", layout: Layout = "") -> Distribution:
    return parse_scheme(text).distribution(Target("w", tuple(shape), layer=layer, layout=layout))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("text", TORCH)
def test_a_scheme_draws_from_where_pytorch_draws(
    text: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, weight = Recorder(monkeypatch), torch.empty(shape)
    TORCH[text](weight)
    assert recorder.drawn[weight.data_ptr()] == made(text, shape)


@pytest.mark.parametrize("nonlinearity", ["linear", "conv2d", "sigmoid", "tanh", "relu", "selu"])
def test_gains_are_pytorch_s(nonlinearity: str) -> None:
    gain = nn.init.calculate_gain(nonlinearity)  # type: ignore[arg-type] # a word of many
    assert made(f'orthogonal(gain="{nonlinearity}")', (3, 3)) == made(f"orthogonal({gain})", (3, 3))


def test_the_slope_of_a_leaky_relu_counts_for_the_gain() -> None:
    gain = nn.init.calculate_gain("leaky_relu")
    assert made('xavier_normal("leaky_relu")', (3, 5)) == made(f"xavier_normal({gain})", (3, 5))


@pytest.mark.parametrize("scale", [1.0, 2.0, 0.3])
@pytest.mark.parametrize(
    ("mode", "fan"), [("fan_in", 75), ("fan_out", 200), ("fan_avg", (75 + 200) / 2)]
)
def test_variance_scaling_is_jax_s(scale: float, mode: str, fan: float) -> None:
    """The formulas of jax.nn.initializers.variance_scaling, written out."""
    variance = scale / fan
    uncut = math.sqrt(variance) / 0.87962566103423978
    bound = math.sqrt(3 * variance)
    expected = {
        "truncated_normal": TruncNormal(0, uncut, -2 * uncut, 2 * uncut),
        "normal": Normal(0, math.sqrt(variance)),
        "uniform": Uniform(-bound, bound),
    }
    for distribution, wanted in expected.items():
        text = f'variance_scaling({scale}, "{mode}", "{distribution}")'
        found = made(text, (8, 3, 5, 5))
        assert type(found) is type(wanted)
        assert vars(found) == pytest.approx(vars(wanted), rel=1e-15)
        assert found.std == pytest.approx(math.sqrt(variance), rel=1e-7)


def test_lecun_and_glorot_and_he_are_cases_of_variance_scaling() -> None:
    shape = (8, 3, 5, 5)
    for text, wanted in {
        "lecun_normal": "variance_scaling",
        "lecun_uniform": 'variance_scaling(distribution="uniform")',
        "glorot_uniform": 'variance_scaling(1, "fan_avg", "uniform")',
        "he_normal": 'variance_scaling(2, "fan_in", "normal")',
    }.items():
        found, expected = made(text, shape), made(wanted, shape)
        assert type(found) is type(expected)
        assert vars(found) == pytest.approx(vars(expected), rel=1e-15)


@pytest.mark.parametrize(
    ("shape", "layer", "layout", "fans"),
    [
        ((5, 7), "", "", (7, 5)),
        ((5, 7), "Linear", "", (7, 5)),
        ((5, 7), "Conv1D", "", (5, 7)),
        ((5, 7), "", "in_out", (5, 7)),
        ((5, 7), "Conv1D", "out_in", (7, 5)),
        ((6, 8, 3), "Conv1d", "", (24, 18)),
        ((6, 8, 3), "ConvTranspose1d", "", (18, 24)),
        ((6, 8, 3, 2), "ConvTranspose2d", "", (36, 48)),
        ((0, 7), "", "", (7, 0)),
    ],
)
def test_fans_follow_the_layer_s_layout(
    shape: tuple[int, ...], layer: str, layout: Layout, fans: tuple[int, int]
) -> None:
    target = Target("w", shape, layer=layer, layout=layout)
    assert (target.fan_in, target.fan_out) == fans


@pytest.mark.parametrize("leaf", ["kernel", "kernel:0", "recurrent_kernel"])
@pytest.mark.parametrize(
    ("shape", "fans"), [((5, 7), (5, 7)), ((3, 2, 8, 6), (48, 36)), ((3, 8, 1), (24, 3))]
)
def test_kernels_of_keras_and_flax_have_the_receptive_field_first(
    leaf: str, shape: tuple[int, ...], fans: tuple[int, int]
) -> None:
    """As `keras.initializers.compute_fans` and jax's `variance_scaling` count."""
    target = Target(f"conv.{leaf}", shape)
    assert (target.fan_in, target.fan_out) == fans


@pytest.mark.parametrize("text", ["orthogonal", "dirac", "delta_orthogonal"])
def test_schemes_that_need_rows_refuse_kernels_of_convolutions(text: str) -> None:
    with pytest.raises(TargetError, match="kernel of Keras or Flax"):
        parse_scheme(text).distribution(Target("conv.kernel", (3, 3, 8, 8)))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_fans_are_pytorch_s(shape: tuple[int, ...]) -> None:
    target = Target("w", shape)
    expected = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert (target.fan_in, target.fan_out) == expected


def test_fans_that_somebody_knows_better_count() -> None:
    target = Target("w", (8, 3, 5, 5), fans=(75, 100))
    assert parse_scheme('kaiming_normal(mode="fan_out")').distribution(target) == Normal(
        0.0, math.sqrt(2) / math.sqrt(100)
    )


@pytest.mark.parametrize("text", ["xavier", "kaiming_normal", "lecun_normal", "variance_scaling"])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_vector_has_no_fans(text: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(TargetError, match=r"'w' of shape \[3?\] has no fans") as caught:
        made(text, shape)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["xavier", "kaiming", "kaiming_normal", "lecun_normal"])
def test_a_layer_without_inputs_or_outputs_is_no_error(text: str) -> None:
    assert made(text, (0, 0)).std == 0


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("eye", (3,), "'w' of shape [3] does not fit: the scheme needs 2 dimensions"),
        ("sparse(0.5)", (3, 3, 3), "the scheme needs 2 dimensions"),
        ("dirac", (3, 3), "the scheme needs 3 or 4 or 5 dimensions"),
        ("dirac(groups=2)", (3, 3, 3), "'w' of shape [3, 3, 3] cannot be cut into 2 groups"),
        ("orthogonal", (3,), "is no matrix"),
        ("delta_orthogonal", (3, 3), "the scheme needs 3 or 4 or 5 dimensions"),
        ("delta_orthogonal", (2, 3, 1), "has fewer outputs, 2, than inputs, 3"),
        ("default", (2, 3), "is not known from PyTorch's layers"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(
    text: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(TargetError) as caught:
        made(text, shape)
    assert message in str(caught.value)


def test_a_transposed_convolution_may_be_delta_orthogonal() -> None:
    assert made("delta_orthogonal", (2, 3, 1), "ConvTranspose1d").std == 1 / math.sqrt(3)


FORMULAS: dict[str, tuple[dict[str, float], tuple[int, ...]]] = {
    "uniform(-1, 3)": ({"low": -1, "high": 3}, (4,)),
    "normal(1, 0.5)": ({"mean": 1, "std": 0.5}, (4,)),
    "constant(42)": ({"value": 42}, (4,)),
    "zeros": ({}, (4,)),
    "ones": ({}, (4,)),
    "xavier_uniform(2)": ({"gain": 2}, (8, 3, 5)),
    "xavier_normal(2)": ({"gain": 2}, (8, 3, 5)),
    'kaiming_uniform(nonlinearity="relu")': ({"gain": math.sqrt(2), "fan": 15}, (8, 3, 5)),
    'kaiming_normal(mode="fan_out")': ({"gain": math.sqrt(2), "fan": 40}, (8, 3, 5)),
    "lecun_uniform": ({}, (8, 3, 5)),
    "lecun_normal": ({}, (8, 3, 5)),
    "variance_scaling(3)": ({"scale": 3, "fan": 15}, (8, 3, 5)),
    "eye": ({}, (8, 3)),
    "dirac(groups=2)": ({"groups": 2}, (8, 3, 5)),
    "orthogonal(2)": ({"gain": 2}, (8, 3, 5)),
    "delta_orthogonal(2)": ({"gain": 2}, (8, 3, 5)),
    "sparse(0.3, 2)": ({"std": 2, "zeros": 3}, (8, 3)),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_the_formulas_of_mean_and_std_are_true(text: str) -> None:
    """The text that `paramctl schemes` shows, evaluated."""
    given, shape = FORMULAS[text]
    target = Target("w", shape)
    names = dict(CONSTANTS) | {"rows": shape[0], "columns": (*shape, 1)[1]} | given
    names |= {"receptive": math.prod(shape[2:])}
    if len(shape) > 1:
        names |= {"fan_in": target.fan_in, "fan_out": target.fan_out}
    bound = parse_scheme(text)
    distribution = bound.distribution(target)
    names["mean"] = evaluate_number(parse(bound.scheme.mean), names)
    assert distribution.mean == pytest.approx(names["mean"], rel=1e-12)
    assert distribution.std == pytest.approx(
        evaluate_number(parse(bound.scheme.std), names), rel=1e-7
    )


SAMPLED = {
    "uniform(-1, 3)": (400, 500),
    "normal(1, 0.5)": (400, 500),
    "trunc_normal(0.5, 1, -1, 1)": (400, 500),
    "xavier": (400, 500),
    "kaiming_normal": (40, 50, 10, 10),
    "lecun_normal": (400, 500),
    "orthogonal(2)": (300, 500),
    "delta_orthogonal": (300, 200, 3),
    "sparse(0.3, 2)": (400, 500),
    "eye": (40, 50),
    "dirac(groups=2)": (40, 50, 3),
    "mixture(1/4: uniform(5, 10), 1/2: zeros, 1/4: uniform(-10, -5))": (400, 500),
    "mixture(0.9: normal(std=0.01), 0.1: normal(1, 2))": (400, 500),
}


@pytest.mark.parametrize("text", SAMPLED)
def test_samples_have_the_mean_and_the_std_that_is_said(text: str) -> None:
    shape = SAMPLED[text]
    distribution, count = made(text, shape), math.prod(shape)
    values = distribution.sample(Stream(7, "w"), 0, count)
    assert values.shape == (count,)
    assert values.dtype == "float32"
    assert distribution.mean is not None
    assert distribution.std is not None
    assert abs(values.mean() - distribution.mean) < 5 * distribution.std / math.sqrt(count) + 1e-7
    assert values.std() == pytest.approx(distribution.std, rel=0.015)


def test_every_scheme_says_what_it_is() -> None:
    names = [scheme.name for scheme in all_schemes()]
    assert len(set(names)) == len(names)
    for scheme in all_schemes():
        assert scheme.formula
        assert scheme.mean
        assert scheme.std
        assert scheme.summary.endswith(".")
        assert {find(name) for name in (scheme.name, *scheme.aliases)} == {scheme}


def test_the_schemes_are_all_there() -> None:
    expected = """uniform normal trunc_normal constant zeros ones eye dirac xavier_uniform
    xavier_normal kaiming_uniform kaiming_normal lecun_uniform lecun_normal variance_scaling
    orthogonal delta_orthogonal sparse mixture default"""
    assert sorted(scheme.name for scheme in all_schemes()) == sorted(expected.split())
    aliases = {"xavier": "xavier_uniform", "glorot": "xavier_uniform", "kaiming": "kaiming_uniform"}
    for alias, name in {**aliases, "he": "kaiming_uniform"}.items():
        assert find(alias).name == name


@pytest.mark.parametrize(("name", "close"), [("xaver", "xavier"), ("kaimin_normal", "kaiming")])
def test_a_misspelt_scheme_has_close_names(name: str, close: str) -> None:
    with pytest.raises(UsageError, match=f"no scheme '{name}'; closest: .*{close}"):
        find(name)


def test_schemes_and_their_language_load_neither_numpy_nor_torch() -> None:
    code = """
import json, sys
from paramctl.init.language import parse_scheme
from paramctl.init.targets import Target
parse_scheme('mixture(1/2: xavier, 1/2: orthogonal)').distribution(Target('w', (3, 3)))
print(json.dumps([name.split('.')[0] for name in sys.modules] + list(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {"numpy", "torch", "importlib.metadata"} & set(json.loads(run.stdout))


def test_a_constant_is_not_drawn() -> None:
    assert made("zeros", (3,)) == Constant(0.0)
    assert made("ones", (3,)) == Constant(1.0)
    assert made("constant(-2.5)", (3,)) == Constant(-2.5)
