"""`paramctl meta`: show what a file says beside its tensors."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from paramctl.checkpoint import ReadOptions
from paramctl.cli import options
from paramctl.cli.models import open_model
from paramctl.cli.options import DEFAULTS
from paramctl.errors import AddressError
from paramctl.views.metadata import json_metadata, read_metadata, text_metadata

if TYPE_CHECKING:
    from paramctl.cli.environment import Environment

EXAMPLES = """
$ paramctl meta sample_models/training.pt
epoch: 1

$ paramctl meta sample_models/gpt2 --format json
{
  "total_size": 58752
}
"""


def run(
    ctx: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] [KEY]", show_default=False, help="A file or folder; a key."
        ),
    ] = None,
    *,
    form: Annotated[
        Literal["text", "json"], typer.Option("--format", help="How to write it.")
    ] = "text",
    max_header_bytes: options.MaxHeaderBytes = DEFAULTS.max_header_bytes,
    quiet: options.Quiet = False,
) -> None:
    """Show what a file says beside its tensors."""
    environment: Environment = ctx.obj
    environment.quiet = quiet
    reading = ReadOptions(max_header_bytes=max_header_bytes)
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
