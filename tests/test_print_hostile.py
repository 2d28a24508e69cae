"""`print` of hostile files: nothing is run or imported, no line is forged, nothing takes long."""

import io
import sys
from pathlib import Path

import pytest
import torch
from forks import Forks
from hostile import PRINTABLE_LINE
from pickle_bytes import NONE, called, dictionary, number, pickled, text
from printed import counted, module, one_module, printed, read
from program import Run, paramctl
from torch import nn
from zip_bytes import save, torch_zip

MANY = 100_000
MAX_SECONDS = 10


def assert_told(run: Run, code: int, message: str) -> None:
    """Check that a file is refused in one line and soon, but for the import of torch."""
    assert (run.code, run.out) == (code, "")
    assert PRINTABLE_LINE.fullmatch(run.err)
    assert message in run.err
    assert run.seconds < MAX_SECONDS


def hostile_linear(**attributes: object) -> bytes:
    net = nn.Linear(3, 2)
    vars(net).update(attributes)
    return save(nn.Sequential(net))


@pytest.mark.parametrize(
    "name", ["extra_repr", "_get_name", "__class__", "__repr__", "__dict__", "_modules "]
)
def test_attributes_that_stand_for_methods_change_nothing(name: str) -> None:
    assert printed(hostile_linear(**{name: "forged"})) == str(nn.Sequential(nn.Linear(3, 2)))


@pytest.mark.parametrize(
    "value",
    ["x\n  (1): Linear()", "\x1b[2J", "x" * 1_001, torch.ones(3), ((((1,),),),)],
    ids=["lines", "escape", "long", "tensor", "deep"],
)
def test_attributes_that_are_no_plain_values_are_left_out(value: object) -> None:
    assert printed(hostile_linear(in_features=value)) == "Sequential(\n  (0): Linear()\n)"


def test_attributes_that_are_plain_are_printed_whatever_they_say() -> None:
    lines = printed(hostile_linear(in_features="{x:>9999999999}%s", out_features=-1))
    assert "(0): Linear(in_features={x:>9999999999}%s, out_features=-1, bias=True)" in lines


def test_names_cannot_forge_lines_or_steer_a_terminal(forks: Forks, tmp_path: Path) -> None:
    net = nn.Sequential()
    net._modules["a\n)\n(b): \x1b[2J"] = nn.ReLU()
    net._modules["c"] = nn.ParameterDict({"d\n(e)": torch.ones(2)})
    (tmp_path / "net.pt").write_bytes(save(net))
    for options in ([], ["--counts"]):
        lines = forks.run("print", tmp_path / "net.pt", "-q", *options).out.splitlines()
        assert [line.partition("  # ")[0] for line in lines[:4]] == [
            "Sequential(",
            r"  (a\n)\n(b): \x1b[2J): ReLU()",
            "  (c): ParameterDict()",
            ")",
        ]


def test_parameters_that_are_no_tensors_are_no_parameters() -> None:
    net = nn.Linear(3, 2)
    net._parameters["weight"] = 5  # type: ignore[assignment]
    net._parameters["bias"] = "text"  # type: ignore[assignment]
    assert counted(save(net)) == [str(nn.Linear(3, 2)), "0 parameters"]


def test_children_that_are_no_modules_are_no_children() -> None:
    net = nn.Sequential(nn.ReLU())
    net._modules["5"] = 5  # type: ignore[assignment]
    net._modules["list"] = [nn.ReLU()]  # type: ignore[assignment]
    net._modules["set"] = io.BytesIO(b"x")  # type: ignore[assignment]
    assert printed(save(net)).splitlines()[1:] == ["  (0): ReLU()", "  (set): BytesIO()", ")"]


def foreign_modules() -> set[str]:
    """Return what is imported and not ours: our own parts load when they are first needed."""
    return {name for name in sys.modules if not name.startswith("paramctl.")}


