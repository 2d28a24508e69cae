"""`paramctl ls`: list a model's parameters."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import OUTPUT, ListingFormat, ModelAndLayers, Reading
from paramctl.errors import MalformedError, UsageError, blaming
from paramctl.views import text
from paramctl.views.rows import Row, make_rows, total
from paramctl.views.sorting import SortKey, sort_rows
from paramctl.views.summary import ABRIDGED, header_line, total_line

if TYPE_CHECKING:
    from paramctl.views.tree import Line

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
) -> None:
    """List a model's parameters."""
    form = form or (ListingFormat.TREE if environment.out_is_terminal else ListingFormat.TSV)
    if depth and form is not ListingFormat.TREE:
        raise UsageError(f"--depth is of a tree, this is {form}", hint="add --format tree")
    checkpoint, addresses = open_model(environment, arguments, reading)
    with blaming(checkpoint.file):
        names = resolve_all(checkpoint.entries, addresses)
    rows = sort_rows(make_rows(checkpoint, names), sort)
    listing = Listing(environment, checkpoint, rows)
    match form:
        case ListingFormat.TREE:
            listing.write_tree(depth, sort, fold=not no_fold)
        case ListingFormat.TABLE:
            listing.write_table()
        case ListingFormat.TSV:
            environment.write_lines(text.tsv_lines(rows))
        case ListingFormat.JSON:
            environment.write(text.json_text(checkpoint, rows, total(checkpoint, rows)) + "\n")
        case ListingFormat.JSONL:
            environment.write_lines(text.jsonl_lines(rows))
        case ListingFormat.NAMES:
            environment.write_lines(text.name_lines(rows))
    if checkpoint.complaints:
        raise MalformedError("; ".join(checkpoint.complaints[:5]), file=checkpoint.file)


class Listing(NamedTuple):
    """Rows of a checkpoint, as people read them."""

    environment: Environment
    checkpoint: Checkpoint
    rows: Sequence[Row]

    def write_tree(self, depth: int | None, sort: SortKey, *, fold: bool) -> None:
        """Write layers and parameters, siblings that repeat folded into one.

        On a terminal a long tree is abridged, unless the user says what to show of it.
        """
        from paramctl.views.tree import TreeBuilder  # noqa: PLC0415 (only for terminals)

        guides = self.environment.guides
        tree = TreeBuilder(self.checkpoint, self.rows, fold=fold, guides=guides)
        if depth or not fold or not self.environment.out_is_terminal:
            self._write(tree.lines(depth, sort))
        else:
            lines, is_whole = tree.short_lines(sort)
            self._write(lines, "" if is_whole else ABRIDGED)

    def write_table(self) -> None:
        """Write a parameter a line, by its whole name."""
        from paramctl.views.tree import flat_lines  # noqa: PLC0415 (only for terminals)

        self._write(flat_lines(self.rows))

    def _write(self, lines: Iterable["Line"], remark: str = "") -> None:
        from paramctl.views.tree_table import print_lines  # noqa: PLC0415 (loads rich)

        environment = self.environment
        environment.write(header_line(self.checkpoint, environment.separator) + "\n")
        print_lines(environment.console(), lines, environment.width)
        environment.write(remark + total_line(total(self.checkpoint, self.rows)) + "\n")
