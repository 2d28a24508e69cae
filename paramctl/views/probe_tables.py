"""What a probe found, as tables for people."""

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from paramctl.probe.gradients import Parameter, Probe
from paramctl.probe.statistics import statistics_of
from paramctl.probe.training import Step
from paramctl.views.escaping import escape
from paramctl.views.probing import gradient_of, number, ratio_of, share

LAYER_COLUMNS = ("layer", "type", "output", "mean", "std", "zeros", "saturated", "gradient")
PARAMETER_COLUMNS = (
    "parameter",
    "shape",
    "norm",
    "mean",
    "std",
    "grad norm",
    "mean",
    "std",
    "ratio",
)
STEP_COLUMNS = ("parameter", "norm", "gradient", "update")
STYLES = {"layer": "bold", "type": "cyan", "output": "green", "shape": "green"}
TIE = "yellow"


def layer_table(probe: Probe) -> Table:
    """Return the outputs of the layers, in the order of the calls."""
    table = _table(LAYER_COLUMNS, texts=3)
    for output in probe.outputs:
        table.add_row(
            _text(output.name),
            _text(type(output.layer).__name__),
            str(list(output.shape)),
            number(output.values.mean),
            number(output.values.std),
            share(output.zeros),
            share(output.saturated),
            number(output.gradient),
        )
    return table


def parameter_table(probe: Probe) -> Table:
    """Return the parameters and their gradients, and under them the places of their use."""
    table = _table((*PARAMETER_COLUMNS, ""), texts=2)
    for parameter in probe.parameters:
        table.add_row(*_parameter_row(parameter))
        for use in parameter.uses:
            gradient = statistics_of(use.gradient)
            cells = (number(gradient.norm), number(gradient.mean), number(gradient.std))
            table.add_row(Text("  at ", "dim").append(escape(use.place)), *[""] * 4, *cells)
    return table


def step_view(step: Step, steps: int) -> Group:
    """Return a step: the loss, and what it did to each parameter."""
    table = _table(STEP_COLUMNS, texts=1)
    for move in step.moves:
        table.add_row(
            _text(move.name), number(move.norm), number(move.gradient), number(move.update)
        )
    return Group(Text(f"step {step.number} of {steps}, loss {number(step.loss)}"), table)


def _parameter_row(parameter: Parameter) -> Iterator[Text | str]:
    values, gradient = parameter.values, gradient_of(parameter)
    yield _text(parameter.names[0])
    yield str(list(parameter.tensor.shape))
    yield from (number(values.norm), number(values.mean), number(values.std))
    if gradient:
        yield from (number(gradient.norm), number(gradient.mean), number(gradient.std))
    else:
        yield from ("none", "", "")
    yield number(ratio_of(parameter), "")
    yield Text(", ".join(f"= {escape(name)}" for name in parameter.names[1:]), TIE)


def _table(columns: Sequence[str], texts: int) -> Table:
    """Return an empty table; its first columns are texts, the others numbers."""
    headings = [
        Column(
            name,
            header_style="dim",
            style=STYLES.get(name, ""),
            justify="left" if place < texts or not name else "right",
            overflow="ellipsis",
            no_wrap=True,
        )
        for place, name in enumerate(columns)
    ]
    return Table(*headings, box=None, padding=(0, 2, 0, 0), pad_edge=False)


def _text(name: str) -> Text:
    return Text(escape(name))
