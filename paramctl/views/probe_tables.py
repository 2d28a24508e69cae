"""What a probe found, as tables for people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from paramctl.probe.gradients import Parameter, Probe
from paramctl.probe.statistics import Statistics, statistics_of
from paramctl.probe.training import Step
from paramctl.views.clipping import clip
from paramctl.views.escaping import escape
from paramctl.views.probing import NONE, gradient_of, number, ratio_of, share
from paramctl.views.sparks import spark

SATURATED = "saturated"  # left out where no layer can be
LAYER_NUMBERS = ("mean", "std", "zeros", SATURATED, "grad rms")
PARAMETER_NUMBERS = ("norm", "mean", "std", "grad/norm")
STEP_NUMBERS = ("norm", "update", "grad norm")
TYPE, SHAPE, TIE, BARS, DIM = "cyan", "green", "yellow", "blue", "dim"


@dataclass
class Name:
    """A name in a table; it is the first to give way, and loses its middle."""

    text: str
    style: str = ""

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Want room for all of it."""
        del console
        width = cell_len(self.text)
        return Measurement(min(width, 1), width).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Write what there is room for."""
        del console
        yield Text(clip(self.text, options.max_width), self.style, no_wrap=True)


def layer_table(probe: Probe) -> Table:
    """Return the outputs of the layers, in the order of the calls."""
    saturates = any(output.saturated is not None for output in probe.outputs)
    numbers = [name for name in LAYER_NUMBERS if saturates or name != SATURATED]
    table = _table([_names("layer"), _texts("type"), _texts("output"), *_numbers(numbers)])
    for output in probe.outputs:
        table.add_row(
            Name(escape(output.name)),
            Text(escape(type(output.layer).__name__), TYPE),
            Text(str(list(output.shape)), SHAPE),
            number(output.values.mean),
            number(output.values.std),
            share(output.zeros),
            *([share(output.saturated)] if saturates else []),
            number(output.gradient),
        )
    return table


def parameter_table(probe: Probe) -> Table:
    """Return a line for each parameter, below it its gradient, and where that comes from."""
    table = _table([_names("parameter"), _texts("shape"), *_numbers(PARAMETER_NUMBERS)])
    for parameter in probe.parameters:
        table.add_row(
            Name(escape(parameter.names[0])),
            Text(str(list(parameter.tensor.shape)), SHAPE),
            *_cells(parameter.values),
        )
        for tied in parameter.names[1:]:
            table.add_row(Name(f"  = {escape(tied)}", TIE))
        for label, cells in _gradient_rows(parameter):
            table.add_row(Name(label, DIM), "", *cells)
    return table


def step_view(shown: Sequence[Step], steps: int, bars: str) -> Group:
    """Return the last step, and how loss and gradients moved until then."""
    last = shown[-1]
    table = _table([_names("parameter"), *_numbers(STEP_NUMBERS), _texts("gradient so far")])
    for place, move in enumerate(last.moves):
        cells = (number(move.norm), number(move.update), number(move.gradient))
        gradients = spark([step.moves[place].gradient for step in shown], bars)
        table.add_row(Name(escape(move.name)), *cells, Text(gradients, BARS))
    losses = spark([step.loss for step in shown], bars)
    head = Text(f"step {last.number} of {steps}, loss {number(last.loss)}  ")
    return Group(head.append(losses, BARS), table)


def _gradient_rows(parameter: Parameter) -> Iterator[tuple[str, tuple[str, ...]]]:
    gradient = gradient_of(parameter)
    if gradient is None:
        yield "  gradient", (NONE,)
        return
    yield "  gradient", (*_cells(gradient), number(ratio_of(parameter), ""))
    for use in parameter.uses:
        yield f"    at {escape(use.place)}", _cells(statistics_of(use.gradient))


def _cells(statistics: Statistics) -> tuple[str, ...]:
    return number(statistics.norm), number(statistics.mean), number(statistics.std)


def _table(columns: Iterable[Column]) -> Table:
    return Table(*columns, box=None, padding=(0, 2, 0, 0), pad_edge=False)


def _names(heading: str) -> Column:
    return Column(heading, header_style=DIM)


def _texts(heading: str) -> Column:
    return Column(heading, header_style=DIM, no_wrap=True)


def _numbers(headings: Iterable[str]) -> list[Column]:
    return [Column(each, header_style=DIM, justify="right", no_wrap=True) for each in headings]