@pytest.mark.parametrize(
    ("path", "name", "prints"),
    [
        ("torch.nn.modules.module", "os", "os()"),
        ("torch.nn.modules.module", "functools.partial", "partial()"),
        ("torch.nn.modules.linear", "nonexistent", "nonexistent()"),
        ("torch.nn.modules.linear", "Module", "Module()"),
        ("torch.nn.modules.linear", "Linear.forward", "forward()"),
        ("torch.nn.modules.nonexistent", "Linear", "Linear()"),
        ("torch.nn.modules.antigravity", "this", "this()"),
        ("torch.nn", "Linear", "Linear()"),
        ("os", "system", "system()"),
    ],
)
def test_only_a_class_of_torch_nn_itself_is_looked_up(path: str, name: str, prints: str) -> None:
    before = foreign_modules()
    attributes = dict.fromkeys(("in_features", "out_features"), number(3))
    assert printed(one_module(path, name, **attributes)) == prints
    assert foreign_modules() == before
    known = one_module("torch.nn.modules.linear", "Linear", **attributes)
    assert printed(known) == "Linear()"  # without a `bias`, which a Linear always has


def test_a_module_of_no_class_is_listed_and_printed() -> None:
    made = called("mine", "make_class") + b")R"
    parts = dict.fromkeys(("_parameters", "_buffers", "_modules"), dictionary())
    data = torch_zip(pickled(made + dictionary(**parts) + b"b"))
    assert printed(data) == "<Object>()"
    assert read(data).types == {"": "<Object>"}


def test_a_module_that_holds_itself_is_malformed(forks: Forks, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Sequential())
    net[0]._modules["again"] = net
    (tmp_path / "net.pt").write_bytes(save(net))
    run = forks.run("print", tmp_path / "net.pt", "-q")
    assert_told(run, 3, "a module that holds itself")


@pytest.mark.parametrize(("depth", "code"), [(257, 0), (258, 5), (10_000, 5)])
def test_modules_are_nested_no_deeper_than_can_be_printed(
    forks: Forks, tmp_path: Path, depth: int, code: int
) -> None:
    begin, end = module("mine", "Deep", _modules=b"}" + text("0") + b"@").split(b"@")
    path = tmp_path / "net.pt"
    path.write_bytes(torch_zip(pickled(begin * depth + b"N" + (b"s" + end) * depth)))
    run = forks.run("print", path, "-q")
    assert run.code == code
    if code:
        assert_told(run, code, "values are nested more than 256 deep")
    else:
        assert run.out.count("Deep(") == depth


def test_a_small_file_that_unfolds_to_very_many_modules_is_refused(
    forks: Forks, tmp_path: Path
) -> None:
    net = nn.Module()
    for _ in range(40):
        net = nn.ModuleList([net, net])
    (tmp_path / "net.pt").write_bytes(save(net))
    run = forks.run("print", tmp_path / "net.pt", "-q")
    assert_told(run, 5, "a small file that unfolds to very many values")


def test_attributes_that_unfold_to_very_many_values_are_refused(
    forks: Forks, tmp_path: Path
) -> None:
    wide: object = 1
    for _ in range(3):
        wide = (wide,) * 400
    (tmp_path / "net.pt").write_bytes(hostile_linear(in_features=wide))
    run = forks.run("print", tmp_path / "net.pt", "-q")
    assert_told(run, 5, "a small file that unfolds to very many values")


def test_a_model_of_very_many_layers_takes_seconds(forks: Forks, tmp_path: Path) -> None:
    body = b"".join(text(str(i)) + module("mine", "Own") for i in range(MANY))
    path = tmp_path / "net.pt"
    path.write_bytes(torch_zip(pickled(module("mine", "Net", _modules=b"}(" + body + b"u"))))
    run = forks.run("print", path, "-q")
    assert run.out.count("\n") == MANY + 2
    assert run.seconds < 30


def test_nothing_of_a_file_is_run(tmp_path: Path) -> None:
    sung = tmp_path / "sung"
    canary = called("builtins", "open", text(str(sung)), text("w"))
    made = b"cmine\nNet\n" + canary + b"\x85\x81"
    net = module("mine", "Net", x=canary, _modules=dictionary(a=canary, b=made + NONE + b"b"))
    path = tmp_path / "net.pt"
    path.write_bytes(torch_zip(pickled(net)))
    run = paramctl("print", path, "-q")
    assert run.out == "Net(\n  (a): open()\n  (b): Net()\n)\n"
    assert not sung.exists()
