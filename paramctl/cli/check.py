"""`paramctl check`: what may be wrong with a model."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.cli.abridging import abridge
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model, refuse_complaints
from paramctl.cli.options import OUTPUT, Filtering, ModelAndLayers, Reading
from paramctl.cli.progress import show_progress
from paramctl.errors import NO, UsageError, blaming
from paramctl.layer_types import keep_types
from paramctl.views.summary import header_line

if TYPE_CHECKING:
    from paramctl.check.findings import Checked

EXAMPLES = """
$ paramctl set sample_models/mlp.pt '0.weight[2] = 0' '2.weight[0,5] /= 0' | paramctl check
<stdin>  ·  safetensors
2.weight  inf        1 of 8, first at [0, 5]
0.weight  dead-rows  1 of 8 rows, first at [2]
1 error, 1 warning; 4 tensors checked, 196 B
inf: 'paramctl set' changes values, 'paramctl init' draws them
dead-rows: pruned, or dead: the input has no part in what they put out

$ paramctl check sample_models/mlp.pt --only nan,inf && echo fine
sample_models/mlp.pt  ·  torch zip  ·  a state dict
nothing found; 4 tensors checked, 196 B
fine

$ paramctl check sample_models/mlp.pt --against sample_models/shared.yaml
sample_models/mlp.pt  ·  torch zip  ·  a state dict
6.weight  missing  declared float32 [1, 8]
6.bias    missing  declared float32 [1]
2.weight  shape    [1, 8], declared [8, 8]
2.bias    shape    [1], declared [8]
4 errors; 4 tensors checked, 196 B
"""


class CheckFormat(StrEnum):
    """How findings are written."""

    LINES = "lines"
    TSV = "tsv"
    JSON = "json"


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    arguments: ModelAndLayers = None,
    *,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="MODEL",
            help="Compare names, shapes and dtypes with a spec, a factory, a config, a folder.",
            show_default=False,
        ),
    ] = "",
    only: Annotated[
        str,
        typer.Option(
            "--only",
            metavar="KIND,...",
            help="Look for these kinds only: nan,inf; or error, warning, note.",
            show_default=False,
        ),
    ] = "",
    form: Annotated[
        CheckFormat | None,
        typer.Option(
            "--format",
            help="How to show it: lines on a terminal, TSV in a pipe.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Find NaN, infinities, dead rows, duplicates and more; exit 1 where there is anything."""
    from paramctl.check.checking import check  # noqa: PLC0415 (loads numpy)
    from paramctl.check.declarations import compare_with, open_declared  # noqa: PLC0415 (only here)
    from paramctl.check.kinds import choose_kinds  # noqa: PLC0415 (only here)

    kinds = choose_kinds(only)
    checkpoint, addresses = open_model(environment, arguments, reading)
    if against and (addresses or filtering.classes):
        raise UsageError("--against compares whole models", hint="leave addresses and --type out")
    with blaming(checkpoint.file):
        names = resolve_all(checkpoint.entries, addresses)
        names = keep_types(checkpoint, names, filtering.classes)
        declared = compare_with(checkpoint, open_declared(against)) if against else None
        with show_progress(environment) as progress:
            checked = check(checkpoint, names, kinds, declared, progress)
    form = form or (CheckFormat.LINES if environment.out_is_terminal else CheckFormat.TSV)
    _write(environment, checkpoint, checked, form)
    refuse_complaints(checkpoint)
    if checked.findings:
        raise typer.Exit(NO)


def _write(
    environment: Environment, checkpoint: Checkpoint, checked: "Checked", form: CheckFormat
) -> None:
    from paramctl.views import checks  # noqa: PLC0415 (only here)

    match form:
        case CheckFormat.JSON:
            environment.write(checks.json_text(checkpoint.file, checked) + "\n")
        case CheckFormat.TSV:
            environment.write_lines(checks.tsv_lines(checked))
        case CheckFormat.LINES:
            from paramctl.views.check_table import print_findings  # noqa: PLC0415 (loads rich)

            environment.write_prose(header_line(checkpoint, environment.separator) + "\n")
            shown, remark = abridge(environment, checked.findings, form)
            print_findings(environment.console(), shown, environment.width)
            environment.write_prose(f"{remark}{checks.summary_line(checked)}\n")
            for hint in checks.hint_lines(checked.findings):
                environment.write_prose(f"{hint}\n")
    for line in checks.unchecked_lines(checked):
        environment.note(line)
