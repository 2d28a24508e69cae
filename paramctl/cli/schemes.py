"""`paramctl schemes`: the schemes that init knows."""

from typing import TYPE_CHECKING, Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.init import registry
from paramctl.views.schemes import page, table_lines, tsv_lines

if TYPE_CHECKING:
    from paramctl.init.scheme import Scheme

EXAMPLES = """
$ paramctl schemes xavier
"""


def run(
    environment: Environment,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Explain this one.", show_default=False)
    ] = "",
) -> None:
    """List the schemes that init knows, or explain one."""
    if name:
        environment.write_lines(page(registry.find(name)))
        return
    schemes: tuple[Scheme, ...] = registry.all_schemes()
    if environment.out_is_terminal:
        environment.write_lines(table_lines(schemes, environment.width))
    else:
        environment.write_lines(tsv_lines(schemes))
