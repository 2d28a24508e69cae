"""`paramctl show`: the values of parameters."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from paramctl.addresses import Match, Resolver, keep_matches
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import OUTPUT, Filtering, ModelAndAddresses, Reading
from paramctl.errors import UsageError, blaming
from paramctl.groups import Groups

if TYPE_CHECKING:
    from paramctl.views.shown import Shown

EXAMPLES = """
$ paramctl show sample_models/mlp.pt 2
2.weight  ·  [1, 8] float32  ·  grad: none stored
tensor([[ 0.0186, -0.1813,  0.0598, -0.3301, -0.2555, -0.1823,  0.2231,  0.2073]])

2.bias  ·  [1] float32  ·  grad: none stored
tensor([-0.1568])

$ paramctl show sample_models/rgnet.pt '[0][1][0].bias[:3]'
0.block 1.0.bias[:3]  ·  [3] of [8] float32  ·  grad: none stored
tensor([-0.0275,  0.0751, -0.2048])

$ paramctl show sample_models/mlp.pt 2.bias --format raw | wc -c
4
"""

ValueFormat = Literal["text", "json", "npy", "raw"]


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    arguments: ModelAndAddresses = None,
    *,
    form: Annotated[
        ValueFormat,
        typer.Option(
            "--format",
            help="As torch prints it; JSON; a numpy file; the bare little-endian bytes.",
            rich_help_panel=OUTPUT,
        ),
    ] = "text",
) -> None:
    """Show the values of parameters."""
    checkpoint, addresses = open_model(environment, arguments, reading)
    names = checkpoint.entries
    with blaming(checkpoint.file):
        resolver = Resolver(names)
        matches = [match for address in addresses for match in resolver.matches(address)]
        if not addresses:
            matches = [Match(name, ()) for name in names]
        matches = keep_matches(checkpoint, matches, filtering.classes)
    from paramctl.views.shown import Shown  # noqa: PLC0415 (loads numpy)

    groups = Groups(checkpoint.aliases)
    with blaming(checkpoint.file):
        shown = [Shown.of(checkpoint, match, groups) for match in matches]
        _write(environment, shown, form)


def _write(environment: Environment, shown: "list[Shown]", form: ValueFormat) -> None:
    from paramctl.views import json_values, values  # noqa: PLC0415 (loads numpy)

    if form == "text":
        texts = values.texts(shown, environment.separator, environment.width)
        for place, text in enumerate(texts):
            environment.write(("\n" if place else "") + text + "\n")
    elif form == "json":
        for text in json_values.json_blocks(shown):
            environment.write(text)
        environment.write("\n")
    else:
        blocks = values.npy_blocks if form == "npy" else values.raw_blocks
        value = _only(shown, form)
        if environment.out_is_terminal:
            raise UsageError(
                f"{form} is binary, no text for a terminal", hint="redirect it: > FILE"
            )
        for block in blocks(value):
            environment.write_bytes(block)


def _only(shown: "list[Shown]", form: ValueFormat) -> "Shown":
    if len(shown) != 1:
        raise UsageError(f"{form} holds one parameter, these are {len(shown)}", hint="name one")
    return shown[0]
