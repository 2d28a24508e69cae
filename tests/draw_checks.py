"""What drawn values must hold to: the checks of tests, which `test_mutants` shows able to fail.

What is expected is written out here from the papers: nothing of it is asked of the package.
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import combinations
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from drawn import bytes_at_once, bytes_of, draw, draw_by, drawn, model, parameter, values_of
from scipy.special import kolmogorov, ndtr  # type: ignore[import-untyped]

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.edits.rules import WEIGHTS, Rule
from paramctl.init.language import parse_scheme

SIGMAS = 5
LEAST_P = 1e-4
CUT = 0.87962566103423978  # the standard deviation of a normal that is cut at 2
PIECE = 10_007  # bytes: parts that begin in the middle of an element, and of a block of words


class Layer(NamedTuple):
    """A layer's class, the shape of its weight, and its fans."""

    type: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int


LAYERS = [
    Layer("Linear", (1000, 1000), 1000, 1000),
    Layer("Linear", (400, 2500), 2500, 400),
    Layer("Conv2d", (400, 100, 5, 5), 2500, 10_000),
    Layer("ConvTranspose2d", (100, 400, 5, 5), 2500, 10_000),
    Layer("Conv1D", (2500, 400), 2500, 400),
]
"""Of a million elements each."""

FANS: Mapping[str, Callable[[Layer], float]] = {
    "in": lambda layer: layer.fan_in,
    "out": lambda layer: layer.fan_out,
    "average": lambda layer: (layer.fan_in + layer.fan_out) / 2,
}


def uniform_below(x: Any) -> Any:
    return np.clip((x / sqrt(3) + 1) / 2, 0, 1)


def cut_below(x: Any) -> Any:
    return np.clip((ndtr(x * CUT) - ndtr(-2)) / (1 - 2 * ndtr(-2)), 0, 1)


class Case(NamedTuple):
    """A scheme whose variance is `square / fan`; `below` is its distribution function at std 1."""

    below: Callable[[Any], Any]
    scheme: str
    square: float
    fan: str

    def std(self, layer: Layer) -> float:
        """Return the standard deviation of a layer's weight."""
        return sqrt(self.square / FANS[self.fan](layer))


FAMILIES: Mapping[str, list[Case]] = {
    "xavier uniform": [
        Case(uniform_below, "xavier", 1, "average"),
        Case(uniform_below, "xavier_uniform(gain=2)", 4, "average"),
        Case(uniform_below, 'xavier_uniform("tanh")', 25 / 9, "average"),
        Case(uniform_below, "xavier_uniform(0.1)", 0.01, "average"),
    ],
    "xavier normal": [
        Case(ndtr, "xavier_normal", 1, "average"),
        Case(ndtr, "xavier_normal(gain=2)", 4, "average"),
        Case(ndtr, 'xavier_normal("relu")', 2, "average"),
        Case(ndtr, 'xavier_normal("selu")', 9 / 16, "average"),
    ],
    "kaiming uniform": [
        Case(uniform_below, "kaiming", 2, "in"),
        Case(uniform_below, 'kaiming_uniform(mode="fan_out")', 2, "out"),
        Case(uniform_below, "kaiming_uniform(a=sqrt(5))", 1 / 3, "in"),
        Case(uniform_below, 'kaiming_uniform(0, "fan_out", "selu")', 9 / 16, "out"),
    ],
    "kaiming normal": [
        Case(ndtr, "kaiming_normal", 2, "in"),
        Case(ndtr, 'kaiming_normal(mode="fan_out")', 2, "out"),
        Case(ndtr, "kaiming_normal(a=0.5)", 1.6, "in"),
        Case(ndtr, 'kaiming_normal(0, "fan_out", "tanh")', 25 / 9, "out"),
    ],
    "lecun": [
        Case(uniform_below, "lecun_uniform", 1, "in"),
        Case(cut_below, "lecun_normal", 1, "in"),
        Case(cut_below, "variance_scaling", 1, "in"),
        Case(uniform_below, 'kaiming_uniform(nonlinearity="linear")', 1, "in"),
    ],
    "variance scaling": [
        Case(cut_below, 'variance_scaling(2, "fan_avg")', 2, "average"),
        Case(ndtr, 'variance_scaling(0.5, "fan_out", "normal")', 0.5, "out"),
        Case(uniform_below, 'variance_scaling(3, "fan_in", "uniform")', 3, "in"),
        Case(cut_below, 'variance_scaling(3, "fan_out", "truncated_normal")', 3, "out"),
    ],
}
DTYPES = (
    "bfloat16",
    "float16",
    "float32",
    "float64",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
)


def cases() -> Iterator[tuple[Case, Layer, str]]:
    """Yield every case on every layer, with a dtype for each."""
    for place, case in enumerate(case for family in FAMILIES.values() for case in family):
        for number, layer in enumerate(LAYERS):
            yield case, layer, DTYPES[(place + number) % len(DTYPES)]


