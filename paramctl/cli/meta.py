"""`paramctl meta`: show what a file says beside its tensors."""

from typing import Annotated, Literal

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import MODEL_HELP, OUTPUT, Reading
from paramctl.errors import blaming
from paramctl.views.metadata import (
    find_value,
    json_metadata,
    read_metadata,
    tell,
    text_metadata,
)

EXAMPLES = """
$ paramctl meta sample_models/training.pt epoch
1

$ paramctl meta sample_models/training.pt optimizer.param_groups.0.lr
0.001

$ paramctl meta sample_models/gpt2 --format json
{
  "total_size": 58752
}
"""


def run(
    environment: Environment,
    reading: Reading,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] [KEY]...",
            help=f"{MODEL_HELP}; then the key of what to show, with dots or one by one: "
            "optimizer.param_groups.0.lr.",
            show_default=False,
        ),
    ] = None,
    *,
    form: Annotated[
        Literal["text", "json"],
        typer.Option("--format", help="How to write it.", rich_help_panel=OUTPUT),
    ] = "text",
) -> None:
    """Show what a file says beside its tensors."""
    checkpoint, keys = open_model(environment, arguments, reading, nested=True)
    with blaming(checkpoint.file):
        found = tell(find_value(read_metadata(checkpoint.metadata), keys))
    metadata = {} if found.tensors and not keys else found.value
    environment.write(json_metadata(metadata) if form == "json" else text_metadata(metadata))
    if form == "text" and metadata == {}:
        environment.note(f"{checkpoint.file}: no metadata")
