"""`paramctl ls`: list a model's parameters."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model, refuse_complaints
from paramctl.cli.options import OUTPUT, Filtering, ListingFormat, ModelAndLayers, Reading
from paramctl.errors import NO, UsageError, blaming
from paramctl.groups import Groups
from paramctl.layer_types import keep_types
from paramctl.views import text
from paramctl.views.rows import Row, make_rows, total
from paramctl.views.sorting import SortKey, sort_rows

if TYPE_CHECKING:
    from paramctl.cli.declared import Declaration
    from paramctl.cli.listing import Listing

FOR_PEOPLE = (ListingFormat.TREE, ListingFormat.TABLE)
EXAMPLES = """
$ paramctl ls sample_models/rgnet.pt
sample_models/rgnet.pt  ·  torch zip  ·  a state dict
                   shape   dtype    values     size
0.block [0-3]  x4                      304  1.22 kB
├─ 0                                    40    160 B
│  ├─ weight       [8, 4]  float32      32    128 B
│  └─ bias         [8]     float32       8     32 B
└─ 2                                    36    144 B
   ├─ weight       [4, 8]  float32      32    128 B
   └─ bias         [4]     float32       4     16 B
1                                        5     20 B
├─ weight          [1, 4]  float32       4     16 B
└─ bias            [1]     float32       1      4 B
309 parameters in 18 tensors, 1.24 kB

$ paramctl ls sample_models/rgnet.pt '**.bias' --format names
0.block 0.0.bias
0.block 0.2.bias
0.block 1.0.bias
0.block 1.2.bias
0.block 2.0.bias
0.block 2.2.bias
0.block 3.0.bias
0.block 3.2.bias
1.bias

$ cat sample_models/mlp.pt | paramctl ls --format json | grep parameters
  "parameters": 49,
"""


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    arguments: ModelAndLayers = None,
    *,
    form: Annotated[
        ListingFormat | None,
        typer.Option(
            "--format",
            help="How to list: a tree on a terminal, TSV in a pipe.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            min=1,
            metavar="N",
            help="Show layers down to this depth.",
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        SortKey, typer.Option("--sort", help="Order by the place in the file, by name, or by size.")
    ] = "file",
    no_fold: Annotated[
        bool, typer.Option("--no-fold", help="Show sibling layers that repeat one by one.")
    ] = False,
    ties: Annotated[
        bool, typer.Option("--ties", help="Only what is tied, group by group: a table, no tree.")
    ] = False,
    declared: Annotated[
        bool,
        typer.Option(
            "--declared",
            help="Compare with the config.json beside the file: exit 1 where something is missing.",
        ),
    ] = False,
) -> None:
    """List a model's parameters."""
    for_people = ListingFormat.TABLE if ties else ListingFormat.TREE
    form = form or (for_people if environment.out_is_terminal else ListingFormat.TSV)
    if depth and form is not ListingFormat.TREE:
        raise UsageError(f"--depth is of a tree, this is {form}", hint="add --format tree")
    checkpoint, addresses = open_model(environment, arguments, reading)
    declaration = _read_declaration(checkpoint) if declared else None
    checkpoint = declaration.checkpoint if declaration else checkpoint
    with blaming(checkpoint.file):
        names = keep_types(checkpoint, _choose(checkpoint, addresses), filtering.classes)
    if ties:
        names = list_tied(checkpoint, names)
    made = make_rows(checkpoint, names)
    rows = sort_rows(declaration.annotate(made) if declaration else made, sort)
    match form:
        case ListingFormat.TREE:
            _listing(environment, checkpoint, rows).write_tree(depth, sort, fold=not no_fold)
        case ListingFormat.TABLE:
            _listing(environment, checkpoint, rows).write_table()
        case _:
            _write_for_programs(environment, checkpoint, rows, form)
    if declaration:
        declaration.report(environment, for_people=form in FOR_PEOPLE)
    refuse_complaints(checkpoint)
    if declaration and not declaration.found.is_whole:
        raise typer.Exit(NO)


def _write_for_programs(
    environment: Environment, checkpoint: Checkpoint, rows: Sequence[Row], form: ListingFormat
) -> None:
    match form:
        case ListingFormat.JSON:
            environment.write(text.json_text(checkpoint, rows, total(checkpoint, rows)) + "\n")
        case ListingFormat.JSONL:
            environment.write_lines(text.jsonl_lines(rows))
        case ListingFormat.NAMES:
            environment.write_lines(text.name_lines(rows))
        case _:
            environment.write_lines(text.tsv_lines(rows))


def _read_declaration(checkpoint: Checkpoint) -> "Declaration":
    from paramctl.cli.declared import read_declaration  # noqa: PLC0415 (loads torch)

    return read_declaration(checkpoint)


def _choose(checkpoint: Checkpoint, addresses: list[str]) -> list[str]:
    if not addresses:
        return list(checkpoint)
    from paramctl.addresses import resolve_all  # noqa: PLC0415 (not on the way of a bare listing)

    return resolve_all(checkpoint.entries, addresses)


def _listing(environment: Environment, checkpoint: Checkpoint, rows: Sequence[Row]) -> "Listing":
    from paramctl.cli.listing import Listing  # noqa: PLC0415 (only for people)

    return Listing(environment, checkpoint, rows)


def list_tied(checkpoint: Checkpoint, names: Iterable[str]) -> list[str]:
    """Return the groups of tied names that `names` are in, of each the stored name first."""
    groups = Groups(checkpoint.aliases)
    members = (member for name in names for member in groups.members(name))
    return [name for name in dict.fromkeys(members) if groups.others(name)]
