"""`paramctl tie`: make parameters one."""

from typing import Annotated

import typer

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import Filtering, ModelAndLayers, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.tying import tie, tie_groups
from paramctl.errors import UsageError, blaming
from paramctl.layer_types import keep_types
from paramctl.views.ties import saved_bytes, show_made
from paramctl.views.units import count_noun, format_bytes

EXAMPLES = """
$ paramctl tie sample_models/rgnet.pt '0.block 0' '0.block 1' | paramctl ls --ties | cut -f 1,8
0.block 0.0.bias	-
0.block 1.0.bias	0.block 0.0.bias
0.block 0.0.weight	-
0.block 1.0.weight	0.block 0.0.weight
0.block 0.2.bias	-
0.block 1.2.bias	0.block 0.2.bias
0.block 0.2.weight	-
0.block 1.2.weight	0.block 0.2.weight

$ paramctl untie sample_models/shared.pt | paramctl tie --equal | paramctl ls --ties
paramctl: 2 ties made, 288 B saved
<stdin>  ·  safetensors
          shape   dtype    values   size
2.bias    [8]     float32       8   32 B
4.bias    [8]     float32       8   32 B  = 2.bias
2.weight  [8, 8]  float32      64  256 B
4.weight  [8, 8]  float32      64  256 B  = 2.weight
72 parameters in 2 tensors, 2 ties counted once, 288 B
"""


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    saving: Saving,
    arguments: ModelAndLayers = None,
    *,
    keep: Annotated[
        str,
        typer.Option(
            "--keep",
            metavar="ADDRESS",
            help="Whose values are kept; else those of the first one named.",
            show_default=False,
        ),
    ] = "",
    equal: Annotated[
        bool,
        typer.Option("--equal", help="Tie the parameters that are equal byte for byte."),
    ] = False,
) -> None:
    """Make layers or parameters one: the first one's values, under all of the names."""
    checkpoint, addresses = open_model(environment, arguments, reading, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    with blaming(checkpoint.file):
        notes: list[str] = []
        if equal:
            tied, notes = _tie_equal(checkpoint, addresses, filtering.classes, keep)
        else:
            if filtering.classes:
                raise UsageError("--type goes with --equal", hint="name what is to be one")
            tied = tie(checkpoint, addresses, keep)
        destination.save(tied, lambda: show_made(checkpoint, tied), notes)


def _tie_equal(
    checkpoint: Checkpoint, addresses: list[str], classes: tuple[str, ...], keep: str
) -> tuple[Checkpoint, list[str]]:
    """Tie what is equal, constants only where they are named; return also what to say of it."""
    from paramctl.edits.equality import find_equal  # noqa: PLC0415 (loads numpy)

    if keep:
        raise UsageError("--keep with --equal", hint="equal values are the same whichever is kept")
    names = keep_types(checkpoint, resolve_all(checkpoint.entries, addresses), classes)
    found = find_equal(checkpoint, names)
    notes = []
    groups = found.to_tie(are_named=bool(addresses))
    if found.constant and not addresses:
        constants = sum(map(len, found.constant))
        notes.append(
            f"{count_noun(constants, 'parameter')} of one number throughout, "
            f"such as '{found.constant[0][0]}', left untied; name them to tie them"
        )
    tied = tie_groups(checkpoint, groups)
    made = sum(len(group) - 1 for group in groups)
    saved = format_bytes(saved_bytes(tied) - saved_bytes(checkpoint))
    notes.append(f"{count_noun(made, 'tie')} made, {saved} saved")
    return tied, notes
