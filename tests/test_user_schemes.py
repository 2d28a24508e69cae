"""Schemes of users: functions in a file that they name, and in packages that they installed."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from paramctl.errors import UsageError
from paramctl.init.distributions import Uniform
from paramctl.init.language import parse_scheme
from paramctl.init.registry import all_schemes, find, names
from paramctl.init.streams import Stream
from paramctl.init.targets import Target

FILE = '''
from dataclasses import dataclass

import numpy
import torch

from paramctl.init.distributions import Uniform
from paramctl.init.scheme import scheme

NOT_A_FUNCTION = 3


@dataclass
class Loadable:
    """Dataclasses look up the module that they stand in."""

    x: int = 0


def ramp(shape, rng, step: float, start: float = 0.0):
    """Rise by a step."""
    return (start + step * numpy.arange(numpy.prod(shape))).reshape(shape)

def late(shape, rng, *, start=0.0, value):
    return numpy.full(shape, value)

def noise(shape, rng):
    return rng.standard_normal(shape)

def tensor(shape, rng):
    return torch.full(shape, 1.5, dtype=torch.bfloat16, requires_grad=True)

def nested(shape, rng):
    return [[1, 2], [3, 4]]

def flat(shape, rng):
    return numpy.zeros(4)

def words(shape, rng):
    return [["a", "b"], ["c", "d"]]

def ragged(shape, rng):
    return [[1], [2, 3]]

def fails(shape, rng):
    raise KeyError("gamma")

@scheme(formula="U(0, size)")
def wide(target, *, factor: float = 1.0):
    """As wide as it is large."""
    return Uniform(0.0, factor * target.numel)

@scheme(formula="?")
def wrong(target):
    return 3

@scheme(formula="?")
def broken(target):
    return target.shape[7]
'''


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "my schemes.py"
    path.write_text(FILE)
    return str(path)


def sample(text: str, name: str = "w") -> npt.NDArray[np.float32]:
    distribution = parse_scheme(text).distribution(Target(name, (2, 2)))
    values: npt.NDArray[np.float32] = distribution.sample(Stream(5, name), 0, 4)
    assert values.dtype == "float32"
    return values


def test_a_function_of_a_file_fills_a_parameter(file: str) -> None:
    assert sample(f"{file}:ramp(2)").tolist() == [0, 2, 4, 6]
    assert sample(f"{file}:ramp(step=1/2, start=1)").tolist() == [1, 1.5, 2, 2.5]
    assert sample(f"{file}:tensor").tolist() == [1.5] * 4
    assert sample(f"{file}:nested").tolist() == [1, 2, 3, 4]


def test_it_draws_from_a_generator_of_the_parameter_s_own(file: str) -> None:
    generator = np.random.Generator(np.random.Philox(key=Stream(5, "w").key()))
    expected = generator.standard_normal((2, 2)).astype(np.float32).reshape(-1)
    assert np.array_equal(sample(f"{file}:noise"), expected)
    assert not np.array_equal(sample(f"{file}:noise", "v"), expected)


def test_a_scheme_of_a_file_may_return_a_distribution(file: str) -> None:
    bound = parse_scheme(f"{file}:wide(factor=2)")
    assert bound.distribution(Target("w", (3, 4))) == Uniform(0.0, 24.0)
    assert bound.scheme.summary == "As wide as it is large."


def test_its_text_parses_to_it_again(file: str) -> None:
    for call in ("ramp(2, start=3)", "ramp(2)", "noise", "wide(factor=2)", "late(value=2)"):
        text = f"{file}:{call}"
        assert str(parse_scheme(text)) == text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("rampp", "my schemes.py' has no 'rampp' (column 1); closest: ramp"),
        ("NOT_A_FUNCTION", "my schemes.py:NOT_A_FUNCTION is no function (column 1)"),
        ("ramp", "needs 'step'"),
        ("ramp(stepp=1)", "has no parameter 'stepp'"),
        ("ramp('a')", "step is a number"),
        ("ramp(", "expected a number, a name or a string, found the end"),
        ("ramp + 1", "expected a scheme"),
    ],
)
def test_what_is_wrong_with_its_text_is_said_at_once(file: str, call: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_scheme(f"{file}:{call}")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("flat", "'w' of shape [2, 2] does not fit what .*my schemes.py:flat made: [4]"),
        ("words", "my schemes.py:words made no real numbers but <U1"),
        ("ragged", "my schemes.py:ragged raised ValueError: setting an array element"),
        ("fails", "my schemes.py:fails raised KeyError: 'gamma'"),
        ("wrong", "my schemes.py:wrong returned int, no distribution"),
        ("broken", "my schemes.py:broken raised IndexError: tuple index out of range"),
    ],
)
def test_what_its_code_does_wrong_is_the_user_s_error(file: str, call: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message).replace(r"\.\*", ".*")) as caught:
        sample(f"{file}:{call}")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_of_this_name", "raised ModuleNotFoundError"),
        ("def f(:", "raised SyntaxError"),
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "raised SystemExit: 0"),
    ],
)
def test_a_file_that_cannot_be_run_is_the_user_s_error(
    tmp_path: Path, code: str, message: str
) -> None:
    (tmp_path / "bad.py").write_text(code)
    with pytest.raises(UsageError, match=rf"bad\.py {message}"):
        parse_scheme(f"{tmp_path}/bad.py:f")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"no file 'nowhere\.py' \(column 1\)"):
        parse_scheme("nowhere.py:f")


def install(folder: Path, package: str, entries: str) -> None:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[paramctl.schemes]\n{entries}\n")


def test_a_package_offers_schemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "offers_schemes.py").write_text(FILE)
    install(tmp_path, "offers", "ramp = offers_schemes:ramp\nwide = offers_schemes:wide")
    monkeypatch.syspath_prepend(tmp_path)
    assert sample("ramp(2)").tolist() == [0, 2, 4, 6]
    assert parse_scheme("mixture(1: wide)").distribution(Target("w", (2,))).mean == 1
    assert [scheme.name for scheme in all_schemes()][-2:] == ["ramp", "wide"]
    assert find("ramp").origin == "offers_schemes:ramp"
    with pytest.raises(UsageError, match="no scheme 'rampp'; closest: ramp"):
        find("rampp")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("gone = nowhere_to_be_found:f", "nowhere_to_be_found:f raised ModuleNotFoundError"),
        ("xavier = os:getcwd", "the scheme 'xavier' of os:getcwd has a name that is taken"),
    ],
)
def test_a_package_that_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: str, message: str
) -> None:
    install(tmp_path, "broken", entries)
    monkeypatch.syspath_prepend(tmp_path)
    assert find("xavier").name == "xavier_uniform"
    assert (
        names()[-1] == entries.partition(" ")[0]
    )  # which is offered to a shell: nothing is loaded
    with pytest.raises(UsageError, match=message):
        all_schemes()
