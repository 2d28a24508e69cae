"""`paramctl diff`: how two models differ."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paramctl.cli.abridging import abridge
from paramctl.cli.environment import Environment
from paramctl.cli.models import check_stdin, open_named
from paramctl.cli.options import (
    OUTPUT,
    READING,
    Filtering,
    Reading,
    TableForm,
    TableFormat,
    complete_addresses,
)
from paramctl.cli.pairing import compare, pair_up
from paramctl.diff.choosing import Models, choose
from paramctl.errors import NO, UsageError
from paramctl.views.escaping import escape

if TYPE_CHECKING:
    from paramctl.diff.comparison import Comparison, Parameter
    from paramctl.diff.values import Tolerance

EXAMPLES = """
$ paramctl diff sample_models/mlp.pt sample_models/mlp.safetensors
A  sample_models/mlp.pt  ·  torch zip  ·  a state dict
B  sample_models/mlp.safetensors  ·  safetensors
4 parameters: 4 equal

$ paramctl set sample_models/mlp.pt '0.weight[2,1] += 0.5' | paramctl diff sample_models/mlp.pt -
A  sample_models/mlp.pt  ·  torch zip  ·  a state dict
B  <stdin>  ·  safetensors
            shape   dtype    max diff  at      max rel  rel L2    cosine  equal
~ 0.weight  [8, 4]  float32       0.5  [2, 1]   0.7908  0.2977  0.954985  96.8%
4 parameters: 3 equal, 1 changed

$ paramctl untie sample_models/shared.pt | paramctl diff sample_models/shared.pt - --brief
4.weight: tie
4.bias: tie
"""


class Ignorable(StrEnum):
    """What may differ and be left out."""

    DTYPE = "dtype"
    TIE = "tie"
    METADATA = "metadata"
    CLASS = "class"


OF_WHOLE = (Ignorable.METADATA, Ignorable.CLASS)
"""What is told of whole models only."""


def _complete(ctx: Any, incomplete: str) -> list[str]:
    """Offer names in A once both models are named; the shell completes files until then."""
    typed = ctx.params["arguments"] or []
    return complete_addresses(ctx, incomplete) if len(typed) > 1 else []


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B [ADDRESS]...",
            help="Two models, one of them may be '-' for standard input; then layers or "
            "parameters: 2.bias, [0][1], '*.bias'.",
            autocompletion=_complete,
            show_default=False,
        ),
    ] = None,
    *,
    tolerance: Annotated[
        str,
        typer.Option(
            "--tolerance",
            metavar="ATOL[,RTOL]",
            help="Values are equal if |a - b| <= ATOL + RTOL * |b|, as in numpy.allclose.",
        ),
    ] = "0",
    strip_prefix: Annotated[
        list[str] | None,
        typer.Option(
            "--strip-prefix",
            metavar="PREFIX",
            help="Leave this out where names in A or B begin with it: module.",
            show_default=False,
        ),
    ] = None,
    key_b: Annotated[
        str | None,
        typer.Option(
            "--key-b",
            metavar="KEY",
            help="Read this part of B, where --key is A's; '' for the whole.",
            rich_help_panel=READING,
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[Ignorable] | None,
        typer.Option(
            "--ignore",
            metavar="dtype|tie|metadata|class",
            help="What makes no difference.",
            show_default=False,
        ),
    ] = None,
    equal: Annotated[bool, typer.Option("--equal", help="List what is equal too.")] = False,
    brief: Annotated[
        bool,
        typer.Option("--brief", help="Only what differs, a line each.", rich_help_panel=OUTPUT),
    ] = False,
    form: TableForm = None,
) -> None:
    """Compare two models; exit 1 where they differ."""
    if brief and (form or equal):
        raise UsageError("--brief with --format or --equal", hint="it is a form of its own")
    allowed = _parse_tolerance(tolerance)
    readings = reading, reading if key_b is None else reading._replace(key=key_b)
    models, addresses = _open_both(environment, arguments or [], readings, strip_prefix or [])
    _note_lacks(environment, models)
    pairs = pair_up(environment, models, choose(models, addresses, filtering.classes))
    is_whole = not addresses and not filtering.classes
    ignored = (*(ignore or []), *(() if is_whole else OF_WHOLE))
    comparison = compare(environment, models, pairs, allowed, ignored)
    if brief:
        from paramctl.views.diffs import brief_lines  # noqa: PLC0415 (loads numpy)

        environment.write_lines(brief_lines(comparison))
    else:
        form = form or (TableFormat.TABLE if environment.out_is_terminal else TableFormat.TSV)
        shown = [p for p in comparison.parameters if equal or p.change != "equal"]
        _write(environment, comparison, shown, allowed, form)
    if not comparison.is_equal:
        raise typer.Exit(NO)


def _parse_tolerance(text: str) -> "Tolerance":
    from paramctl.diff.values import Tolerance  # noqa: PLC0415 (loads numpy)

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2 or not Tolerance(*numbers).is_sound:
        hint = "write 1e-6, or 1e-8,1e-5 for one that grows with the values too"
        raise UsageError(f"'{text}' is no tolerance", hint=hint)
    return Tolerance(*numbers)


def _open_both(
    environment: Environment,
    arguments: list[str],
    readings: tuple[Reading, Reading],
    prefixes: list[str],
) -> tuple[Models, list[str]]:
    from paramctl.diff.names import strip_prefixes  # noqa: PLC0415 (loads numpy)

    if len(arguments) < 2:
        what = "one model is named" if arguments else "no model is named"
        raise UsageError(f"{what}, two are compared", hint="name A and B, '-' for standard input")
    first, second, *addresses = arguments
    check_stdin((first, second))
    a, b = (
        strip_prefixes(open_named(environment, name, reading), prefixes)
        for name, reading in zip((first, second), readings, strict=True)
    )
    return (a, b), addresses


def _note_lacks(environment: Environment, models: Models) -> None:
    """Say of which model not all can be looked at."""
    for model in models:
        for complaint in model.complaints:
            environment.note(f"{model.file}: {escape(complaint)}")
        if model.is_planned:
            what = "parameters without values, of which names, shapes and dtypes are compared"
            environment.note(f"{model.file}: it has {what}")


def _write(
    environment: Environment,
    comparison: "Comparison",
    shown: "list[Parameter]",
    tolerance: "Tolerance",
    form: TableFormat,
) -> None:
    from paramctl.views import diffs  # noqa: PLC0415 (loads numpy)

    if form is TableFormat.JSON:
        environment.write(diffs.json_text(comparison, shown, tolerance) + "\n")
    elif form is TableFormat.TSV:
        environment.write_lines(diffs.tsv_lines(comparison, shown))
    else:
        _write_table(environment, comparison, shown)


def _write_table(
    environment: Environment, comparison: "Comparison", shown: "list[Parameter]"
) -> None:
    from paramctl.views.diff_summary import print_facts, summary_lines  # noqa: PLC0415
    from paramctl.views.diff_table import print_table  # noqa: PLC0415 (loads rich)
    from paramctl.views.summary import header_line  # noqa: PLC0415 (only for people)

    console, width, arrow = environment.console(), environment.width, environment.arrow
    for side, model in (("A", comparison.a), ("B", comparison.b)):
        environment.write_prose(f"{side}  {header_line(model, environment.separator)}\n")
    rows, remark = abridge(environment, shown, TableFormat.TABLE)
    print_table(console, rows, width, arrow)
    environment.write_prose(remark)
    print_facts(console, "metadata", comparison.metadata, width, arrow)
    print_facts(console, "classes", comparison.classes, width, arrow)
    environment.write_lines(summary_lines(comparison))
