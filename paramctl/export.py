"""A model that computes, in a file that other software runs: ONNX, by PyTorch's exporter."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint
from paramctl.doors import Spelling
from paramctl.errors import LimitError, UsageError
from paramctl.models.flow import run
from paramctl.models.spec import KEY
from paramctl.probe.inputs import find_input
from paramctl.probe.network import build
from paramctl.writer import metadata
from paramctl.writer.formats import is_exported

INSTALL = "pip install 'paramctl[onnx]'"
MAX_BYTES = 2**31 - 1  # of a protobuf message
OWN_NOTES = ("pkg.", "namespace")  # what keys of the exporter's begin with: paths, stacks, classes
SEED = 0  # of the numbers that go in: any will do


def check_name(path: str) -> None:
    """Refuse a name under which other software would expect another format.

    Raises:
        UsageError: it is one.
    """
    if not is_exported(path):
        raise UsageError("what is exported is ONNX", hint="name it .onnx", file=path or "''")


def export_onnx(checkpoint: Checkpoint, given: str) -> bytes:
    """Return an ONNX model that computes what the module does, for any number of rows if it can.

    `given` is what goes in, a shape such as `2x4` or an .npy file; "" is what the spec says, or
    what fits the first layer.

    Raises:
        UsageError: the modules are not known, do not fit what goes in, or cannot be exported.
        LimitError: it has more bytes than such a file holds.
    """
    onnx = _load_onnx()
    if checkpoint.is_planned:
        hint = Spelling(
            "--weights FILE, or fill it by paramctl init",
            "init() gives it some, graft() those of another model",
        )
        raise UsageError("it has no values yet", hint=hint, file=checkpoint.file)
    if sum(entry.nbytes for entry in checkpoint.values()) > MAX_BYTES:
        raise LimitError("a model of more than 2 GiB, which no ONNX file holds")
    module = build(checkpoint, "cpu").eval()
    sample = find_input(checkpoint, module, given, SEED)
    run(module, sample)
    with _silence():
        model = _export(module, sample)
    _clean(model.graph)
    onnx.helper.set_model_props(model, _notes(checkpoint, model.graph))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _notes(checkpoint: Checkpoint, graph: Any) -> dict[str, str]:
    """Return the metadata; without the spec where the exporter has folded a parameter away."""
    written = {each.name for each in graph.initializer}
    left_out = {"format"} if written >= {*checkpoint} - {*checkpoint.aliases} else {"format", KEY}
    texts = metadata.of_file(checkpoint, {}).items()
    return {key: text for key, text in texts if key not in left_out}


def _load_onnx() -> ModuleType:
    try:
        import onnx  # noqa: PLC0415 (an extra)
        import onnxscript  # noqa: F401, PLC0415 (the same; the exporter needs it)
    except ImportError as error:
        raise UsageError("exporting to ONNX takes onnx and onnxscript", hint=INSTALL) from error
    module: ModuleType = onnx
    return module


def _export(module: nn.Module, sample: Tensor) -> Any:
    """Return the exporter's model, of the sample's number of rows where it cannot be any.

    A single row would be taken for a number that is fixed.
    """
    rows = torch.cat([sample, sample]) if sample.dim() and len(sample) == 1 else sample
    try:
        return _trace(module, rows, {0: torch.export.Dim.AUTO} if rows.dim() else {})
    except torch.onnx.OnnxExporterError:
        pass
    try:
        return _trace(module, sample, {})
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise UsageError(f"PyTorch cannot export it: {reason}") from error


def _trace(module: nn.Module, sample: Tensor, dynamic: dict[int, Any]) -> Any:
    program = torch.onnx.export(
        module,
        (sample,),
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=(dynamic,),
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # noqa: S101 (torch says so of `dynamo`)
    return program.model_proto


@contextmanager
def _silence() -> Iterator[None]:
    """Keep to itself what the exporter prints, logs and warns of."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _clean(graph: Any) -> None:
    """Take out what the exporter notes of this machine, and name the number of rows."""
    values = [*graph.input, *graph.output, *graph.value_info]
    for noted in (graph, *graph.node, *graph.initializer, *values):
        kept = [each for each in noted.metadata_props if not each.key.startswith(OWN_NOTES)]
        del noted.metadata_props[:]
        noted.metadata_props.extend(kept)
    rows = graph.input[0].type.tensor_type.shape.dim[:1]
    own = rows[0].dim_param if rows else ""
    for value in values:
        for size in value.type.tensor_type.shape.dim:
            if own and size.dim_param == own:
                size.dim_param = "rows"
