"""The verb `check`: what it writes, how it exits, and what a model is held against."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from forks import Forks
from hostile import PRINTABLE_LINE
from index_rows import index
from program import paramctl, run_on_terminal
from safetensors.torch import save_file
from safetensors_rows import header, tensor
from test_huggingface import GPT2, TIED, built
from torch import Tensor

import paramctl as library
from paramctl.check.declarations import open_declared
from paramctl.check.findings import Finding
from paramctl.check.kinds import Kind
from paramctl.errors import UsageError

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP = {"0.weight": (8, 4), "0.bias": (8,), "2.weight": (1, 8), "2.bias": (1,)}
State = dict[str, Tensor]


def healthy() -> State:
    torch.manual_seed(0)
    return {name: torch.randn(shape) for name, shape in MLP.items()}


def ill(folder: Path) -> Path:
    """Write a model with something of most kinds."""
    state = healthy()
    state["0.weight"][2] = 0
    state["0.weight"][3, 1], state["0.weight"][1, 1] = -7e4, 1e-40
    state["2.weight"][0, 5] = torch.nan
    state["copy"] = state["0.weight"].clone()
    state["copy.weight"] = state["0.weight"].clone()
    save_file(state | {"zero.weight": torch.zeros(2, 2)}, folder / "ill.safetensors")
    return folder / "ill.safetensors"


LINES = """\
nan	2.weight	error	1 of 8, first at [0, 5]	1	8	[0, 5]
zeros	zero.weight	warning	all 4 values are 0	4	4	-
dead-rows	0.weight	warning	1 of 8 rows, first at [2]	1	8	[2]
dead-rows	copy.weight	warning	1 of 8 rows, first at [2]	1	8	[2]
duplicate	copy.weight	note	equal to 0.weight	-	-	-
denormal	0.weight	note	1 of 32, first at [1, 1]	1	32	[1, 1]
denormal	copy	note	1 of 32, first at [1, 1]	1	32	[1, 1]
denormal	copy.weight	note	1 of 32, first at [1, 1]	1	32	[1, 1]
beyond-fp16	0.weight	note	1 of 32, first at [3, 1]	1	32	[3, 1]
beyond-fp16	copy	note	1 of 32, first at [3, 1]	1	32	[3, 1]
beyond-fp16	copy.weight	note	1 of 32, first at [3, 1]	1	32	[3, 1]
"""
LINES_ON_80_COLUMNS = """\
2.weight     nan          1 of 8, first at [0, 5]
zero.weight  zeros        all 4 values are 0
0.weight     dead-rows    1 of 8 rows, first at [2]
"""
END = """\
1 error, 3 warnings, 7 notes; 7 tensors checked, 468 B
nan: 'paramctl set' changes values, 'paramctl init' draws them
zeros: 'paramctl init' draws values for what was never trained
dead-rows: pruned, or dead: the input has no part in what they put out
duplicate: 'paramctl tie --equal' stores them once
denormal: they have lost digits, and are slow on many processors
beyond-fp16: float16 would make them infinite; bfloat16 holds them
"""


def test_a_pipe_gets_a_line_a_finding_and_exit_code_1(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("check", ill(tmp_path))
    assert (run.code, run.out, run.err) == (1, LINES, "")


def test_a_terminal_gets_columns_a_summary_and_hints(tmp_path: Path) -> None:
    text = run_on_terminal("check", ill(tmp_path), NO_COLOR="1")
    header, lines, _ = text.partition(LINES_ON_80_COLUMNS)
    assert header.replace("·", " ").split()[-2:] == [str(ill(tmp_path)), "safetensors"]
    assert lines
    assert text.endswith(END)
    coloured = run_on_terminal("check", ill(tmp_path))
    assert "\x1b[31m2.weight\x1b[0m" in coloured
    assert "\x1b[33mzero.weight\x1b[0m" in coloured


def test_a_narrow_terminal_keeps_both_ends_of_names_and_cuts_nothing_else(tmp_path: Path) -> None:
    name = f"model.{'x' * 90}.weight"
    save_file({name: torch.zeros(2, 2)}, tmp_path / "model")
    text = run_on_terminal("check", tmp_path / "model", NO_COLOR="1")
    (line,) = (line for line in text.splitlines() if "all 4 values" in line)
    assert len(line) <= 80
    assert line.startswith("model.x")
    assert line.endswith("x.weight  zeros  all 4 values are 0")


def test_a_healthy_model_exits_0_and_says_nothing_in_a_pipe(forks: Forks, tmp_path: Path) -> None:
    save_file(healthy(), tmp_path / "model")
    run = forks.run("check", tmp_path / "model")
    assert (run.code, run.out, run.err) == (0, "", "")
    run = forks.run("check", tmp_path / "model", "--format", "lines")
    assert run.out.endswith("nothing found; 4 tensors checked, 196 B\n")


def test_json_holds_all_that_is_found(forks: Forks, tmp_path: Path) -> None:
    path = ill(tmp_path)
    run = forks.run("check", path, "--format", "json", "--only", "nan,duplicate")
    assert run.code == 1
    assert json.loads(run.out) == {
        "file": str(path),
        "tensors": 7,
        "bytes": 468,
        "unchecked": {},
        "findings": [
            {
                "kind": "nan",
                "severity": "error",
                "name": "2.weight",
                "what": "1 of 8, first at [0, 5]",
                "count": 1,
                "total": 8,
                "first": [0, 5],
                "hint": "'paramctl set' changes values, 'paramctl init' draws them",
            },
            {
                "kind": "duplicate",
                "severity": "note",
                "name": "copy.weight",
                "what": "equal to 0.weight",
                "count": None,
                "total": None,
                "first": None,
                "hint": "'paramctl tie --equal' stores them once",
            },
        ],
    }


@pytest.mark.parametrize(("only", "code"), [("inf", 0), ("error", 1), ("note", 1), ("missing", 0)])
def test_what_is_not_asked_for_makes_no_exit_code(
    forks: Forks, tmp_path: Path, only: str, code: int
) -> None:
    assert forks.run("check", ill(tmp_path), "--only", only).code == code


def test_addresses_choose_what_is_checked(forks: Forks, tmp_path: Path) -> None:
    path = ill(tmp_path)
    assert forks.run("check", path, "0.bias", "2.bias").code == 0
    run = forks.run("check", path, "2")
    assert [line.split("\t")[:2] for line in run.out.splitlines()] == [["nan", "2.weight"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nam"], "nothing that is found is called 'nam'; closest: nan"),
        (["--only", "nan,"], "nothing that is found is called ''; there is: nan, inf, missing,"),
        (
            ["0", "--against", "x"],
            "--against compares whole models; leave addresses and --type out",
        ),
        (["no"], "no parameter or layer 'no'"),
    ],
)
def test_usage_is_checked(forks: Forks, tmp_path: Path, arguments: list[str], message: str) -> None:
    run = forks.run("check", ill(tmp_path), *arguments)
    assert (run.code, run.out) == (2, "")
    assert message in run.err


HOSTILE = ["\x1b[31mred", "a\tb\nc", "[bold]x[/bold]", "\u202etxt", "<script>", "q/k", "π", "…" * 9]


def test_hostile_names_are_escaped(forks: Forks, tmp_path: Path) -> None:
    state = {f"{name}.weight": torch.zeros(3, 3) for name in HOSTILE}
    state[HOSTILE[0]] = torch.full((2,), torch.nan)
    save_file(state, tmp_path / "model")
    for form in ("tsv", "lines", "json"):
        run = forks.run("check", tmp_path / "model", "--format", form)
        assert run.code == 1
        lines = run.out.splitlines(keepends=True)
        assert all(PRINTABLE_LINE.fullmatch(line.replace("\t", "")) for line in lines)
    assert {f["name"] for f in json.loads(run.out)["findings"]} == set(state)
    for line in run_on_terminal("check", tmp_path / "model", NO_COLOR="1").splitlines()[1:]:
        assert len(line) <= 80
        assert PRINTABLE_LINE.fullmatch(f"{line}\n")


def test_what_is_not_checked_is_said_and_is_no_finding(torch_forks: Forks, tmp_path: Path) -> None:
    torch.save({"s": torch.eye(3).to_sparse(), "d": torch.eye(2)}, tmp_path / "model")
    run = torch_forks.run("check", tmp_path / "model")
    assert (run.code, run.out) == (0, "unchecked\ts\t-\tsparse_coo\t-\t-\t-\n")
    assert run.err == "paramctl: not checked, sparse_coo: 's'\n"
    run = torch_forks.run("check", tmp_path / "model", "--format", "json")
    assert (run.code, json.loads(run.out)["unchecked"]) == (0, {"s": "sparse_coo"})
    run = torch_forks.run("check", tmp_path / "model", "--format", "lines")
    summary = "nothing found; 1 tensor checked, 16 B; 1 not checked: sparse_coo\n"
    assert (run.code, run.out.endswith(f"a state dict\n{summary}")) == (0, True)
    run = torch_forks.run("check", SAMPLES / "mlp.yaml", "-q")
    names = ("0.weight", "0.bias", "2.weight", "2.bias")
    assert run.out == "".join(f"unchecked\t{name}\t-\tplanned\t-\t-\t-\n" for name in names)
    assert (run.code, run.err) == (0, "")
    run = torch_forks.run("check", SAMPLES / "mlp.yaml")
    assert (
        run.err == "paramctl: not checked, planned: '0.weight', '0.bias', '2.weight' and 1 more\n"
    )


def test_types_that_are_not_unpacked_do_not_read_as_clean(forks: Forks, tmp_path: Path) -> None:
    path = tmp_path / "packed"
    packed = f'"a":{tensor("F4", "[8]", 0, 4)},"b":{tensor("F6_E2M3", "[8]", 4, 10)}'
    path.write_bytes(header(f"{{{packed}}}", bytes(10)))
    run = forks.run("check", path, "--format", "lines", "-q")
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines()[1:] == [
        "nothing found; 0 tensors checked, 0 B; 2 not checked: float4_e2m1fn, float6_e2m3fn"
    ]


def test_where_no_values_are_asked_for_none_are_missed(torch_forks: Forks) -> None:
    for only in ("missing", "unexpected,shape,dtype"):
        run = torch_forks.run("check", SAMPLES / "mlp.yaml", "--only", only)
        assert (run.code, run.out, run.err) == (0, "", "")


def test_a_shard_that_is_not_there_is_missing(forks: Forks, tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "1.safetensors")
    path = index(tmp_path, {"a": "1.safetensors", "b.weight": "2.safetensors"})
    run = forks.run("check", path)
    first = run.out.splitlines()[0].split("\t")
    assert first[:3] == ["missing", "b.weight", "error"]
    assert "2.safetensors" in first[3]
    save_file({"a": torch.ones(2), "b.weight": torch.eye(2)}, tmp_path / "whole")
    found = library.open(path).check(against=library.open(tmp_path / "whole"))
    assert [finding.name for finding in found.findings] == ["b.weight"]


def test_a_model_in_a_pipe_is_checked(tmp_path: Path) -> None:
    run = paramctl("check", "-", "--only", "nan", stdin=ill(tmp_path).read_bytes())
    assert (run.code, run.out) == (1, LINES.splitlines(keepends=True)[0])


CHANGES: dict[str, tuple[Callable[[State], State], list[list[str]]]] = {
    "as declared": (lambda s: s, []),
    "missing": (
        lambda s: {n: t for n, t in s.items() if n != "2.bias"},
        [["missing", "2.bias", "error", "declared float32 [1]"]],
    ),
    "unexpected": (
        lambda s: s | {"3.weight": torch.eye(2)},
        [["unexpected", "3.weight", "error", "float32 [2, 2], not declared"]],
    ),
    "shape": (
        lambda s: s | {"0.weight": torch.randn(4, 8)},
        [["shape", "0.weight", "error", "[4, 8], declared [8, 4]"]],
    ),
    "dtype": (
        lambda s: s | {"0.bias": s["0.bias"].double()},
        [["dtype", "0.bias", "warning", "float64, declared float32"]],
    ),
    "prefix": (
        lambda s: {f"module.{n}" if n == "0.bias" else n: t for n, t in s.items()},
        [
            ["missing", "0.bias", "error", "declared float32 [8]"],
            ["unexpected", "module.0.bias", "error", "float32 [8], declared without 'module.'"],
        ],
    ),
}
FACTORY = """
from torch import nn

