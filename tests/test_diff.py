"""`paramctl diff` as users run it: tables, TSV and JSON, what is chosen, and exit codes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import Forks
from program import paramctl, run_on_terminal, shell
from safetensors.torch import load_file, save_file

from paramctl.cli.candidates import find_candidates

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.pt", SAMPLES / "shared.pt"
EVIL = "\x1b]0;x\x07[bold]\u202e\t\nname"
TSV = """\
changed	0.weight	[2, 3]	float32	0.weight	[2, 3]	float32	0.5	[1, 2]	0.09091	0.05415	0.999113396	0.833333333	-
added	-	-	-	0.extra	[1]	int64	-	-	-	-	-	-	-
changed	0.bias	[2]	float32	0.bias	[2]	bfloat16	0	-	0	0	1	1	-
changed	1.weight	[2]	float32	1.weight	[3]	float32	-	-	-	-	-	-	-
changed	1.bias	[2]	float32	1.bias	[2]	float32	nan	[1]	nan	0	1	0.5	1 value NaN in one of them only
renamed	old	[3]	float32	new	[3]	float32	-	-	-	-	-	-	renamed to new
removed	gone	[2]	bool	-	-	-	-	-	-	-	-	-	-
changed	tied	[2, 3]	float32	tied	[2, 3]	float32	0	-	0	0	1	1	tied to same in A, not tied in B
metadata	epoch	1	2
metadata	was	text	-
metadata	lr	-	0.1
"""  # noqa: E501 (lines between tabs)
BRIEF = """\
0.weight: values
0.extra: only in B
0.bias: dtype
1.weight: shape
1.bias: values
old: now new
gone: only in A
tied: tie
metadata epoch
metadata was
metadata lr
"""
TABLE = """\
A  a.pt  ·  torch zip  ·  model  ·  also epoch: 1, was: text
B  b.pt  ·  torch zip  ·  model  ·  also epoch: 2, lr: 0.1
            shape      dtype               max diff   rel L2    cosine  equal
~ 0.weight  [2, 3]     float32                  0.5  0.05415  0.999113  83.3%
+ 0.extra   [1]        int64
~ 0.bias    [2]        float32 → bfloat16                                100%
~ 1.weight  [2] → [3]  float32
~ 1.bias    [2]        float32                  nan        0  1.000000    50%
    1 value NaN in one of them only
> old       [3]        float32
    renamed to new
- gone      [2]        bool
~ tied      [2, 3]     float32                                           100%
    tied to same in A, not tied in B
