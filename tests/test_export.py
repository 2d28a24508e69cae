"""What is exported to ONNX, run in onnxruntime against PyTorch."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from forks import Forks
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

import paramctl
from paramctl.arrays import raw
from paramctl.checkpoint import Checkpoint
from paramctl.errors import LimitError, UsageError
from paramctl.export import export_onnx
from paramctl.probe.network import build
from paramctl.views.units import format_bytes

SAMPLES = Path(__file__).parents[1] / "sample_models"
VALUES = SAMPLES / "mlp.safetensors"
MLP = SAMPLES / "mlp.yaml"
Array = NDArray[Any]
SPEC = """
layers:
  - Embedding: [10, 8]
  - residual:
      - LayerNorm: 8
      - MultiheadAttention: {embed_dim: 8, num_heads: 2, batch_first: true, is_causal: true}
  - Linear: [8, 10]
"""


def outputs(path: Path, given: Array) -> Array:
    session = onnxruntime.InferenceSession(path)
    output: Array = session.run(None, {"input": given})[0]
    return output


def test_it_computes_what_the_module_does_for_any_number_of_rows(
    torch_forks: Forks, tmp_path: Path
) -> None:
    spec, weights, path = (tmp_path / name for name in ("x.yaml", "x.safetensors", "x.onnx"))
    spec.write_text(SPEC)
    init = ("init", spec, "--scheme", "normal(std=0.3)", "--seed", "0")
    assert torch_forks.run(*init, "-o", weights).code == 0
    run = torch_forks.run("convert", spec, "--weights", weights, "-o", path, "--input", "1x7")
    assert (run.code, run.out) == (0, ""), run.err
    assert run.err == f"paramctl: wrote {path}, {format_bytes(path.stat().st_size)}\n"
    onnx.checker.check_model(path, full_check=True)
    module = build(paramctl.open(weights), "cpu").eval()
    for rows in (1, 2, 5):
        tokens = torch.arange(7 * rows).reshape(rows, 7) % 10
        with torch.no_grad():
            expected = module(tokens).numpy()
        np.testing.assert_allclose(outputs(path, tokens.numpy()), expected, atol=1e-5)
    written, values = paramctl.open(path), paramctl.open(weights)
    assert written.metadata["paramctl.init"] == values.metadata["paramctl.init"]
    assert "paramctl.spec" not in written.metadata  # biases of zeros are folded away
    assert b"".join(raw(written["0.weight"])) == b"".join(raw(values["0.weight"]))
    assert b"site-packages" not in path.read_bytes()


@pytest.mark.parametrize("verb", ["convert", "probe"])
def test_values_too_large_for_the_spec_s_type_are_told(
    verb: str, torch_forks: Forks, tmp_path: Path
) -> None:
    spec, weights = tmp_path / "half.yaml", tmp_path / "big.safetensors"
    spec.write_text(f"dtype: float16\n{MLP.read_text()}")
    values = {name: tensor.clone() for name, tensor in load_file(VALUES).items()}
    values["0.weight"][0, :3] = torch.tensor([7e4, -1e9, 6e4])
    save_file(values, weights)
    out = ("-o", tmp_path / "x.onnx") if verb == "convert" else ()
    run = torch_forks.run(verb, spec, "--weights", weights, *out)
    assert run.code == 0, run.err
    assert "2 values too large for the model's type: 2 of '0.weight'\n" in run.err


def test_a_model_with_all_of_its_parameters_keeps_its_spec(
    torch_forks: Forks, tmp_path: Path
) -> None:
    path, back = tmp_path / "x.onnx", tmp_path / "back.safetensors"
    assert torch_forks.run("convert", MLP, "--weights", VALUES, "-o", path).code == 0
    assert "paramctl.spec" in paramctl.open(path).metadata
    assert torch_forks.run("convert", path, "-o", back).code == 0
    assert torch_forks.run("probe", back, "--seed", "0").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([SAMPLES / "mlp.pt"], "its modules are not known"),
        ([MLP], "it has no values yet; --weights FILE"),
        ([MLP, "--weights", SAMPLES / "rgnet.pt"], "lacks what the model has"),
        ([MLP, "--weights", VALUES, "--input", "2x5"], "layer '0' (Linear)"),
        ([MLP, "--weights", VALUES, "--dtype", "bf16"], "--dtype is not for what is exported"),
        ([MLP, "--weights", VALUES, "-n"], "are not for what is exported"),
        ([MLP, "--weights", VALUES, "-o", "no/x.onnx"], "there is no such folder"),
        ([VALUES, "--weights", VALUES, "-o", "x.pt"], "--weights and --input are for -o FILE.onnx"),
    ],
)
def test_a_wrong_call_gets_one_line_and_writes_nothing(
    arguments: list[str | Path],
    message: str,
    torch_forks: Forks,
    tmp_path: Path,
) -> None:
    output = () if "-o" in arguments else ("-o", tmp_path / "x.onnx")
    run = torch_forks.run("convert", *arguments, *output)
    code = 6 if "no/x.onnx" in arguments else 2
    assert (run.code, run.out, run.err.count("\n")) == (code, "", 1)
    assert message in run.err
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match="onnx and onnxscript") as told:
        export_onnx(paramctl.open(VALUES), "")
    assert told.value.hint == "pip install 'paramctl[onnx]'"


def fill() -> Checkpoint:
    """Return a model that knows its modules and has values."""
    return paramctl.open(MLP).init("normal", seed=0)


def test_what_cannot_be_exported_for_any_number_of_rows_is_so_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse(*arguments: Any, **options: Any) -> None:
        asked.append((arguments[1][0].shape[0], bool(options["dynamic_shapes"][0])))
        raise torch.onnx.OnnxExporterError("steps") from ValueError("no such operator\nmore")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(UsageError, match=r"PyTorch cannot export it: no such operator\Z"):
        export_onnx(fill(), "1x4")
    assert asked == [(2, True), (1, False)]


def test_what_the_exporter_prints_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(*_arguments: Any, **_options: Any) -> None:
        print("chatter")  # noqa: T201 (what the exporter does)
        logging.getLogger("torch.onnx").error("chatter")
        warnings.warn("chatter", stacklevel=1)
        raise torch.onnx.OnnxExporterError("quiet")

    monkeypatch.setattr(torch.onnx, "export", talk)
    with pytest.raises(UsageError, match="quiet"):
        export_onnx(fill(), "")
    assert capsys.readouterr() == ("", "")
    assert not logging.root.manager.disable


def test_more_than_a_file_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paramctl.export.MAX_BYTES", 100)
    with pytest.raises(LimitError, match="no ONNX file holds"):
        export_onnx(fill(), "")
