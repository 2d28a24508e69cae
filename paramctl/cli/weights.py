"""The values of a model that is named without them: a spec, or a factory."""

from dataclasses import replace
from typing import Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import STDIN_ARGUMENT, read_stdin
from paramctl.cli.options import DEFAULTS
from paramctl.formats import open_checkpoint
from paramctl.models.spec import KEY

OWN_TYPE = "the model's type"  # of which it is said that values are too large for it

Weights = Annotated[
    str,
    typer.Option("--weights", metavar="FILE", help="Values for a spec.", show_default=False),
]
Given = Annotated[
    str,
    typer.Option(
        "--input",
        metavar="SHAPE|FILE",
        help="What goes in: a shape, 2x4, drawn from N(0, 1), or an .npy file.",
        show_default="what fits the first layer",
    ),
]


def with_values(environment: Environment, checkpoint: Checkpoint, weights: str) -> Checkpoint:
    """Return the model that is named with the values of a file, in the model's own types.

    Whatever the file says of layers, the model knows better.
    """
    is_piped = weights == STDIN_ARGUMENT
    values = read_stdin(environment, DEFAULTS) if is_piped else open_checkpoint(weights)
    spec = {key: text for key, text in checkpoint.metadata.items() if key == KEY}
    rest = {key: text for key, text in values.metadata.items() if key != KEY}
    from paramctl.edits.casting import cast_like  # noqa: PLC0415 (loads numpy)

    values = cast_like(values, checkpoint)
    return replace(values, build=checkpoint.build, types=checkpoint.types, metadata=rest | spec)
