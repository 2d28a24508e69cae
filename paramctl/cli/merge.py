"""`paramctl merge`: several models in one file."""

from typing import Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_all
from paramctl.cli.options import Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.origins import Prefer, find_origins
from paramctl.errors import UsageError, blaming

EXAMPLES = """
$ paramctl merge sample_models/mlp.pt sample_models/rgnet.pt | paramctl ls '*.weight'
<stdin>  ·  safetensors
          shape   dtype    values   size
0.weight  [8, 4]  float32      32  128 B
1.weight  [1, 4]  float32       4   16 B
2.weight  [1, 8]  float32       8   32 B
44 parameters in 3 tensors, 176 B

$ paramctl merge sample_models/mlp.pt sample_models/shared.pt --prefer last --dry-run
paramctl: 4 names in several models: that of the last one is taken
sample_models/mlp.pt, sample_models/shared.pt  ·  merged
           shape   dtype    values
0                               40
├─ weight  [8, 4]  float32      32  of sample_models/shared.pt, not sample_models/mlp.pt
└─ bias    [8]     float32       8  of sample_models/shared.pt, not sample_models/mlp.pt
2                               72
├─ weight  [8, 8]  float32      64  of sample_models/shared.pt, not sample_models/mlp.pt
└─ bias    [8]     float32       8  of sample_models/shared.pt, not sample_models/mlp.pt
4                                0
├─ weight  [8, 8]  float32      64  = 2.weight, of sample_models/shared.pt
└─ bias    [8]     float32       8  = 2.bias, of sample_models/shared.pt
6                                9
├─ weight  [1, 8]  float32       8  of sample_models/shared.pt
└─ bias    [1]     float32       1  of sample_models/shared.pt
to merge: 121 parameters in 6 tensors, 2 ties counted once, 484 B
"""


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL MODEL...",
            help="Two models or more, one of them may be '-' for standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    prefer: Annotated[
        Prefer | None,
        typer.Option(
            "--prefer",
            help="Whose parameter is taken where several have one name; else that is an error.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Put the parameters of several models into one."""
    names = arguments or []
    if len(names) < 2:
        what = "one model is named" if names else "no model is named"
        raise UsageError(f"{what}, two or more are merged", hint="'-' is standard input")
    models = open_all(environment, names, reading)
    destination = choose_destination(environment, saving, models[0])
    origins = find_origins(models, prefer)
    from paramctl.edits.merging import merge  # noqa: PLC0415 (loads numpy)
    from paramctl.views.merging import notes_on, show_union  # noqa: PLC0415 (the same)

    merged = merge(models[0], origins)
    with blaming(merged.file):
        destination.save(merged, lambda: show_union(merged, origins), notes_on(merged, origins))
