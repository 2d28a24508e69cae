"""Factories: the user's own Python code, named on the command line, makes the module."""

from pathlib import Path

import pytest
import torch
from forks import Forks
from program import paramctl
from safetensors.torch import load_file
from torch import nn

import paramctl as library
from paramctl.errors import UsageError

FANCY = Path(__file__).parents[1] / "sample_models" / "fancy_mlp.py"
CODE = """
import torch
from torch import nn

def build(width=4, *, bias=True, names=()):
    print("built")
    return nn.Sequential(nn.Linear(width, 8, bias=bias), nn.BatchNorm1d(8))

def tied():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)

def constant():
    net = nn.Linear(4, 4)
    net.register_buffer("table", torch.arange(3) * 2.5)
    return net

def broken():
    raise ValueError("no data")

def number():
    return 42

text = "no function"
"""


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_model.py").write_text(CODE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("factory", "width"),
    [
        ("my_model.py:build", 4),
        ("./my_model.py:build", 4),
        ("my_model.py:build()", 4),
        ("my_model.py:build(16)", 16),
        ("my_model.py:build(width=64)", 64),
        ("my_model.py:build(width=3, names=('a', [1.5, None]))", 3),
        ("package.module:build(width=2)", 2),
    ],
)
def test_a_factory_is_listed_as_what_it_makes(factory: str, width: int) -> None:
    model = library.open(factory)
    state = nn.Sequential(nn.Linear(width, 8), nn.BatchNorm1d(8)).state_dict()
    assert {name: entry.shape for name, entry in model.items()} == {
        name: tuple(tensor.shape) for name, tensor in state.items()
    }
    assert model["1.running_mean"].kind == "buffer"
    assert model.types == {"": "Sequential", "0": "Linear", "1": "BatchNorm1d"}


def test_what_a_factory_shares_is_tied() -> None:
    model = library.open("my_model.py:tied")
    assert model.aliases == {"2.weight": "0.weight", "2.bias": "0.bias"}


def test_a_factory_may_compute() -> None:
    assert library.open("my_model.py:constant")["table"].shape == (3,)


def test_a_module_is_built_the_same_each_time() -> None:
    build = library.open(f"{FANCY}:fancy_mlp").build
    assert build is not None
    one, other = build("cpu"), build("cpu")
    assert torch.equal(one.rand_weight, other.rand_weight)
    x = torch.rand(2, 20)
    assert torch.equal(one(x), other(x))
    assert float(one(x).abs().detach()) <= 1


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("my_model.py:biuld", "'my_model.py' has no 'biuld'; closest: build"),
        ("missing.py:build", "no file 'missing.py'"),
        ("no_such_package.module:build", "no module 'no_such_package.module'"),
        ("package.module:nope", "'package.module' has no 'nope'"),
        ("my_model.py:broken", "my_model.py:broken raised ValueError: no data"),
        ("my_model.py:number", "my_model.py:number made int, no torch.nn.Module"),
        ("my_model.py:text", "'text' is no function"),
        ("my_model.py:build(wide=3)", "unexpected keyword argument 'wide'"),
        ("my_model.py:build(width=open('x'))", "'(width=open('x'))' are no arguments"),
        ("my_model.py:build(width=4)(5)", "are no arguments"),
        ("my_model.py:build(width=4", None),
        ("my_model.py:build(**{'width': 4})", "are no arguments"),
        ("my_model.py:build(width=[)", "are no arguments"),
    ],
)
def test_what_is_no_factory_is_an_error(factory: str, message: str | None) -> None:
    with pytest.raises(library_error(message)) as caught:
        library.open(factory)
    assert message is None or message in str(caught.value)


def library_error(message: str | None) -> type[Exception]:
    """Return the error that is expected; what looks like no factory at all is a missing file."""
    from paramctl.errors import FileError  # noqa: PLC0415 (beside the other one)

    return UsageError if message else FileError


def test_what_a_factory_prints_is_talk(tmp_path: Path) -> None:
    run = paramctl("ls", "my_model.py:build", "--format", "names", cwd=tmp_path)
    assert run.code == 0
    assert run.out.splitlines()[:2] == ["0.weight", "0.bias"]
    assert run.err == "built\n"


def test_a_factory_s_model_is_initialized(torch_forks: Forks, tmp_path: Path) -> None:
    target = tmp_path / "x.safetensors"
    factory = f"{tmp_path / 'my_model.py'}:tied"
    run = torch_forks.run("init", factory, "--seed", "0", "-o", target)
    assert run.code == 0, run.err
    model = library.open(target)
    assert model.aliases == {"2.weight": "0.weight", "2.bias": "0.bias"}
    assert model.build is None  # code does not travel
    assert "paramctl.spec" not in model.metadata


OWN = """
import torch
from torch import nn
class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(4))
        self.linear = nn.Linear(4, 4)
"""


UNKNOWN = "'scale': it is not known from PyTorch's layers, and it has no values yet"


@pytest.mark.parametrize(
    ("options", "reason", "others"),
    [
        ((), UNKNOWN, ", and one for 'shift'"),
        (("linear", "-s", "xavier"), UNKNOWN, ", and one for 'shift'"),
        (("--rule", "shift=zeros"), UNKNOWN, ""),
        (
            ("--rule", "scale=keep"),
            "'scale': a rule keeps it, and it has no values yet",
            ", and one for 'shift'",
        ),
    ],
)
def test_a_parameter_that_is_of_no_layer_of_pytorch_s_needs_a_rule(
    options: tuple[str, ...], reason: str, others: str, torch_forks: Forks, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    factory, target = f"{tmp_path / 'own.py'}:Own", tmp_path / "x.safetensors"
    run = torch_forks.run("init", factory, *options, "-o", target)
    advice = f"give it some: --rule scale=SCHEME{others}"
    assert (run.code, run.err) == (2, f"paramctl: {factory}: {reason}; {advice}\n")
    assert not target.exists()


def test_rules_fill_what_is_of_no_layer_of_pytorch_s(torch_forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    rules = ("--rule", "scale=ones", "--rule", "shift=constant(2)")
    run = torch_forks.run("init", f"{tmp_path / 'own.py'}:Own", *rules, "-o", tmp_path / "x")
    assert run.code == 0, run.err
    state = load_file(tmp_path / "x")
    assert torch.equal(state["scale"], torch.ones(4))
    assert torch.equal(state["shift"], torch.full((4,), 2.0))
    assert state["linear.weight"].any()
