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

$ paramctl print sample_models/shared.yaml --counts
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
        raise UsageError(f"one model at a time, not '{rest[0]}' too")
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
