"""`paramctl stats`: what the values of parameters come to."""

from typing import Annotated, Literal

import typer

from paramctl.addresses import resolve_all
from paramctl.cli.abridging import abridge
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model, refuse_complaints
from paramctl.cli.options import Filtering, ModelAndLayers, Reading, TableForm, TableFormat
from paramctl.cli.progress import show_progress
from paramctl.errors import UsageError, blaming
from paramctl.layer_types import keep_types

EXAMPLES = """
$ paramctl stats sample_models/mlp.pt
          shape       mean     std      min      max    norm  zeros  histogram
0.weight  [8, 4]  -0.02434   0.275  -0.4777   0.4527   1.561     0%  ▅▅▆▁█▃█▃▆▃▅▅▃▃▃█
0.bias    [8]     -0.09606   0.317  -0.4683   0.4298  0.9369     0%  ▅▁█▅▅▁▁▁▁▁▁▁█▁▁▅
2.weight  [1, 8]  -0.05504  0.1977  -0.3301   0.2231  0.5805     0%  ▅▁▅▁█▁▁▁▁▁▅▅▁▁▁█
2.bias    [1]      -0.1568       0  -0.1568  -0.1568  0.1568     0%
49 values

$ paramctl stats sample_models/rgnet.pt --depth 2 --sort std
               mean     std      min     max    norm  zeros  histogram
0.block 1  -0.04076  0.2587  -0.4988  0.4704   2.283     0%  ▃▃▅▇▅▃▇▅▆█▁▅▃▅▁▂
0.block 0  -0.00455  0.2525  -0.4777  0.4527   2.201     0%  ▂▁▆▃█▆▃▂▅▅▇▅▆▃▂▅
0.block 2  -0.02403   0.246  -0.4822  0.4515   2.155     0%  ▄▃▁▅▇▂█▄▅▄▄▄▅▄▃▄
0.block 3  -0.01496  0.2361  -0.4956  0.4478   2.063     0%  ▂▁▃▆▅█▃▃▅▅▆▂▄▅▃▃
1.weight    0.00579  0.2234  -0.3712   0.213  0.4469     0%  ▅▁▁▁▁▁▁▁▁▁▁▁█▁▁▅
1.bias       0.1979       0   0.1979  0.1979  0.1979     0%
309 values

$ paramctl stats sample_models/mlp.pt '*.weight' --quantiles 0.01,0.5,0.99 | cut -f 1,16-
0.weight	-0.473384135	-0.0624818504	0.446309417
2.weight	-0.324885774	-0.081333532	0.221966041
"""


SortColumn = Literal[
    "file", "name", "numel", "mean", "std", "min", "max", "absmax", "norm", "zeros", "nan", "inf"
]


def _parse_fractions(text: str) -> tuple[float, ...]:
    try:
        fractions = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        fractions = (-1.0,)
    if not all(0 <= fraction <= 1 for fraction in fractions):
        hint = "numbers from 0 to 1: --quantiles 0.01,0.5,0.99"
        raise UsageError(f"'{text}' are no quantiles", hint=hint)
    return fractions


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    arguments: ModelAndLayers = None,
    *,
    quantiles: Annotated[
        str,
        typer.Option(
            "--quantiles",
            metavar="Q,...",
            help="These too, exactly: 0.01,0.5,0.99.",
            show_default=False,
        ),
    ] = "",
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            min=1,
            metavar="N",
            help="Sums of layers, so many parts of a name deep.",
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        SortColumn,
        typer.Option("--sort", help="By the place in the file, by name, or the largest first."),
    ] = "file",
    form: TableForm = None,
) -> None:
    """Show what the values of parameters come to: mean, spread, extremes, zeros, NaN."""
    fractions = _parse_fractions(quantiles)
    if depth and fractions:
        raise UsageError("--quantiles are of parameters", hint="leave --depth out")
    form = form or (TableFormat.TABLE if environment.out_is_terminal else TableFormat.TSV)
    checkpoint, addresses = open_model(environment, arguments, reading)

    from paramctl.stats.measured import measure, sum_layers  # noqa: PLC0415 (loads numpy)
    from paramctl.views import stats  # noqa: PLC0415 (the same)

    with blaming(checkpoint.file), show_progress(environment) as progress:
        names = keep_types(checkpoint, resolve_all(checkpoint, addresses), filtering.classes)
        measured = measure(checkpoint, names, fractions, progress)
    rows = stats.sort_measured(sum_layers(measured, depth) if depth else measured, sort)
    match form:
        case TableFormat.TSV:
            environment.write_lines(stats.tsv_lines(rows))
        case TableFormat.JSON:
            environment.write(stats.json_text(rows, fractions) + "\n")
        case TableFormat.TABLE:
            from paramctl.views.stats_table import print_stats, summary  # noqa: PLC0415

            console, width = environment.console(), environment.width
            shown, remark = abridge(environment, rows, form)
            print_stats(console, shown, fractions, environment.bars, width)
            environment.write_prose(f"{remark}{summary(measured)}\n")
    refuse_complaints(checkpoint)
