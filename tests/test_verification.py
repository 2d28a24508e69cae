"""Whether drawn values are what they should be: honest ones always, mistaken ones never."""

from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import mistakes
import numpy as np
import pytest
from drawn import draw, flat, model, parameter, plan_rules
from forks import Forks
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import Memory

from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import FLOATING
from paramctl.edits import verification
from paramctl.edits.filled import Filled
from paramctl.edits.initialization import initialize
from paramctl.edits.tying import tie
from paramctl.edits.verification import find_deviations, measure
from paramctl.init.registry import all_schemes

MLP = Path(__file__).parents[1] / "sample_models" / "mlp.pt"
SCHEMES = [
    "uniform", "uniform(99, 101)", "normal", "normal(3, 0.01)", "trunc_normal(std=0.02)",
    "trunc_normal(0, 1, 1, 5)", "constant(0.1)", "zeros", "ones", "xavier_uniform",
    'xavier_normal(gain="relu")', "kaiming_uniform(a=sqrt(5))", 'kaiming_normal(mode="fan_out")',
    "lecun_uniform", "lecun_normal", "variance_scaling(2)", "eye", "dirac", "orthogonal(gain=2)",
    "delta_orthogonal", "sparse(0.9)", "sparse(1/3)", "default", "mixture(1/2: zeros, 1/2: normal)",
    "mixture(0.999: zeros, 0.001: normal(std=30))", "mixture(0.999: ones, 0.001: constant(-50))",
]  # fmt: skip
SHAPES = [(1,), (2,), (3, 3), (1, 1), (2, 5), (3, 3, 3)]


def alone(scheme: str, *shape: int, dtype: str = "float32", seed: int = 0) -> list[str]:
    """Return the parameters of a model of one that do not seem to be of a scheme."""
    net = model(parameter("0.weight", *shape, dtype=dtype), types={"0": "Linear"})
    planned = plan_rules(net, f"0={scheme}")
    return [found.name for found in find_deviations(initialize(net, planned, seed), planned)]


def stored(entry: Entry, values: object) -> Checkpoint:
    """Return a model of one parameter with these values, in float32."""
    data = np.broadcast_to(np.asarray(values, np.float32), entry.shape).tobytes()
    return model(entry._replace(storage=Storage(Memory(data), 0, len(data))))


def test_every_scheme_is_among_those_that_are_tried() -> None:
    tried = {text.partition("(")[0] for text in SCHEMES}
    assert tried == {scheme.name for scheme in all_schemes()}


@settings(max_examples=800)
@given(
    scheme=st.sampled_from(SCHEMES),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 2**64 - 1),
    dtype=st.sampled_from(["float32", "bfloat16", "float16"]),
)
def test_honest_values_of_few_elements_raise_no_alarm(
    scheme: str, shape: tuple[int, ...], seed: int, dtype: str
) -> None:
    assert alone(scheme, *shape, dtype=dtype, seed=seed) == []


@pytest.mark.parametrize("dtype", sorted(FLOATING))
@pytest.mark.parametrize("scheme", [text for text in SCHEMES if "orthogonal" not in text])
def test_honest_values_of_many_elements_raise_no_alarm_in_any_type(scheme: str, dtype: str) -> None:
    assert alone(scheme, 300, 200, dtype=dtype) == []


@pytest.mark.parametrize(
    ("mistake", "scheme"),
    [
        (mistakes.swap_fans, "lecun_uniform"),
        (mistakes.swap_fans, "kaiming_normal"),
        (mistakes.square_the_gain, "kaiming_uniform"),
        (mistakes.square_the_gain, "xavier_normal(gain=1.2)"),
        (mistakes.forget_root_3, "xavier_uniform"),
        (mistakes.take_variance_for_std, "xavier_normal"),
        (mistakes.take_std_for_variance, "kaiming_normal"),
        (mistakes.forget_the_cut, "lecun_normal"),
        (mistakes.drop_the_sign, "normal"),
        (mistakes.ignore_the_draw, "mixture(1/2: zeros, 1/2: normal)"),
    ],
)
def test_mistakes_are_found_at_10_000_elements(
    mistake: Callable[[pytest.MonkeyPatch], None], scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = model(parameter("0.weight", 50, 200), types={"0": "Linear"})
    honest = plan_rules(net, f"0={scheme}")
    assert find_deviations(initialize(net, honest, 0), honest) == []
    mistake(monkeypatch)
    (found,) = find_deviations(draw(net, f"0={scheme}"), honest)
    assert found.name == "0.weight"


@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (40, 30)])
@pytest.mark.parametrize("value", [1.001, 0.0, -1.0, 1e30, inf, -inf, nan])
def test_another_constant_is_found_in_a_single_element(
    value: float, shape: tuple[int, ...]
) -> None:
    entry = parameter("a", *shape)
    assert find_deviations(stored(entry, value), plan_rules(model(entry), "a=ones"))