metadata
~ epoch: 1 → 2
- was: text
+ lr: 0.1
9 parameters: 1 equal, 5 changed, 1 added, 1 removed, 1 renamed
3 keys of the metadata changed
"""


def states() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return two states that differ in every way."""
    same = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    a = {
        "0.weight": same.clone(),
        "0.bias": torch.tensor([0.5, 1.5]),
        "1.weight": torch.ones(2),
        "1.bias": torch.tensor([1.0, 2.0]),
        "same": same,
        "old": torch.tensor([7.0, 8.0, 9.0]),
        "gone": torch.tensor([True, False]),
        "tied": same,
    }
    b = {name: tensor.clone() for name, tensor in a.items()}
    b["0.weight"][1, 2] -= 0.5
    b["1.bias"][1] = torch.nan
    b |= {"0.bias": b["0.bias"].bfloat16(), "1.weight": torch.ones(3), "new": b.pop("old")}
    del b["gone"]
    return a, {"0.weight": b["0.weight"], "0.extra": torch.tensor([1]), **b}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two training checkpoints that differ in every way."""
    folder = tmp_path_factory.mktemp("diff")
    a, b = states()
    torch.save({"model": a, "epoch": 1, "was": "text"}, folder / "a.pt")
    torch.save({"model": b, "epoch": 2, "lr": 0.1}, folder / "b.pt")
    return folder


@pytest.fixture
def models(folder: Path) -> tuple[Path, Path]:
    return folder / "a.pt", folder / "b.pt"


def told(forks: Forks, *arguments: str | Path) -> Any:
    run = forks.run("diff", *arguments, "--format", "json")
    assert run.code in (0, 1), run.err
    found = json.loads(run.out)
    assert found["equal"] is (run.code == 0)
    return found


def changes(found: Any) -> list[tuple[str, str]]:
    return [(each["change"], (each["a"] or each["b"])["name"]) for each in found["parameters"]]


# What is said


def test_a_pipe_gets_a_line_for_each_that_differs(models: tuple[Path, Path], forks: Forks) -> None:
    run = forks.run("diff", *models)
    assert (run.code, run.err) == (1, "")
    assert run.out == TSV


def test_json_says_the_same_and_more(models: tuple[Path, Path], forks: Forks) -> None:
    found = told(forks, *models)
    lines = [line.split("\t") for line in TSV.splitlines()]
    parameters = [line for line in lines if line[0] not in ("metadata", "class")]
    for parameter, cells in zip(found["parameters"], parameters, strict=True):
        sides = parameter["a"], parameter["b"]
        assert parameter["change"] == cells[0]
        for side, start in zip(sides, (1, 4), strict=True):
            known = [side["name"], str(side["shape"]), side["dtype"]] if side else ["-"] * 3
            assert known == cells[start : start + 3]
        assert (parameter["note"] or "-") == cells[13]
    weight, bias = (found["parameters"][place]["values"] for place in (0, 4))
    assert weight == {
        "count": 6,
        "equal": 5,
        "one_sided_nans": 0,
        "largest": 0.5,
        "at": [1, 2],
        "relative": pytest.approx(0.5 / 5.5),
        "relative_l2": pytest.approx(0.5 / (1 + 4 + 9 + 16 + 25 + 5.5**2) ** 0.5),
        "cosine": pytest.approx(88 / (91 * 85.25) ** 0.5),
    }
    assert (bias["largest"], bias["relative"], bias["one_sided_nans"]) == ("nan", "nan", 1)
    assert found["metadata"][::2] == [{"key": "epoch", "a": 1, "b": 2}, {"key": "lr", "b": 0.1}]
    assert found["counts"] == {
        "equal": 1, "changed": 5, "added": 1, "removed": 1, "renamed": 1
    }  # fmt: skip
    assert [found[side]["file"] for side in "ab"] == [str(path) for path in models]


def test_in_brief_it_is_a_line_each(models: tuple[Path, Path], forks: Forks) -> None:
    run = forks.run("diff", *models, "--brief")
    assert (run.code, run.out, run.err) == (1, BRIEF, "")


def test_a_terminal_gets_a_table_and_what_it_comes_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    shown = run_on_terminal("diff", "a.pt", "b.pt", NO_COLOR="1")
    assert "".join(f"{line.rstrip()}\n" for line in shown.splitlines()) == TABLE
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("columns", [20, 40, 60, 100, 160])
def test_a_table_fits_every_width(columns: int, models: tuple[Path, Path]) -> None:
    shown = run_on_terminal("diff", *models, "0", "1", "old", "gone", columns=columns, NO_COLOR="1")
    table = [line for line in shown.splitlines()[:-1] if str(models[0].parent) not in line]
    assert max(map(len, table)) <= columns
    headings = {"max diff": 30, "rel L2": 60, "cosine": 90, "max rel": 100}
    for heading, least in headings.items():
        assert (heading in shown) or columns < least


def test_a_table_is_coloured_on_demand(models: tuple[Path, Path], forks: Forks) -> None:
    plain = forks.run("diff", *models, "--format", "table").out
    assert "\x1b" not in plain
    colored = forks.run("diff", *models, "--format", "table", "--color", "always").out
    for mark, code in (("+ 0.extra", 32), ("- gone", 31), ("~ 1.bias", 33), ("> old", 36)):
        assert f"\x1b[{code}m{mark}" in colored
        assert mark in plain


def test_what_is_equal_is_listed_on_demand(models: tuple[Path, Path], forks: Forks) -> None:
    found = told(forks, *models, "--equal")
    assert ("equal", "same") in changes(found)
    assert len(found["parameters"]) == 9
    assert "= same" in forks.run("diff", *models, "--equal", "--format", "table").out


# Equal


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("mlp.pt", "mlp.safetensors"),
        ("mlp.safetensors", "mlp.pt"),
        ("mlp.pt", "mlp.pt"),
        ("mlp.pt", "legacy.pt"),
        ("mlp.pt", "mlp_exported.pt2"),
        ("mlp_module.pt", "mlp_traced.pt"),
        ("shared.pt", "shared.safetensors"),
        ("gpt2", "gpt2"),
        ("mlp.yaml", "mlp.pt"),
        ("shared.safetensors", "shared.yaml"),
    ],
)
def test_one_model_in_two_formats_is_equal(a: str, b: str, torch_forks: Forks) -> None:
    run = torch_forks.run("diff", SAMPLES / a, SAMPLES / b)
    assert (run.code, run.out) == (0, ""), run.err
    run = torch_forks.run("diff", SAMPLES / a, SAMPLES / b, "--format", "table")
    assert run.code == 0
    count = len(torch_forks.run("ls", SAMPLES / a, "--format", "names").out.splitlines())
    assert run.out.endswith(f"\n{count} parameters: {count} equal\n")


def test_where_there_are_no_values_that_is_said(torch_forks: Forks) -> None:
    spec = SAMPLES / "mlp.yaml"
    run = torch_forks.run("diff", spec, MLP, "--equal")
    assert run.code == 0
    assert run.err.startswith(f"paramctl: {spec}: it has parameters without values")
    assert [line.split("\t")[-1] for line in run.out.splitlines()] == ["no values in A"] * 4
    assert torch_forks.run("diff", SHARED, spec).code == 1


def test_a_copy_in_another_type_is_as_near_as_the_tolerance(tmp_path: Path, forks: Forks) -> None:
    half = tmp_path / "half"
    save_file({name: tensor.bfloat16() for name, tensor in torch.load(MLP).items()}, half)
    found = told(forks, MLP, half)
    assert {tuple(each["differs"]) for each in found["parameters"]} == {("dtype", "values")}
    assert all(0 < each["values"]["relative"] < 2**-8 for each in found["parameters"])
    within = told(forks, MLP, half, "--tolerance", "0,0.0079")
    assert {tuple(each["differs"]) for each in within["parameters"]} == {("dtype",)}
    assert forks.run("diff", MLP, half, "--tolerance", "0,0.0079", "--ignore", "dtype").code == 0
    assert forks.run("diff", MLP, half, "--ignore", "dtype").code == 1


def test_each_kind_of_difference_can_be_ignored(models: tuple[Path, Path], forks: Forks) -> None:
    assert "dtype" not in forks.run("diff", *models, "--brief", "--ignore", "dtype").out
    assert "tie" not in forks.run("diff", *models, "--brief", "--ignore", "tie").out
    assert "metadata" not in forks.run("diff", *models, "--brief", "--ignore", "metadata").out
    run = forks.run("diff", *models, "--ignore", "metadata", "--ignore", "tie", "same", "tied")
    assert (run.code, run.out) == (0, "")


# What is compared


def test_addresses_choose_what_is_compared(models: tuple[Path, Path], forks: Forks) -> None:
    assert changes(told(forks, *models, "1")) == [("changed", "1.weight"), ("changed", "1.bias")]
    assert changes(told(forks, *models, "*.bias", "0.extra")) == [
        ("added", "0.extra"),
        ("changed", "0.bias"),
        ("changed", "1.bias"),
    ]
    found = told(forks, *models, "same")
    assert (found["parameters"], found["metadata"], found["equal"]) == ([], [], True)


@pytest.mark.parametrize("address", ["old", "new"])
def test_either_name_of_what_is_renamed_chooses_it(
    address: str, models: tuple[Path, Path], forks: Forks
) -> None:
    assert changes(told(forks, *models, address)) == [("renamed", "old")]


def test_types_choose_what_is_compared(torch_forks: Forks) -> None:
    module, spec = SAMPLES / "mlp_module.pt", SAMPLES / "mlp.yaml"
    for models in ((module, MLP), (MLP, module), (spec, MLP)):
        found = told(torch_forks, *models, "--type", "Linear", "--equal")
        assert len(found["parameters"]) == 4
        assert (
            len(told(torch_forks, *models, "0", "--type", "Linear", "--equal")["parameters"]) == 2
        )
    run = torch_forks.run("diff", module, MLP, "--type", "Liner")
    assert run.code == 2
    assert "closest: Linear" in run.err


def test_layers_of_another_class_differ(torch_forks: Forks, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("layers: [{Linear: [4, 8]}, Tanh, {Linear: [8, 1]}]")
    torch_forks.run("init", spec, "--scheme", "zeros", "-o", tmp_path / "tanh")
    torch_forks.run("init", SAMPLES / "mlp.yaml", "--scheme", "zeros", "-o", tmp_path / "relu")
    run = torch_forks.run("diff", tmp_path / "relu", tmp_path / "tanh", "--ignore", "metadata")
    assert (run.code, run.out) == (0, "")
    run = torch_forks.run("diff", SAMPLES / "mlp.yaml", spec)
    assert (run.code, run.out) == (1, "class\t1\tReLU\tTanh\n")
    assert torch_forks.run("diff", SAMPLES / "mlp.yaml", spec, "--ignore", "class").code == 0


@pytest.mark.parametrize("side", [0, 1])
def test_a_prefix_is_stripped_on_either_side(side: int, forks: Forks, tmp_path: Path) -> None:
    wrapped = tmp_path / "wrapped"
    save_file({f"module.{k}": v + 1 for k, v in load_file(SAMPLES / "mlp.safetensors").items()},
              wrapped)  # fmt: skip
    models = [MLP, wrapped] if side else [wrapped, MLP]
    run = forks.run("diff", *models)
    assert {line.split("\t")[0] for line in run.out.splitlines()} == {"added", "removed"}
    hint = "those of one begin with 'module.', which --strip-prefix leaves out"
    assert run.err == f"paramctl: no name is in both models; {hint}\n"
    found = told(forks, *models, "2", "--strip-prefix", "module.")
    assert [each["change"] for each in found["parameters"]] == ["changed"] * 2
    names = [parameter["ab"[side]]["name"] for parameter in found["parameters"]]
    assert sorted(names) == ["module.2.bias", "module.2.weight"]


def test_parts_of_training_checkpoints_are_chosen_by_key(forks: Forks, tmp_path: Path) -> None:
    training, state = tmp_path / "training.pt", torch.load(MLP)
    torch.save({"model": state, "ema": {k: v * 2 for k, v in state.items()}}, training)
    assert forks.run("diff", training, training, "--key", "ema").code == 0
    found = told(forks, training, training, "--key", "model", "--key-b", "ema")
    assert [each["values"]["relative"] for each in found["parameters"]] == [0.5] * 4
    assert forks.run("diff", training, MLP, "--key", "model", "--key-b", "").code == 0
    run = forks.run("diff", training, SAMPLES / "mlp.safetensors", "--key", "model")
    assert run.code == 2
    assert "mlp.safetensors: safetensors holds no keys" in run.err


def test_either_model_comes_down_a_pipe() -> None:
    for models in ("- $MLP", "$MLP -"):
        run = shell(f"$P set $MLP '2.bias = 0' | $P diff {models} --brief", MLP=MLP)
        assert (run.returncode, run.stdout, run.stderr) == (1, b"2.bias: values\n", b"")


def test_names_are_completed_once_both_models_are_named() -> None:
    def offered(*words: str | Path) -> list[str]:
        return [candidate.word for candidate in find_candidates(["diff", *map(str, words)])]

    assert offered("") == offered(MLP, "") == []
    assert offered(MLP, SHARED, "2.") == ["2.weight", "2.bias"]


# What is refused


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "no model is named, two are compared"),
        ([MLP], 2, "one model is named, two are compared; name A and B, '-' for standard input"),
        (["-", "-"], 2, "standard input holds one model; name a file for the other"),
        (["", MLP], 2, "an empty argument"),
        ([MLP, "no_such"], 6, "no_such: No such file or directory"),
        ([MLP, SAMPLES / "fancy_mlp.py"], 3, "fancy_mlp.py: a text in no format"),
        ([MLP, MLP, "0.wieght"], 2, "no parameter or layer '0.wieght'; closest: 0.weight"),
        ([MLP, MLP, "0.weight[0]"], 2, "is a slice"),
        ([MLP, MLP, "--tolerance", "x"], 2, "'x' is no tolerance; write 1e-6, or 1e-8,1e-5"),
        ([MLP, MLP, "--tolerance", "-1"], 2, "'-1' is no tolerance"),
        ([MLP, MLP, "--tolerance", "1,2,3"], 2, "'1,2,3' is no tolerance"),
        ([MLP, MLP, "--tolerance", "nan"], 2, "'nan' is no tolerance"),
        ([MLP, MLP, "--tolerance", "inf"], 2, "'inf' is no tolerance"),
        ([MLP, MLP, "--ignore", "names"], 2, "'names' is not one of"),
        ([MLP, MLP, "--brief", "--format", "tsv"], 2, "--brief with --format"),
    ],
)
def test_a_wrong_call_is_told_in_a_line(
    arguments: list[str | Path], code: int, message: str, forks: Forks
) -> None:
    run = forks.run("diff", *arguments)
    assert (run.code, run.out) == (code, "")
    assert message in run.err
    assert run.err.count("\n") == 1


def test_names_that_clash_without_their_prefix_are_refused(forks: Forks, tmp_path: Path) -> None:
    save_file({"m.a": torch.zeros(1), "a": torch.zeros(1)}, tmp_path / "x")
    run = forks.run("diff", tmp_path / "x", MLP, "--strip-prefix", "m.")
    what = "without prefixes 'a' and 'm.a' are both 'a'; strip fewer"
    assert (run.code, run.err) == (2, f"paramctl: {tmp_path / 'x'}: {what}\n")


def test_a_shard_that_is_missing_is_not_called_equal(forks: Forks, tmp_path: Path) -> None:
    whole, broken = SAMPLES / "gpt2", tmp_path / "gpt2"
    shutil.copytree(whole, broken)
    min(broken.glob("*.safetensors")).unlink()
    found = told(forks, whole, broken)
    assert found["counts"].keys() == {"equal", "uncompared"}
    notes = {each["note"] for each in found["parameters"]}
    assert notes == {"missing in B"}


def test_what_names_hold_steers_nothing(tmp_path: Path, forks: Forks) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    save_file({EVIL: torch.ones(1), "x": torch.rand(2)}, a, {EVIL: "v"})
    save_file({EVIL: torch.zeros(1), "y" + EVIL: load_file(a)["x"]}, b, {EVIL: "1"})
    for form in ("tsv", "table"):
        run = forks.run("diff", a, b, "--format", form)
        assert run.code == 1
        assert run.out.replace("\n", "").replace("\t", "").isprintable()
        assert len(run.out.splitlines()) == (3 if form == "tsv" else 10)
    brief = forks.run("diff", a, b, "--brief").out
    assert brief.replace("\n", "").isprintable()
    assert len(brief.splitlines()) == 3
    assert told(forks, a, b)["metadata"] == [{"key": EVIL, "a": "v", "b": "1"}]


def test_thousands_of_tensors_take_little(tmp_path: Path) -> None:
    a = {f"layers.{place}.w": torch.full((3,), float(place)) for place in range(3_000)}
    save_file(a, tmp_path / "a")
    save_file({f"x.{k}": v for k, v in a.items()}, tmp_path / "b")
    save_file({k: v + 1 for k, v in a.items()}, tmp_path / "c")
    run = paramctl("diff", tmp_path / "a", tmp_path / "b", "--format", "json")
    assert json.loads(run.out)["counts"] == {"renamed": 3_000}
    assert run.megabytes < 300
    run = paramctl("diff", tmp_path / "a", tmp_path / "c")
    assert len(run.out.splitlines()) == 3_000
    assert run.megabytes < 300
