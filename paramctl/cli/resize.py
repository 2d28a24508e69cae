"""`paramctl resize`: let parameters grow or shrink."""

from typing import Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.notes import notes_on_spec
from paramctl.cli.options import ModelAndLayers, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.cli.seeding import Seed, note_seed, pick_fresh
from paramctl.errors import UsageError, blaming
from paramctl.init import registry
from paramctl.views.units import count_noun

EXAMPLES = """
$ paramctl resize sample_models/gpt2 wte.weight --shape 70x16 --scheme 'normal(std=0.02)' --dry-run
sample_models/gpt2/model.safetensors.index.json  ·  sharded safetensors  ·  2 files
            shape     dtype    values
wte.weight  [70, 16]  float32   1,120  was [64, 16], 96 new: normal(std=0.02)
to resize: 1,120 parameters in 1 tensor, 4.48 kB

$ paramctl resize sample_models/mlp.pt 0.weight --shape 9x4 -s mean | paramctl show '0.weight[6:]'
0.weight[6:]  ·  [3, 4] of [9, 4] float32  ·  grad: none stored
tensor([[-0.0806,  0.0529,  0.4527, -0.4638],
        [-0.3148, -0.1266, -0.1949,  0.4320],
        [-0.0918,  0.1056, -0.1203,  0.0092]])
"""
MAX_DIGITS = 18


def _list_schemes() -> list[str]:
    """Return the names that complete `--scheme`."""
    return ["mean", *registry.names()]


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: ModelAndLayers = None,
    *,
    shape: Annotated[
        str,
        typer.Option(
            "--shape", metavar="SHAPE", help="The new shape: 50304x768.", show_default=False
        ),
    ] = "",
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme",
            "-s",
            metavar="SCHEME|mean",
            autocompletion=_list_schemes,
            help="What new elements are: 'normal(std=0.02)', or mean, that of the old ones.",
            show_default=False,
        ),
    ] = "",
    seed: Seed = None,
) -> None:
    """Let parameters grow or shrink; what is tied to them follows."""
    sizes = _parse_shape(shape)
    checkpoint, addresses = open_model(environment, arguments, reading, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    from paramctl.edits.resizing import parse_new, plan, resize  # noqa: PLC0415 (loads numpy)
    from paramctl.views.resizing import show_resizing  # noqa: PLC0415 (the same)

    new = parse_new(scheme)
    with blaming(checkpoint.file):
        planned = plan(checkpoint, addresses, sizes, new)
        fresh = pick_fresh(seed, (each.distribution for each in planned if each.distribution))
        resized = resize(checkpoint, planned, fresh or seed or 0)
        notes = [
            f"'{each.entry.name}' loses {count_noun(each.lost, 'value')} of {each.entry.numel:,}"
            for each in planned
            if each.lost
        ]
        notes += notes_on_spec(checkpoint, resized)
        destination.save(resized, lambda: show_resizing(resized, planned), notes)
        if not destination.is_plan:
            note_seed(environment, fresh)


def _parse_shape(text: str) -> tuple[int, ...]:
    """Read a shape.

    Raises:
        UsageError: it is none.
    """
    sizes = text.split("x")
    if not all(size.isdecimal() and len(size) <= MAX_DIGITS for size in sizes):
        what = f"'{text}' is no shape" if text else "no shape"
        raise UsageError(what, hint="such as --shape 50304x768")
    return tuple(map(int, sizes))
