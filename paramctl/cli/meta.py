"""`paramctl meta`: show what a file says beside its tensors."""

from typing import Annotated, Any, Literal

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import MODEL_HELP, OUTPUT, Reading
from paramctl.errors import AddressError
from paramctl.views.metadata import json_metadata, read_metadata, text_metadata

EXAMPLES = """
$ paramctl meta sample_models/training.pt
epoch: 1

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
            help=f"{MODEL_HELP}; then a key, and keys within it.",
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
    checkpoint, keys = open_model(environment, arguments, reading)
    metadata: Any = read_metadata(checkpoint.metadata)
    for key in keys:
        if not isinstance(metadata, dict) or key not in metadata:
            known = ", ".join(metadata) if isinstance(metadata, dict) else ""
            raise AddressError(
                f"no metadata '{key}'", hint=f"there is: {known or 'none'}", file=checkpoint.file
            )
        metadata = metadata[key]
    environment.write(json_metadata(metadata) if form == "json" else text_metadata(metadata))
    if form == "text" and metadata == {}:
        environment.note(f"{checkpoint.file}: no metadata")
