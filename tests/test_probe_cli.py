"""`paramctl probe` as users run it: tables, TSV and JSON, files in and out, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from devices import OTHERS
from forks import Forks
from program import run_on_terminal, shell
from safetensors.torch import load_file, load_model
from specs import filled
from torch import nn

from paramctl.probe.gradients import probe
from paramctl.probe.network import build

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED, FANCY = SAMPLES / "mlp.yaml", SAMPLES / "shared.yaml", SAMPLES / "fancy_mlp.py"
TSV = """\
layer	0	Linear	[2, 8]	-0.195	0.831	0	-	0.01601
layer	1	ReLU	[2, 8]	0.2245	0.3588	0.625	-	0.0257
layer	2	Linear	[2, 8]	-0.09873	0.2994	0	-	0.04568
layer	3	ReLU	[2, 8]	0.08449	0.1303	0.5625	-	0.07497
layer	4	Linear	[2, 8]	0.04047	0.2138	0	-	0.1307
layer	5	ReLU	[2, 8]	0.1178	0.1236	0.375	-	0.1623
layer	6	Linear	[2, 1]	0.2365	0.02099	0	-	1
parameter	0.weight	[8, 4]	1.466	-0.02343	0.258	0.1321	-0.002529	0.02322	0.09015
parameter	0.bias	[8]	0.8804	-0.07762	0.3014	0.08183	0.01555	0.0244	0.09295
parameter	2.weight	[8, 8]	1.751	0.0007157	0.2189	0.3933	-0.02174	0.04409	0.2246
tie	2.weight	4.weight
use	2.weight	2.weight	0.2648	-0.00723	0.0323
use	2.weight	4.weight	0.2837	-0.01451	0.03235
parameter	2.bias	[8]	0.6888	0.02278	0.2425	0.8637	-0.2063	0.2251	1.254
tie	2.bias	4.bias
use	2.bias	2.bias	0.256	-0.03454	0.08365
use	2.bias	4.bias	0.7394	-0.1718	0.197
parameter	6.weight	[1, 8]	0.4591	-0.07176	0.1456	0.9324	0.2357	0.2305	2.031
parameter	6.bias	[1]	0.3453	0.3453	0	2	2	0	5.792
loss	0.4729
"""
NUMBERS = (3, 4, 5, 6, 7, 8, 9)
DEEP = "layers:\n  - repeat: 50\n    layers: [{Linear: [64, 64]}, ReLU]"


def test_a_seed_says_it_all_and_a_pipe_is_read_by_programs(torch_forks: Forks) -> None:
    run = torch_forks.run("probe", SHARED, "--seed", "0")
    assert (run.code, run.err) == (0, "")
    assert run.out == TSV


def test_json_says_the_same(torch_forks: Forks) -> None:
    found = json.loads(torch_forks.run("probe", SHARED, "--seed", "0", "--format", "json").out)
    lines = [line.split("\t") for line in TSV.splitlines()]
    assert [each["name"] for each in found["layers"]] == [c[1] for c in lines if c[0] == "layer"]
    for layer, cells in zip(found["layers"], (c for c in lines if c[0] == "layer"), strict=True):
        numbers = [layer[key] for key in ("mean", "std", "zeros", "gradient_rms")]
        assert [f"{number:.4g}" for number in numbers] == [cells[i] for i in (4, 5, 6, 8)]
    parameters = [c for c in lines if c[0] == "parameter"]
    for parameter, cells in zip(found["parameters"], parameters, strict=True):
        values = [*parameter["value"].values(), *parameter["gradient"].values()]
        assert [f"{number:.4g}" for number in (*values, parameter["ratio"])] == [
            cells[i] for i in NUMBERS
        ]
        ties = [c[2] for c in lines if c[:2] == ["tie", parameter["name"]]]
        assert parameter["tied"] == ties
        uses = [c for c in lines if c[:2] == ["use", parameter["name"]]]
        assert [use["place"] for use in parameter["uses"]] == [c[2] for c in uses]
    assert found["loss"] == pytest.approx(0.4729, abs=1e-4)
    assert (found["signals"], found["scheme"]) == ([], None)


@pytest.mark.parametrize("columns", [40, 60, 80, 160])
def test_on_a_terminal_a_table_fits_its_width(columns: int) -> None:
    shown = run_on_terminal("probe", SHARED, "--seed", "0", columns=columns, NO_COLOR="1")
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= columns
    place = next(n for n, line in enumerate(lines) if line.startswith("2.weight"))
    if columns >= 80:
        assert lines[place].split() == ["2.weight", "[8,", "8]", "1.751", "0.0007157", "0.2189"]
    assert [line.split()[:2] for line in lines[place + 1 : place + 5]] == [
        ["=", "4.weight"],
        ["gradient", "0.3933"],
        ["at", "2.weight"],
        ["at", "4.weight"],
    ]


def test_values_come_down_a_pipe_with_their_spec(tmp_path: Path) -> None:
    pipe = "$P init $SPEC --scheme xavier --seed 3 | tee $FILE | $P probe --seed 0 --format json"
    run = shell(pipe, SPEC=SHARED, FILE=tmp_path / "file")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    stored = load_file(tmp_path / "file")
    norms = {each["name"]: each["value"]["norm"] for each in found["parameters"]}
    assert norms == pytest.approx({k: float(v.norm()) for k, v in stored.items()}, rel=1e-5)


def test_weights_of_a_file_stand_in_a_spec(torch_forks: Forks) -> None:
    weights = SAMPLES / "mlp.pt"
    run = torch_forks.run("probe", MLP, "--weights", weights, "--seed", "0", "--format", "json")
    norms = {p["name"]: p["value"]["norm"] for p in json.loads(run.out)["parameters"]}
    assert norms == pytest.approx({k: float(v.norm()) for k, v in torch.load(weights).items()})


@pytest.mark.parametrize("net", ["mlp", "shared"])
def test_gradients_are_saved_under_the_names_of_their_parameters(
    net: str, tmp_path: Path, torch_forks: Forks
) -> None:
    spec, start, grads = SAMPLES / f"{net}.yaml", tmp_path / "start", tmp_path / "grads"
    rng = np.random.default_rng(0)
    given, target = rng.standard_normal((5, 4)), rng.standard_normal((5, 1))
    np.save(tmp_path / "x.npy", given)
    np.save(tmp_path / "y.npy", target.astype(np.float32))
    torch_forks.run("init", spec, "--scheme", "xavier", "-o", start)
    run = torch_forks.run("probe", start, "--input", tmp_path / "x.npy", "--target",
                          tmp_path / "y.npy", "--save-grads", grads)  # fmt: skip
    assert run.code == 0, run.err
    plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    if net == "shared":
        hidden = nn.Linear(8, 8)
        plain = nn.Sequential(
            *(nn.Linear(4, 8), nn.ReLU(), hidden, nn.ReLU(), hidden, nn.ReLU(), nn.Linear(8, 1))
        )
    load_model(plain, start)
    loss = nn.functional.mse_loss(plain(torch.tensor(given).float()), torch.tensor(target).float())
    loss.backward()  # type: ignore[no-untyped-call]
    assert f"loss\t{loss.item():.4g}" in run.out
    saved = load_file(grads)
    expected = {name: each.grad for name, each in plain.named_parameters()}
    assert saved.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(saved[name], gradient)
    listed = torch_forks.run("ls", grads, "--format", "names").out.split()
    named = plain.named_parameters(remove_duplicate=False)
    assert sorted(listed) == sorted(name for name, _ in named)


IDLE = """
import torch
from torch import nn

