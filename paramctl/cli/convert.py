"""`paramctl convert`: a model in another format, or with other types."""

from functools import partial
from typing import Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.casting import Dtype, cast_to
from paramctl.cli.environment import Environment
from paramctl.cli.exporting import export_model
from paramctl.cli.models import open_model
from paramctl.cli.notes import note_overflows
from paramctl.cli.options import ModelAlone, Reading, complete_addresses
from paramctl.cli.packed import refuse_packed
from paramctl.cli.saving import Destination, Saving, choose_destination
from paramctl.cli.weights import Given, Weights
from paramctl.errors import UsageError, blaming
from paramctl.views.casts import show_casts
from paramctl.views.changes import Changes
from paramctl.views.selections import show_whole
from paramctl.writer.formats import is_exported

EXAMPLES = """
$ paramctl convert sample_models/mlp.pt --dtype bf16 --keep-dtype '*.bias' --dry-run
sample_models/mlp.pt  ·  torch zip  ·  a state dict
          shape   dtype     values
0.weight  [8, 4]  bfloat16      32  was float32
2.weight  [1, 8]  bfloat16       8  was float32
to cast: 2 tensors, from 160 B to 80 B

$ paramctl convert sample_models/mlp.safetensors -o /tmp/mlp.npz --force && python -c "
import numpy
print(numpy.load('/tmp/mlp.npz')['2.bias'])"
paramctl: wrote /tmp/mlp.npz, 1.32 kB
[-0.15679917]
"""


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: ModelAlone = None,
    *,
    dtype: Dtype = "",
    keep_dtype: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-dtype",
            metavar="ADDRESS",
            help="Leave these layers or parameters in the type that they have.",
            autocompletion=complete_addresses,
            show_default=False,
        ),
    ] = None,
    weights: Weights = "",
    given: Given = "",
) -> None:
    """Write a model in the format that -o's suffix names, or with other types."""
    checkpoint, rest = open_model(environment, arguments, reading, to_write=True)
    if rest:
        what = f"one model at a time, not '{rest[0]}' too"
        raise UsageError(what, hint=f"-o {rest[0]} writes it there, merge puts several in one")
    if keep_dtype and not dtype:
        raise UsageError("--keep-dtype without --dtype", hint="--dtype bf16 casts the others")
    if is_exported(saving.output or ""):
        if dtype:
            what = "--dtype is not for what is exported"
            raise UsageError(what, hint="its spec says the type: 'dtype: float16'")
        export_model(environment, saving, checkpoint, weights, given)
        return
    if weights or given:
        raise UsageError("--weights and --input are for -o FILE.onnx", hint="leave them out")
    destination = choose_destination(environment, saving, checkpoint, any_format=True)
    with blaming(checkpoint.file):
        converted = cast_to(checkpoint, dtype, keep_dtype or [])
        refuse_packed(converted, dtype, keep_dtype or [])
        destination.save(converted, partial(_show, checkpoint, converted, destination))
    if dtype:
        note_overflows(environment, converted, dtype)


def _show(old: Checkpoint, new: Checkpoint, destination: Destination) -> Changes:
    """Return what is cast, or all that is written where nothing is to be."""
    if new is old:
        return show_whole(new, f"write as {destination.options.format}")
    return show_casts(old, new)
