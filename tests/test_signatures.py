"""What Python programs hand over by mistake: one sentence at the door, and nothing is done."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import paramctl
from paramctl.arrays import read
from paramctl.errors import UsageError
from paramctl.inspected import Inspected

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP = str(SAMPLES / "mlp.pt")
METHODS = [
    each
    for of in (Inspected, paramctl.Model)
    for name, each in vars(of).items()
    if name[0] != "_" and callable(each)
]


@pytest.mark.parametrize(
    ("method", "arguments", "options", "message"),
    [
        ("drop", [["2", "0.bias"]], {}, "drop(*addresses) gives each by itself"),
        ("extract", [{"2"}], {}, "extract() takes addresses as str, not {'2'}; extract(*addresses"),
        ("tie", [("0", "2")], {}, "tie() takes addresses as str, not ('0', '2'); tie(*addresses)"),
        ("tie", ["0", "2"], {"keep": 0}, "tie() takes keep as str, not 0"),
        ("set", [["0.bias = 0"]], {}, "set() takes statements as str, not ['0.bias = 0']; set(*"),
        ("rename", [["s/0/1/"]], {}, "rename() takes rules as str | Mapping[str, str], not ['s/0/"),
        ("rename", [{"0.bias": 5}], {}, "not {'0.bias': 5}"),
        ("rename", [{0: "a"}], {}, "not {0: 'a'}"),
        ("merge", ["x.pt"], {}, "takes others as Checkpoint, not 'x.pt'; paramctl.open('x.pt') ma"),
        ("merge", [{"w": torch.ones(2)}], {}, "; paramctl.open('FILE') makes one"),
        ("merge", [], {"prefer": "frist"}, "Literal['first', 'last'] | None, not 'frist'"),
        (
            "graft",
            [Path("x.pt")],
            {},
            "graft() takes source as Checkpoint, not PosixPath('x.pt'); p",
        ),
        ("diff", [None], {}, "diff() takes other as Checkpoint, not None; paramctl.open("),
        ("diff", [paramctl.open(MLP)], {"ignore": ["types"]}, "'class']], not ['types']"),
        ("diff", [paramctl.open(MLP)], {"strip_prefix": "m."}, "not 'm.'; write ['m.']"),
        ("diff", [paramctl.open(MLP)], {"atol": "0.1"}, "diff() takes atol as float, not '0.1'"),
        ("init", [torch.nn.init.xavier_uniform_], {}, "takes scheme as str, not a function"),
        ("init", ["zeros"], {"seed": 1.5}, "init() takes seed as int | None, not 1.5"),
        ("resize", ["2"], {"shape": 9}, "resize() takes shape as Sequence[int], not 9"),
        ("with_metadata", [{"step": 1}], {}, "texts as Mapping[str, str], not {'step': 1}"),
        ("cast", [torch.int8], {}, "'int8' is no type to cast to; one of "),
        ("cast", [float], {}, "'float' is no type to cast to; one of "),
        ("check", [], {"only": ["nan"]}, "check() takes only as str, not ['nan']"),
        ("check", [], {"against": "x.yaml"}, "; paramctl.open('x.yaml') makes one"),
        ("stats", [], {"quantiles": 0.5}, "stats() takes quantiles as Collection[float], not 0.5"),
        ("stats", [], {"quantiles": ["0.5"]}, "quantiles as Collection[float], not ['0.5']"),
        ("probe", [], {"loss": "l1"}, "loss as Literal['sum', 'mse', 'cross_entropy'] | None, not"),
        ("save", [5], {}, "save() takes path as str | PathLike[str], not 5"),
        ("save", [b"x"], {}, "save() takes path as str | PathLike[str], not b'x'"),
        ("save", ["x"], {"ties": "both"}, "takes ties as Literal['alias', 'copy'], not 'both'"),
        ("save", ["x"], {"max_shard_size": 0}, "'0' is no size; write 5GB, 500MB or 4GiB"),
    ],
)
def test_a_wrong_argument_is_told_with_what_to_pass(
    method: str,
    arguments: list[object],
    options: dict[str, object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        getattr(paramctl.open(MLP), method)(*arguments, **options)
    assert message in str(error.value)
    assert len(str(error.value)) < 200
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([], {}, "Model.with_metadata() missing 1 required positional argument: 'texts'"),
        ([{}], {"sed": 1}, "Model.with_metadata() got an unexpected keyword argument 'sed'"),
    ],
)
def test_arguments_that_are_too_few_or_unknown_are_told_by_python(
    arguments: list[dict[str, str]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError) as error:
        paramctl.open(MLP).with_metadata(*arguments, **options)
    assert (str(error.value), error.value.__context__) == (message, None)


@pytest.mark.parametrize("path", [None, 5, b"x.pt", [MLP]])
def test_what_is_opened_is_a_path(path: object) -> None:
    with pytest.raises(UsageError, match=r"^open\(\) takes path as str \| PathLike\[str\], not "):
        paramctl.open(path)  # type: ignore[arg-type]


def test_what_fits_in_other_words_is_taken(tmp_path: Path) -> None:
    model = paramctl.open(Path(MLP), max_header_bytes=np.int64(10_000))  # type: ignore[arg-type]
    assert model.stats(quantiles=np.linspace(0, 1, 3))[0].quantiles
    for shape in ([9], (9,), torch.Size([9])):
        assert read(model.resize("0.bias", shape=shape, scheme="zeros")["0.bias"]).shape == (9,)
    assert not model.check(against=paramctl.open(SAMPLES / "mlp.yaml")).findings
    entry = paramctl.open(SAMPLES / "mlp.yaml").cast("fp16")["2.bias"]
    for dtype in (torch.float16, np.float16, np.dtype("float16"), entry.dtype, "F16", "float16"):
        assert model.cast(dtype)["2.bias"].dtype is entry.dtype
    drawn = model.init("normal", seed=np.int64(3))  # type: ignore[arg-type]
    assert read(drawn["2.bias"]) == read(model.init("normal", seed=3)["2.bias"])
    model.resize("0.bias", shape=tuple(np.array([9])), scheme="zeros").save(tmp_path / "x.pt")
    assert torch.load(tmp_path / "x.pt")["0.bias"].shape == (9,)
    model.save(tmp_path / "out", max_shard_size="5GB")
    assert load_file(tmp_path / "out" / "model.safetensors").keys() == model.keys()


@pytest.mark.parametrize("function", [paramctl.open, *METHODS])
def test_every_method_holds_its_arguments_against_types_that_are_there(
    function: Callable[..., object],
) -> None:
    assert hasattr(function, "__wrapped__")
    parameters = inspect.signature(function).parameters.values()
    assert not [each for each in parameters if isinstance(each.annotation, str)]


def test_a_misspelt_name_of_the_door_gets_the_right_one() -> None:
    code = "import paramctl\nparamctl.opn('x')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.endswith("has no attribute 'opn'. Did you mean: 'open'?\n")
    assert {"open", "Model", "Checkpoint"} <= {*dir(paramctl)}
    assert not {"sys", "Any", "TYPE_CHECKING"} & {*dir(paramctl)}


def test_a_key_of_another_type_is_an_unknown_name() -> None:
    with pytest.raises(KeyError, match="no parameter '0'; names are "):
        paramctl.open(MLP)[0]  # type: ignore[index]