class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.used(x)

class Nan(nn.Module):
    def forward(self, x):
        return x / 0 * 0

def nan():
    return nn.Sequential(nn.Linear(2, 2), Nan(), nn.Linear(2, 2))
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "code.py"
    path.write_text(IDLE)
    return path


def test_no_gradient_is_none(code: Path, tmp_path: Path, torch_forks: Forks) -> None:
    grads = tmp_path / "grads"
    run = torch_forks.run("probe", f"{code}:Idle", "--seed", "0", "--save-grads", grads)
    assert run.code == 0, run.err
    cells = [line.split("\t") for line in run.out.splitlines()]
    unused = [c[6:10] for c in cells if c[:2] == ["parameter", "unused.weight"]]
    assert unused == [["none", "none", "none", "-"]]
    assert "no gradient to write: unused.weight, unused.bias" in run.err
    assert load_file(grads).keys() == {"used.weight", "used.bias"}
    found = json.loads(
        torch_forks.run("probe", f"{code}:Idle", "--seed", "0", "--format", "json").out
    )
    assert [p["gradient"] is None for p in found["parameters"]] == [False, False, True, True]
    shown = run_on_terminal("probe", f"{code}:Idle", "--seed", "0", NO_COLOR="1")
    assert shown.count("gradient") == 4
    assert shown.count("none") == 2


