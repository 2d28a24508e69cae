"""A model in Python: the same composition as the verbs in a shell."""

import gc
import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from program import paramctl as run_paramctl
from program import shell
from safetensors.torch import load_file, save_file
from torch import nn

import paramctl
from paramctl.arrays import read
from paramctl.errors import MalformedError, ParamctlError, UsageError
from paramctl.stats.moments import Moments

SAMPLES = Path(__file__).parents[1] / "sample_models"
SHARED = SAMPLES / "shared.safetensors"


def test_a_chain_of_methods_writes_what_a_pipeline_of_verbs_writes(tmp_path: Path) -> None:
    run = shell(
        "set -o pipefail; $P untie $SHARED | $P init --scheme xavier --seed 7 | $P tie 2 4 "
        "| $P rename 's/^/m./' | $P drop m.6.bias | $P extract m "
        "| $P set - '0.bias = 1' '2.weight *= 2' > $OUT",
        SHARED=SHARED,
        OUT=tmp_path / "shell.safetensors",
    )
    assert run.returncode == 0, run.stderr
    model = paramctl.open(SHARED).untie().init("xavier", seed=7).tie("2", "4")
    model = model.rename("s/^/m./").drop("m.6.bias").extract("m")
    model.set("0.bias = 1", "2.weight *= 2").save(tmp_path / "python.safetensors")
    written = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("shell", "python")]
    assert written[0] == written[1]


def test_values_are_read_by_their_address() -> None:
    model = paramctl.open(SAMPLES / "rgnet.pt")
    state = torch.load(SAMPLES / "rgnet.pt")
    whole, part = model.read("1.weight"), model.read("[0][1][0].weight[2:4, -1]")
    assert np.array_equal(whole, state["1.weight"].numpy())
    assert np.array_equal(part, state["0.block 1.0.weight"][2:4, -1].numpy())
    assert not whole.flags.writeable
    with pytest.raises(UsageError, match="'1' is 2 parameters; name one"):
        model.read("1")
    with pytest.raises(UsageError, match=r"closest: 1\.weight"):
        model.read("1.wieght")
    with pytest.raises(UsageError, match="no values yet, init gives it some"):
        paramctl.open(SAMPLES / "mlp.yaml").read("0.bias")


