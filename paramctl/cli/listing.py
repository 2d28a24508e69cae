"""A listing as people read it: a tree or a table between two lines that say what it is of."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.views.changes import Changes
from paramctl.views.rows import Row, total
from paramctl.views.sorting import SortKey
from paramctl.views.summary import ABRIDGED, header_line, total_line

if TYPE_CHECKING:
    from paramctl.views.tree import Line

SHORTENED = "abridged: --dry-run in a pipe shows all, one a line\n"


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

    def write_changes(self, changes: Changes) -> None:
        """Write what is about to change, its rows as a tree, and what it comes to."""
        environment = self.environment
        environment.write_prose(header_line(self.checkpoint, environment.separator) + "\n")
        if changes.draw:
            is_whole = changes.draw(environment.console(), environment.width, environment.arrow)
        else:
            is_whole = self._write_rows()
        environment.write_prose(("" if is_whole else SHORTENED) + changes.summary + "\n")

    def _write_rows(self) -> bool:
        """Write rows as a tree with their notes; return whether these are all."""
        from paramctl.views.tree import TreeBuilder  # noqa: PLC0415 (only for terminals)
        from paramctl.views.tree_table import CHANGES, print_lines  # noqa: PLC0415 (loads rich)

        environment = self.environment
        tree = TreeBuilder(self.checkpoint, self.rows, fold=True, guides=environment.guides)
        lines, is_whole = tree.short_lines("file")
        print_lines(environment.console(), lines, environment.width, CHANGES)
        return is_whole

    def write_table(self) -> None:
        """Write a parameter a line, by its whole name."""
        from paramctl.views.tree import flat_lines  # noqa: PLC0415 (only for terminals)

        self._write(flat_lines(self.rows))

    def _write(self, lines: Iterable["Line"], remark: str = "") -> None:
        from paramctl.views.tree_table import print_lines  # noqa: PLC0415 (loads rich)

        environment = self.environment
        environment.write_prose(header_line(self.checkpoint, environment.separator) + "\n")
        print_lines(environment.console(), lines, environment.width)
        environment.write_prose(f"{remark}{total_line(total(self.checkpoint, self.rows))}\n")