def test_the_first_layer_that_gives_nan_is_named(code: Path, torch_forks: Forks) -> None:
    shown = torch_forks.run("probe", f"{code}:nan", "--seed", "0", "--format", "table").out
    assert "layer '1' (Nan) is the first that gives nan or inf" in shown
    found = json.loads(
        torch_forks.run("probe", f"{code}:nan", "--seed", "0", "--format", "json").out
    )
    assert found["loss"] == "nan"


def test_a_layer_that_is_called_twice_has_a_line_for_each_call(torch_forks: Forks) -> None:
    run = torch_forks.run("probe", f"{FANCY}:fancy_mlp", "--seed", "0")
    cells = [line.split("\t") for line in run.out.splitlines()]
    assert [c[1] for c in cells if c[0] == "layer"] == ["linear", "linear"]
    uses = [c[2] for c in cells if c[:2] == ["use", "linear.weight"]]
    assert uses == ["linear.weight, call 1", "linear.weight, call 2"]


@pytest.mark.parametrize(
    ("scheme", "verdict"),
    [
        ("normal(std=0.01)", "vanishing"),
        ("xavier", "shrinking"),
        ("kaiming", "steady"),
    ],
)
def test_a_deep_net_is_told_by_its_scheme(
    scheme: str, verdict: str, tmp_path: Path, torch_forks: Forks
) -> None:
    spec, model = tmp_path / "deep.yaml", tmp_path / "deep"
    spec.write_text(DEEP)
    torch_forks.run("init", spec, "--scheme", scheme, "--seed", "0", "-o", model)
    run = ["probe", str(model), "--seed", "0", "--input", "64x64"]
    signals = [
        line.split("\t")[1:]
        for line in torch_forks.run(*run).out.splitlines()
        if line.startswith("signal")
    ]
    assert [signal[:2] for signal in signals] == [["outputs", verdict], ["gradients", verdict]]
    shown = torch_forks.run(*run, "--format", "table").out
    assert f"outputs: {verdict}" in shown
    assert ("a scheme that fits: kaiming_normal" in shown) == (verdict != "steady")


@pytest.mark.parametrize("loss", ["sum", "mse", "cross_entropy"])
@pytest.mark.parametrize("model", ["mlp", "cnn", "gpt", "llama_config"])
def test_every_loss_finds_a_target_for_every_sample(
    model: str, loss: str, torch_forks: Forks
) -> None:
    path = SAMPLES / (model if model.startswith("llama") else f"{model}.yaml")
    run = torch_forks.run("probe", path, "--loss", loss, "--seed", "0", "--format", "json")
    assert run.code == 0, run.err
    assert isinstance(json.loads(run.out)["loss"], float)


def test_a_fresh_seed_is_told(torch_forks: Forks) -> None:
    first = torch_forks.run("probe", MLP)
    seed = first.err.split()[-1]
    assert first.err == f"paramctl: seed {seed}\n"
    assert torch_forks.run("probe", MLP, "--seed", seed).out == first.out


MISFIT = "layers:\n  - Linear: [4, 8]\n  - ReLU\n  - name: head\n    Linear: [9, 1]"
LARGE = """
layers:
  - Linear: [4, 2048]
  - Linear: [2048, 2048]
  - Linear: [2048, 2047]
  - name: head
    Linear: [2048, 1]
"""


@pytest.mark.parametrize(("text", "came"), [(MISFIT, 8), (LARGE, 2047)], ids=["small", "large"])
@pytest.mark.parametrize("verb", ["probe", "init"])
def test_layers_that_do_not_fit_are_named_before_a_weight_is_drawn(
    verb: str, text: str, came: int, tmp_path: Path, torch_forks: Forks
) -> None:
    spec, out = tmp_path / "spec.yaml", tmp_path / "out"
    spec.write_text(text)
    run = torch_forks.run(verb, spec, *(["-o", str(out)] if verb == "init" else []))
    assert (run.code, run.out) == (2, "")
    assert f"layer 'head' (Linear) does not fit what comes in, [2, {came}]" in run.err
    assert not out.exists()


