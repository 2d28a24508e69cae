"""`paramctl meta`: what a file says beside its tensors, shown or changed."""

import os
from typing import Annotated, Literal

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import MODEL_HELP, OUTPUT, Reading, complete_keys
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.metadata import with_metadata
from paramctl.errors import UsageError, blaming
from paramctl.views.metadata import (
    find_value,
    json_metadata,
    read_metadata,
    tell,
    text_metadata,
)
from paramctl.views.metadata_changes import show_metadata

EXAMPLES = """
$ paramctl meta sample_models/training.pt epoch
1

$ paramctl meta sample_models/training.pt optimizer.param_groups.0.lr
0.001

$ paramctl meta sample_models/gpt2 --format json
{
  "total_size": 58752
}

$ paramctl meta sample_models/mlp.safetensors author='A. N. Other' license=MIT --dry-run
sample_models/mlp.safetensors  ·  safetensors
metadata
+ author: A. N. Other
+ license: MIT
to change: 2 set, 0 deleted

$ paramctl meta sample_models/mlp.pt a=b | paramctl meta license=MIT --delete a | paramctl meta
format: pt
license: MIT
"""


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] [KEY|KEY=TEXT]...",
            help=f"{MODEL_HELP}; then the key of what to show, with dots or one by one: "
            "optimizer.param_groups.0.lr; or texts to set: author='A. N. Other'.",
            autocompletion=complete_keys,
            show_default=False,
        ),
    ] = None,
    *,
    deleted: Annotated[
        list[str] | None,
        typer.Option(
            "--delete",
            metavar="KEY",
            help="Delete this key.",
            autocompletion=complete_keys,
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Literal["text", "json"] | None,
        typer.Option(
            "--format", help="How to write it.", rich_help_panel=OUTPUT, show_default="text"
        ),
    ] = None,
) -> None:
    """Show what a file says beside its tensors; or change it: license=MIT --delete note."""
    if deleted or any(map(_sets, arguments or [])):
        if form:
            raise UsageError("--format is of what is shown", hint="leave it out")
        _change(environment, reading, saving, arguments, deleted or [])
    else:
        if saving != Saving():
            raise UsageError("nothing is changed", hint="KEY=TEXT sets, --delete KEY deletes")
        _show(environment, reading, arguments, form or "text")


def _sets(argument: str) -> bool:
    """Whether an argument sets a text; a file may have such a name."""
    return "=" in argument and not os.path.lexists(argument)


def _show(
    environment: Environment, reading: Reading, arguments: list[str] | None, form: str
) -> None:
    checkpoint, keys = open_model(environment, arguments, reading, nested=True)
    with blaming(checkpoint.file):
        found = tell(find_value(read_metadata(checkpoint.metadata), keys))
    metadata = {} if found.tensors and not keys else found.value
    environment.write(json_metadata(metadata) if form == "json" else text_metadata(metadata))
    if form == "text" and metadata == {}:
        environment.note(f"{checkpoint.file}: no metadata")


def _change(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: list[str] | None,
    deleted: list[str],
) -> None:
    checkpoint, pairs = open_model(environment, arguments, reading, is_own=_sets, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    texts: dict[str, str] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign:
            raise UsageError(f"'{pair}' sets nothing", hint=f"{pair}=TEXT, or --delete {pair}")
        if texts.setdefault(key, text) != text:
            raise UsageError(f"'{key}' is set twice")
    with blaming(checkpoint.file):
        edited = with_metadata(checkpoint, texts, deleted)
        destination.save(edited, lambda: show_metadata(checkpoint, edited))
