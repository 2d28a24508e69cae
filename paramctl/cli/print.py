"""`paramctl print`: the tree of a model's modules, as Python prints it."""

import shlex
from typing import Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import STDIN_NAME, open_model
from paramctl.cli.options import ModelAlone, Reading
from paramctl.errors import UsageError, blaming
from paramctl.outline import Outline

EXAMPLES = """
$ paramctl print sample_models/mlp.yaml
Sequential(
  (0): Linear(in_features=4, out_features=8, bias=True)
  (1): ReLU()
  (2): Linear(in_features=8, out_features=1, bias=True)
)

$ paramctl print sample_models/shared.yaml --counts
Sequential(  # 121 + 72 tied
  (0): Linear(in_features=4, out_features=8, bias=True)  # 40
  (1): ReLU()
  (2): Linear(in_features=8, out_features=8, bias=True)  # 72
  (3): ReLU()
  (4): Linear(in_features=8, out_features=8, bias=True)  # 72 tied
  (5): ReLU()
  (6): Linear(in_features=8, out_features=1, bias=True)  # 9
)
121 parameters, 2 ties counted once
"""


def run(
    environment: Environment,
    reading: Reading,
    arguments: ModelAlone = None,
    *,
    counts: Annotated[
        bool, typer.Option("--counts", help="Add how many parameters each module has.")
    ] = False,
) -> None:
    """Print the tree of a model's modules."""
    from paramctl.views.outline import counted_lines, tree_lines  # noqa: PLC0415 (only here)

    checkpoint, rest = open_model(environment, arguments, reading)
    if rest:
        what = f"one model at a time, not '{rest[0]}' too"
        raise UsageError(what, hint="print each by itself, diff compares two")
    with blaming(checkpoint.file):
        outline = _outline(checkpoint)
    lines = counted_lines(outline, checkpoint.aliases) if counts else tree_lines(outline)
    environment.write_lines(lines)


def _outline(checkpoint: Checkpoint) -> Outline:
    if checkpoint.outline is not None:
        return checkpoint.outline()
    if checkpoint.build is None:
        name = "-" if checkpoint.file == STDIN_NAME else checkpoint.file
        raise UsageError(
            "it is no whole module and carries no spec, so its modules cannot be printed",
            hint=f"see its parameters with: {shlex.join(['paramctl', 'ls', name])}",
        )
    from paramctl.models.outlines import outline_built  # noqa: PLC0415 (loads torch)

    return outline_built(checkpoint.build, checkpoint.file)
