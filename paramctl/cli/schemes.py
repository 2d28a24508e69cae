"""`paramctl schemes`: the schemes that init knows."""

from typing import TYPE_CHECKING, Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.init import registry
from paramctl.views.schemes import list_lines, page, tsv_lines

if TYPE_CHECKING:
    from paramctl.init.scheme import Scheme

EXAMPLES = """
$ paramctl schemes xavier
xavier_uniform(gain=1)

Keep the variance of activations and of gradients, as far as both can be kept.

The gain is a number or a nonlinearity: "tanh", "relu", "selu", ...

formula U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))
mean    0
std     gain * sqrt(2 / (fan_in + fan_out))
source  Glorot & Bengio 2010, Understanding the difficulty of training deep networks
aliases xavier, glorot, glorot_uniform

$ paramctl schemes | cut -f 1 | head -3
uniform
normal
trunc_normal
"""


def run(
    environment: Environment,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            autocompletion=registry.names,
            help="Explain this one.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """List the schemes that init knows, or explain one."""
    if name:
        environment.write_lines(page(registry.find(name), environment.width))
        return
    schemes: tuple[Scheme, ...] = registry.all_schemes()
    if environment.out_is_terminal:
        console = environment.console()
        for line, is_heading in list_lines(schemes, environment.width):
            console.print(line, style="bold" if is_heading else None, soft_wrap=True)
    else:
        environment.write_lines(tsv_lines(schemes))