def weight_of(layer: Layer, dtype: str = "float32") -> Checkpoint:
    """Return a model of one layer without values."""
    return model(parameter("0.weight", *layer.shape, dtype=dtype), types={"0": layer.type})


def check_case(case: Case, layer: Layer, dtype: str = "bfloat16") -> None:
    """Check what is drawn before it is rounded, and then the rounding."""
    rule = f"0={case.scheme}"
    wide = draw(weight_of(layer), rule)["0.weight"]
    values = np.frombuffer(bytes_of(wide), np.float32)
    check_distribution(values, case.std(layer), case.below)
    rounded = draw(weight_of(layer, dtype), rule)["0.weight"]
    check_rounding(rounded, values)


def check_distribution(values: Any, std: float, below: Callable[[Any], Any]) -> None:
    """Check mean, variance and, by Kolmogorov and Smirnov, the distribution around 0."""
    x = np.sort(values).astype(np.float64) / std
    root = sqrt(len(x))
    assert abs(x.mean()) * root < SIGMAS
    squares = x * x
    assert abs(squares.mean() - 1) * root < SIGMAS * squares.std()
    steps = np.arange(len(x) + 1) / len(x)
    shares = below(x)
    distance = max((shares - steps[:-1]).max(), (steps[1:] - shares).max())
    assert kolmogorov(distance * root) > LEAST_P


def digest(data: bytes) -> str:
    """Return what tells bytes from others: how megabytes differ, pytest takes minutes to say."""
    return sha256(data).hexdigest()


def check_rounding(entry: Entry, values: Any) -> None:
    """Check that the bytes are what torch makes of the values in float32."""
    tensor = torch.from_numpy(values.copy()).to(getattr(torch, entry.dtype.name))
    expected = tensor.view(torch.uint8).numpy().tobytes()
    assert digest(bytes_of(entry)) == digest(expected)


def check_parts(scheme: str = "normal") -> None:
    """Check that parts read by themselves are those of the whole."""
    entry = draw(model(parameter("w", 300, 1000)), f"w={scheme}")["w"]
    whole = bytes_of(entry)
    assert entry.storage is not None
    for begin in range(0, len(whole), PIECE):
        length = min(PIECE, len(whole) - begin)
        part = entry.storage.source.read(begin, length)
        assert digest(part) == digest(whole[begin : begin + length])


def check_apart(scheme: str = "normal") -> None:
    """Check that parameters, seeds and parts of one parameter have nothing in common."""
    names = ("a.weight", "b.weight", "b.weight2")
    net = model(*(parameter(name, 1000, 300) for name in names))  # more than a part
    rules = [f"{name}={scheme}" for name in names]
    several = [draw(net, *rules, seed=seed)[name] for seed in (0, 1) for name in names]
    rows = np.array([np.frombuffer(bytes_at_once(entry), np.float32) for entry in several])
    rows = rows.reshape(2 * len(rows), -1)  # halves count for themselves
    correlations = np.corrcoef(rows) - np.eye(len(rows))
    assert abs(correlations).max() * sqrt(rows.shape[1]) < SIGMAS
    blocks = {block.tobytes() for row in rows for block in row.reshape(-1, 16)}
    assert len(blocks) == rows.size // 16


def check_mixture() -> None:
    """Check that the choice and the values of a mixture are draws of their own."""
    entry = parameter("w", 1000, 1000)
    values = drawn(entry, "mixture(1/2: zeros, 1/4: normal, 1/4: normal)").ravel()
    chosen = values[values != 0]
    assert abs(len(chosen) / len(values) - 0.5) * 2 * sqrt(len(values)) < SIGMAS
    check_distribution(chosen, 1.0, ndtr)


def check_sparse() -> None:
    """Check that the places and the values of a sparse matrix are draws of their own."""
    values = drawn(parameter("w", 1000, 1000), "sparse(0.3, std=2)")
    assert np.all((values == 0).sum(0) == 300)
    check_distribution(values[values != 0], 2.0, ndtr)


def check_tie() -> None:
    """Check that the values of a tie are those of its first name in sorted order."""
    entries = [parameter(name, 64, 64) for name in ("b.weight", "a.weight")]
    net = model(*entries, aliases={"a.weight": "b.weight"})
    expected = draw(model(entries[1]), "a=normal")["a.weight"]
    found = draw(net, "b=normal")["b.weight"]
    assert digest(bytes_of(found)) == digest(bytes_of(expected))


def check_fused() -> None:
    """Check that the parts of a fused matrix are draws of their own."""
    rule = Rule("fused", "w", parse_scheme("orthogonal"), WEIGHTS, split=3)
    fused = values_of(draw_by(model(parameter("w", 300, 100)), rule)["w"])
    parts = np.split(fused, 3)
    for part in parts:
        assert np.allclose(part @ part.T, np.eye(100), atol=1e-5)
    for one, other in combinations(parts, 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) * 100 < SIGMAS