def save(folder: Path, **arrays: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "2x5"], "layer '0' (Linear) does not fit what comes in, [2, 5]"),
        (["--input", "two"], "the input 'two' is neither a shape nor a file"),
        (["--input", "0x4"], "the input '0x4' is neither"),
        (["--input", "9" * 200 + "x4"], "is neither"),
        (["--steps", "2", "--input", "wide.npy"], "need targets; --data x.npy,y.npy"),
        (["--input", "99999999x99999999"], "more than 268,435,456 values"),
        (["--input", "nowhere.npy"], "nowhere.npy: No such file"),
        (["--input", "objects.npy"], "an array of Python objects"),
        (["--input", "complex.npy"], "no real numbers but complex"),
        (["--input", "text.npy"], "no .npy file"),
        (["--target", "wide.npy"], "the target is of [2, 3], the output of [2, 1]"),
        (["--target", "classes.npy"], "a class that is none of 1, from 0 on"),
        (["--weights", str(SAMPLES / "rgnet.pt")], "lacks what the model has: '0.weight'"),
        (["--weights", "nowhere"], "nowhere: No such file"),
        (["--device", "cuda:99"], "no device 'cuda:99'; there is cpu"),
        (["--lr", "0.1"], "train; --steps 100"),
        (["--steps", "2", "--save-grads", "x"], "leave --steps out"),
        (["--steps", "2", "--target", "wide.npy"], "--data x.npy,y.npy"),
        (["--steps", "2", "--data", "x.npy"], "'x.npy' are no two files"),
        (["--steps", "2", "--data", "x,y", "--input", "2x4"], "--data has the inputs too"),
        (["--steps", "2", "-o", "-"], "name a file"),
        (["--steps", "2", "-o", "there"], "the file is there already; --force"),
        (["--steps", "2", "-o", "nowhere/x"], "there is no such folder"),
        (["--save-grads", "there"], "the file is there already; --force"),
        (["--save-grads", "x.pt"], "name it .safetensors"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    torch_forks: Forks,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(
        tmp_path,
        wide=np.zeros((2, 3)),
        classes=np.array([0, 7]),
        complex=np.zeros((2, 4), complex),
        objects=np.array([None, {}]),
    )
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "there").write_text("kept")
    before = sorted(tmp_path.iterdir())
    named = [str(tmp_path / a) if (tmp_path / a).is_file() or a in {"x", "x.pt"} else a
             for a in arguments]  # fmt: skip
    run = torch_forks.run("probe", MLP, *named, "--seed", "0")
    assert run.code in {2, 3, 4, 5, 6}, run
    assert run.out == ""
    assert message in run.err
    assert run.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there").read_text() == "kept"


def test_a_file_without_its_modules_says_what_to_name(torch_forks: Forks) -> None:
    run = torch_forks.run("probe", SAMPLES / "mlp.pt")
    assert run.code == 2
    assert "its modules are not known; name its spec or factory, and this file with --weights" in (
        run.err
    )


def test_a_model_whose_input_nobody_can_tell_asks_for_it(code: Path, torch_forks: Forks) -> None:
    code.write_text("from torch import nn\n\ndef pool():\n    return nn.Sequential(nn.PReLU())\n")
    run = torch_forks.run("probe", f"{code}:pool")
    assert run.code == 2
    assert "nobody can tell what goes in; --input 2x4, or an .npy file" in run.err
    assert torch_forks.run("probe", f"{code}:pool", "--input", "2x4").code == 0


@pytest.mark.parametrize("device", OTHERS)
def test_another_device_gives_the_same_but_for_rounding(device: str) -> None:
    found = [
        probe(build(filled(SHARED.read_text()), each), torch.ones(2, 4, device=each), None, "sum")
        for each in ("cpu", device)
    ]
    assert found[1].loss == pytest.approx(found[0].loss, rel=1e-4)
    for here, there in zip(*(each.parameters for each in found), strict=True):
        assert here.gradient is not None
        assert there.gradient is not None
        torch.testing.assert_close(there.gradient.cpu(), here.gradient, rtol=1e-4, atol=1e-5)


def test_a_table_in_a_pipe_does_not_move(torch_forks: Forks) -> None:
    run = ["probe", str(MLP), "--seed", "0", "--steps", "5", "--format", "table"]
    coloured = torch_forks.run(*run, "--color", "always").out
    assert "\x1b[?25l" not in coloured
    assert "\x1b[34m" in coloured
    assert torch_forks.run(*run).out.startswith("step 5 of 5, loss")


def test_training_on_a_terminal_is_watched_in_a_table(tmp_path: Path) -> None:
    out = tmp_path / "trained"
    shown = run_on_terminal(
        "probe", SHARED, "--seed", "0", "--steps", "20", "-o", out, NO_COLOR="1"
    )
    assert shown.startswith("\x1b[?25l")  # the cursor is hidden: the table moves
    assert "\x1b[34m" not in shown
    assert "step 20 of 20, loss" in shown
    last = shown[shown.rindex("step 20 of 20") :]
    assert [line.split()[0] for line in last.splitlines()[1:8]] == [
        "parameter",
        *("0.weight", "0.bias", "2.weight", "2.bias", "6.weight", "6.bias"),
    ]
    assert f"wrote {out}" in " ".join(shown.split())