def test_the_way_to_a_part_that_an_error_tells_reads_it(tmp_path: Path) -> None:
    torch.save({"a w": torch.eye(3).to_sparse()}, tmp_path / "sparse.pt")
    model = paramctl.open(tmp_path / "sparse.pt")
    with pytest.raises(UsageError, match="it is no single array") as error:
        model.read("a w")
    call = str(error.value).partition("; ")[2].removesuffix(" reads a part of it")
    part = eval(call, {"paramctl": paramctl, "model": model})  # noqa: S307 (an error of ours)
    assert part.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_a_slice_is_read_of_what_no_array_holds(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    head = json.dumps({"w": {"dtype": "BF16", "shape": [4, 1 << 30], "data_offsets": [0, 1 << 33]}})
    path.write_bytes(len(head).to_bytes(8, "little") + head.encode())
    with path.open("r+b") as stream:
        stream.seek(8 + len(head) + 2 * ((1 << 30) + 3))
        stream.write(b"\x80\x3f")  # 1.0
        stream.truncate(8 + len(head) + (1 << 33))
    model = paramctl.open(path)
    with pytest.raises(ParamctlError, match="name a slice of it"):
        model.read("w")
    assert model.read("w[1, 2:5]").tolist() == [0, 1, 0]


def test_what_was_found_prints_its_numbers() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt").set("2.weight = 3", "2.weight[0, 0] /= 0")
    (each,) = model.stats("2.weight")
    told = "8 values, mean 3, std 0, low 3, high 3, infinities 1"
    assert repr(each.moments) == f"<Moments of {told}>"
    (parameter,) = model.diff(model.set("2.weight[0, 1] = 5"), "2.weight").parameters
    assert repr(parameter.outcome.difference) == "<Difference: 7 of 8 equal, largest 2>"
    assert repr(Moments(0)) == "<Moments of 0 values>"
    changed = model.set("0.bias = 1").with_metadata({"a": "b"})
    told = "3 equal, 1 changed, 1 in metadata"
    assert repr(model.diff(changed)) == f"<Comparison: {told}>"
    assert repr(paramctl.open(SAMPLES / "mlp.yaml").probe(seed=0)) == (
        "<Probe: loss -0.6322, 3 outputs, 4 parameters>"
    )


def test_a_notebook_completes_names() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    assert model._ipython_key_completions_() == ["0.weight", "0.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize(
    ("name", "options", "scheme", "arguments"),
    [
        ("gpt2", ["--recipe", "gpt2"], "", {"recipe": "gpt2"}),
        ("gpt2", ["--recipe", "gpt2", "-s", "ones"], "ones", {"recipe": "gpt2"}),
        ("gpt.yaml", [], "", {}),
        ("gpt.yaml", ["-s", "xavier", "--norm", "zeros"], "xavier", {"norm": "zeros"}),
    ],
)
def test_a_model_is_filled_as_by_the_verb(
    name: str, options: list[str], scheme: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    output = tmp_path / "shell"
    run = run_paramctl("init", SAMPLES / name, *options, "--seed", "3", "-o", output)
    assert run.code == 0, run.err
    model = paramctl.open(SAMPLES / name).init(scheme, seed=3, **arguments)
    model.save(tmp_path / "python")
    assert output.read_bytes() == (tmp_path / "python").read_bytes()


def test_what_init_needs_is_told(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    for call in (model.init, partial(model.init, bias="ones", recipe="gpt2")):
        with pytest.raises(UsageError, match="no scheme; such as 'xavier', or recipe='gpt2'"):
            call()
    with pytest.raises(UsageError, match=r"^no recipe 'gtp2'; closest: gpt2"):
        model.init(recipe="gtp2")
    (tmp_path / "r.yaml").write_text("rules:\n- 0.weight: my.py:f")
    with pytest.raises(UsageError, match=r"no Python file .*; give it an init\(\) of its own"):
        model.init(recipe=tmp_path / "r.yaml")
    (tmp_path / "x.yaml").write_text("layers: [{Linear: [4, 8]}, {Linear: [9, 1]}]")
    spec = paramctl.open(tmp_path / "x.yaml")
    with pytest.raises(UsageError, match=r"does not fit .* goes in: input='2x3x32x32', or"):
        spec.init("xavier")
    with pytest.raises(UsageError, match=r"does not fit "):
        spec.graft(model)


def test_an_edit_changes_nothing_but_its_result() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    before = read(model["0.bias"]).tolist()
    changed = model.set("0.bias = 0")
    assert isinstance(changed, paramctl.Model)
    assert read(changed["0.bias"]).tolist() == [0] * 8
    assert read(model["0.bias"]).tolist() == before


def test_a_model_that_nobody_has_any_more_keeps_no_file_open(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(SHARED.read_bytes()[:100])
    gc.collect()  # what earlier tests left
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        model = paramctl.open(SHARED)
        read(next(iter(model.values())))
        del model
        with pytest.raises(MalformedError, match="truncated"):
            paramctl.open(broken)
    gc.collect()  # pytest holds the errors in cycles
    assert len(os.listdir("/dev/fd")) == before


def test_what_is_equal_is_tied_and_what_is_one_number_only_where_it_is_named() -> None:
    model = paramctl.open(SHARED).untie()
    assert not model.aliases
    assert model.tie(equal=True).aliases == {"4.weight": "2.weight", "4.bias": "2.bias"}
    zeros = model.set("2.bias = 0", "4.bias = 0")
    assert zeros.tie(equal=True).aliases == {"4.weight": "2.weight"}
    assert zeros.tie("2.bias", "4.bias", equal=True).aliases == {"4.bias": "2.bias"}
    with pytest.raises(UsageError, match="keep with equal"):
        model.tie(keep="4", equal=True)


def test_without_a_seed_values_are_fresh() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    drawn = {tuple(read(model.init("normal")["2.weight"]).ravel().tolist()) for _ in range(3)}
    assert len(drawn) == 3


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(UsageError, match="there already"):
        model.save(tmp_path / "m.safetensors")
    model.set("2.bias = 3").save(tmp_path / "m.safetensors", force=True)
    assert torch.equal(load_file(tmp_path / "m.safetensors")["2.bias"], torch.tensor([3.0]))


def test_what_a_format_has_no_place_for_is_noted(tmp_path: Path) -> None:
    model = paramctl.open(SHARED).with_metadata({"license": "MIT"})
    report = model.save(tmp_path / "x.npz")
    assert report.files == (str(tmp_path / "x.npz"),)
    assert report.nbytes == (tmp_path / "x.npz").stat().st_size
    told = " ".join(report.notes)
    assert "license" in told
    assert "tie" in told
    assert model.save(tmp_path / "x.safetensors").notes == ()


@pytest.mark.parametrize("name", ["y.pt", "y.dcp", "y"])
def test_nothing_is_written_to_a_url(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    size = None if "." in name else "1MB"
    with pytest.raises(UsageError, match="nothing is written to a URL; write a file, upload it"):
        paramctl.open(SHARED).save(f"https://x/{name}", max_shard_size=size)
    assert not [*tmp_path.iterdir()]


def test_a_shard_size_makes_a_folder(tmp_path: Path) -> None:
    paramctl.open(SAMPLES / "gpt2").save(tmp_path / "out", max_shard_size=30_000)
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 1
    assert list(paramctl.open(tmp_path / "out")) == list(paramctl.open(SAMPLES / "gpt2"))


def test_stats_in_python_are_those_of_the_verb() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    told = json.loads(run_paramctl("stats", SAMPLES / "mlp.pt", "--format", "json").out)
    for each, row in zip(model.stats(), told, strict=True):
        moments = each.moments
        assert moments
        assert (each.name, moments.mean, moments.std, moments.low, moments.high) == (
            *(row["name"], row["mean"], row["std"], row["min"], row["max"]),
        )
    (each,) = model.stats("2.weight", quantiles=[0.0, 1.0])
    assert each.moments
    assert each.quantiles == (each.moments.low, each.moments.high)
    assert [layer.name for layer in model.stats(depth=1)] == ["0", "2"]
    with pytest.raises(UsageError, match=r"\[1\.5\] are no quantiles"):
        model.stats(quantiles=[1.5])
    with pytest.raises(UsageError, match="depth is 0"):
        model.stats(depth=0)


def test_a_comparison_in_python_is_that_of_the_verb(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    assert model.diff(paramctl.open(SAMPLES / "mlp.safetensors")).is_equal
    changed = model.set("0.weight[2,1] += 0.5", "0.bias += 1e-3")
    found = model.diff(changed, atol=0.01)
    assert [(each.name, each.differs) for each in found.parameters if each.differs] == [
        ("0.weight", ("values",))
    ]
    difference = found.parameters[0].outcome.difference
    assert difference
    assert difference.largest == pytest.approx(0.5)
    assert model.diff(changed, "2").is_equal
    assert [each.name for each in model.diff(changed, "2").parameters] == ["2.weight", "2.bias"]
    torch.save({f"module.{k}": v for k, v in torch.load(SAMPLES / "mlp.pt").items()},
               tmp_path / "ddp.pt")  # fmt: skip
    assert model.diff(paramctl.open(tmp_path / "ddp.pt"), strip_prefix=["module."]).is_equal
    with pytest.raises(UsageError, match=r"closest: 0\.weight"):
        model.diff(changed, "0.wieght")


@pytest.mark.parametrize("number", [-1, -0.5, float("nan"), float("inf")])
def test_a_tolerance_that_nothing_is_held_to_is_refused(number: float) -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    for compare in (partial(model.diff, atol=number), partial(model.diff, rtol=number)):
        with pytest.raises(UsageError, match="is no tolerance; finite numbers from 0 on"):
            compare(model)


def test_an_error_names_the_model_that_lacks_values() -> None:
    spec, model = paramctl.open(SAMPLES / "mlp.yaml"), paramctl.open(SAMPLES / "mlp.pt")
    with pytest.raises(UsageError, match=f"^{re.escape(spec.file)}: it has no values to copy"):
        model.graft(spec)
    with pytest.raises(UsageError, match=f"^{re.escape(spec.file)}: it has no values yet"):
        spec.export("x.onnx")


def test_what_differs_beside_values_can_be_ignored(tmp_path: Path) -> None:
    model = paramctl.open(SHARED)
    untied = model.untie()
    assert {each.differs for each in model.diff(untied).parameters} == {(), ("tie",)}
    assert model.diff(untied, ignore=["tie"]).is_equal
    save_file({"w": torch.ones(2)}, tmp_path / "a", {"step": "1"})
    save_file({"w": torch.ones(2)}, tmp_path / "b", {"step": "2"})
    a, b = paramctl.open(tmp_path / "a"), paramctl.open(tmp_path / "b")
    assert [(fact.key, fact.a, fact.b) for fact in a.diff(b).metadata] == [("step", "1", "2")]
    assert a.diff(b, ignore=["metadata"]).is_equal
    assert a.diff(b, "w").is_equal


def test_a_probe_finds_the_gradients_that_torch_finds(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(8, dtype=np.float32).reshape(2, 4))
    np.save(tmp_path / "y.npy", np.ones((2, 1), np.float32))
    state = torch.load(SAMPLES / "mlp.pt")
    model = paramctl.open(SAMPLES / "mlp.yaml").graft(paramctl.open(SAMPLES / "mlp.pt"))
    found = model.probe(input=tmp_path / "x.npy", target=tmp_path / "y.npy")
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    net.load_state_dict(state)
    output = net(torch.arange(8.0).reshape(2, 4))
    loss = nn.functional.mse_loss(output, torch.ones(2, 1))
    loss.backward()  # type: ignore[no-untyped-call]
    assert found.loss == pytest.approx(loss.item())
    torch.testing.assert_close(found.output, output.detach())
    gradients = {each.names[0]: each.gradient for each in found.parameters}
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad)


def test_random_numbers_of_a_program_stay_as_they_are() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    spec = paramctl.open(SAMPLES / "gpt.yaml")
    assert spec.probe(seed=1).loss == spec.init(seed=1).probe(seed=1).loss
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_report_is_that_of_the_verb(tmp_path: Path) -> None:
    model, other = (paramctl.open(SAMPLES / name) for name in ("mlp.pt", "shared.pt"))
    pages = [tmp_path / name for name in ("shell.html", "python.html")]
    run = run_paramctl(
        "report", SAMPLES / "mlp.pt", "--against", SAMPLES / "shared.pt", "-o", pages[0]
    )
    assert run.code == 0, run.err
    model.report(pages[1], against=other)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    with pytest.raises(UsageError, match="there already; force=True"):
        model.report(pages[1])
    with pytest.raises(UsageError, match=r"a page is HTML; name it \.html"):
        model.report(tmp_path / "x.pt")
    model.report(pages[1], force=True)
    assert pages[0].read_bytes() != pages[1].read_bytes()


@pytest.mark.parametrize(("method", "name"), [("report", "page.html"), ("export", "model.onnx")])
def test_a_file_that_is_in_the_way_is_told_before_anything_is_read(
    method: str, name: str, tmp_path: Path
) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "model.safetensors")
    model = paramctl.open(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_text("old")
    with pytest.raises(UsageError, match="there already; force=True"):
        getattr(model, method)(tmp_path / name)
    with pytest.raises(ParamctlError, match="there is no such folder"):
        getattr(model, method)(tmp_path / "none" / name)
    assert (tmp_path / name).read_text() == "old"


def test_what_is_exported_computes_as_torch_does(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "mlp.yaml").graft(paramctl.open(SAMPLES / "mlp.pt"))
    path = tmp_path / "mlp.onnx"
    model.export(path)
    given = torch.randn(3, 4)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    net.load_state_dict(torch.load(SAMPLES / "mlp.pt"))
    (output,) = onnxruntime.InferenceSession(path).run(None, {"input": given.numpy()})
    torch.testing.assert_close(torch.from_numpy(output), net(given).detach())
    with pytest.raises(UsageError, match="there already; force=True"):
        model.export(path)
    with pytest.raises(UsageError, match=r"what is exported is ONNX; name it \.onnx"):
        model.export(tmp_path / "mlp.pt")
    with pytest.raises(UsageError, match=r"export\(\) writes what computes"):
        model.save(tmp_path / "x.onnx")
    assert [*tmp_path.iterdir()] == [path]