def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
"""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("against", ["spec", "factory", "safetensors", "torch file"])
def test_names_shapes_and_types_are_held_against_another_model(
    torch_forks: Forks, tmp_path: Path, change: str, against: str
) -> None:
    made, expected = CHANGES[change]
    save_file(made(healthy()), tmp_path / "model")
    save_file(healthy(), tmp_path / "other")
    (tmp_path / "nets.py").write_text(FACTORY)
    other = {
        "spec": str(SAMPLES / "mlp.yaml"),
        "factory": f"{tmp_path / 'nets.py'}:mlp",
        "safetensors": str(tmp_path / "other"),
        "torch file": str(SAMPLES / "mlp.pt"),
    }[against]
    run = torch_forks.run("check", tmp_path / "model", "--against", other)
    assert [line.split("\t")[:4] for line in run.out.splitlines()] == expected
    assert run.code == bool(expected)


def found_against(model: library.Model, path: Path) -> tuple[Finding, ...]:
    return model.check(against=open_declared(str(path))).findings


def test_a_config_or_its_folder_is_compared_as_transformers_loads(tmp_path: Path) -> None:
    built(TIED, tmp_path).save_pretrained(tmp_path)
    model = library.open(tmp_path)
    config = tmp_path / "config.json"
    for against in (config, tmp_path):
        assert not found_against(model, against)
    short = {n: t for n, t in model.entries.items() if n != "model.norm.weight"}
    model.entries = short
    (finding,) = found_against(model, tmp_path)
    assert (finding.kind.value, finding.name) == ("missing", "model.norm.weight")
    config.write_text(json.dumps(GPT2))
    assert {f.kind.value for f in found_against(model, config)} == {"missing", "unexpected"}


def test_a_tied_name_is_not_missing(torch_forks: Forks, tmp_path: Path) -> None:
    run = torch_forks.run(
        "check", SAMPLES / "shared.safetensors", "--against", SAMPLES / "shared.yaml"
    )
    assert (run.code, run.out) == (0, "")
    state = {n: torch.randn(e.shape) for n, e in library.open(SAMPLES / "shared.pt").items()}
    for name in ("4.weight", "4.bias"):
        del state[name]
    save_file(state, tmp_path / "model")
    run = torch_forks.run("check", tmp_path / "model", "--against", SAMPLES / "shared.yaml")
    assert (run.code, run.out) == (0, "")


def test_torch_loads_what_is_no_finding_and_refuses_what_is(tmp_path: Path) -> None:
    """A counter of batches may lack; a strict load is the oracle of all else."""
    spec = "layers: [{Linear: [4, 8]}, {BatchNorm1d: 8}]"
    (tmp_path / "spec.yaml").write_text(spec)
    planned = library.open(tmp_path / "spec.yaml")
    assert planned.build is not None
    module = planned.build("cpu")
    whole = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    for lacking in whole:
        state = {name: tensor for name, tensor in whole.items() if name != lacking}
        save_file(state, tmp_path / "model")
        found = library.open(tmp_path / "model").check(against=planned).findings
        try:
            module.load_state_dict(state)
        except RuntimeError:
            assert [(f.kind.value, f.name) for f in found] == [("missing", lacking)]
        else:
            assert found == ()


def test_in_python_it_returns_the_findings(tmp_path: Path) -> None:
    model = library.open(ill(tmp_path))
    assert [f.kind.value for f in model.check(only="error").findings] == ["nan"]
    assert [f.name for f in model.check("0", only="denormal").findings] == ["0.weight"]
    (found,) = model.check("*.weight", only="duplicate").findings
    assert found.name == "copy.weight"
    tied = model.tie("0.weight", "copy.weight")
    assert not tied.check("*.weight", only="duplicate").findings
    with pytest.raises(UsageError):
        model.check(only="x")
    with pytest.raises(UsageError, match="leave the addresses out"):
        model.check("0", against=model)


def test_in_python_it_returns_what_could_not_be_checked_too() -> None:
    planned = library.open(SAMPLES / "mlp.yaml").check()
    assert planned.unchecked == dict.fromkeys(library.open(SAMPLES / "mlp.yaml"), "planned")
    assert (planned.findings, planned.tensors, planned.nbytes) == ((), 0, 0)
    whole = library.open(SAMPLES / "mlp.pt").check()
    assert (whole.unchecked, whole.tensors, whole.nbytes) == ({}, 4, 196)


def test_what_to_do_is_told_in_the_words_of_a_shell_or_of_python(tmp_path: Path) -> None:
    findings = library.open(ill(tmp_path)).check().findings
    told = {each.kind.value: each.kind.advise() for each in findings}
    assert told["nan"] == "'set()' changes values, 'init()' draws them"
    assert told["duplicate"] == "'tie(equal=True)' stores them once"
    assert not [each for each in Kind if "paramctl" in each.advise() or "--" in each.advise()]