@pytest.mark.parametrize("wrong", [inf, -inf, nan, [inf, -inf] * 50])
def test_what_is_no_number_is_found(wrong: float | list[float]) -> None:
    entry = parameter("a", 100)
    values = np.array(flat(draw(model(entry), "a=normal")["a"]))
    values[: np.size(wrong)] = wrong
    assert find_deviations(stored(entry, values), plan_rules(model(entry), "a=normal"))


@pytest.mark.parametrize(
    ("scheme", "dtype"),
    [
        ("normal(std=3e38)", "float32"),
        ("normal(3e38, 3e38)", "float32"),
        ("normal(std=1e-9)", "float16"),
        ("normal(std=1e5)", "float16"),
        ("normal(std=1e5)", "float8_e5m2"),
        ("normal(std=1e3)", "float8_e4m3fnuz"),
        ("normal(std=1e3)", "float8_e4m3fn"),
        ("normal(std=1e-4)", "float8_e4m3fn"),
    ],
)
def test_what_a_type_cannot_hold_is_found(scheme: str, dtype: str) -> None:
    assert alone(scheme, 100, 100, dtype=dtype) == ["0.weight"]


def test_a_deviation_says_what_was_measured_and_what_should_be() -> None:
    entry = parameter("a", 10_000)
    values = np.tile([2.5, 3.5], 5000)
    (found,) = find_deviations(stored(entry, values), plan_rules(model(entry), "a=normal(std=2)"))
    assert str(found) == "'a' has mean 3 and std 0.5; normal(std=2) has 0 and 2"


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_moments_are_numpy_s_in_blocks_of_any_size(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "BLOCK", size)
    entry = draw(model(parameter("a", 30, 20)), "a=normal(1, 2)")["a"]
    values, moments = flat(entry), measure(entry, 0.5)
    assert moments.numel == 600
    assert moments.mean == pytest.approx(values.mean())
    assert moments.variance == pytest.approx(((values - 0.5) ** 2).mean())
    assert moments.fourth == pytest.approx(((values - 0.5) ** 4).mean())


def test_all_that_was_drawn_is_compared_and_nothing_else() -> None:
    names = ("a", "b", "c", "d")
    net = model(*(parameter(name, 100) for name in names), parameter("none", 0))
    net = tie(initialize(net, plan_rules(net, "*=zeros"), 0), ["b", "c"], keep="c")
    planned = plan_rules(net, "a=ones", "b=normal(5)", "none=normal")
    assert [found.name for found in find_deviations(net, planned)] == ["a", "c"]


def test_no_matrix_is_kept_in_memory() -> None:
    net = model(parameter("a", 30, 20))
    planned = plan_rules(net, "a=orthogonal")
    filled = initialize(net, planned, 0)
    assert find_deviations(filled, planned) == []
    storage = filled["a"].storage
    assert storage is not None
    assert isinstance(storage.source, Filled)
    assert storage.source._kept is None


@pytest.mark.parametrize(
    ("scheme", "code", "said"),
    [
        ("xavier", 0, "mean and std are as in theory: 4 parameters"),
        ("normal(std=1e39)", 2, "too large"),
        ("normal(std=3e38)", 1, "'0.weight' has mean nan and std nan; normal(std=3e+38) has 0"),
    ],
)
def test_the_program_says_whether_values_agree(
    scheme: str, code: int, said: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("init", MLP, "-s", scheme, "--seed", "0", "--verify", "-o", tmp_path / "out")
    assert run.code == code
    assert said in run.err
