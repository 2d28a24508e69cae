"""What a probe found, as tables for people: segments of lines, for Rich."""

from collections.abc import Iterator, Sequence

from rich.segment import Segment
from rich.style import Style

from paramctl.probe.gradients import Parameter, Probe
from paramctl.probe.statistics import Statistics, statistics_of
from paramctl.probe.training import Step
from paramctl.views.columns import DIM, PLAIN, Column, Row
from paramctl.views.escaping import escape
from paramctl.views.probing import NONE, gradient_of, ratio_of
from paramctl.views.sparks import spark
from paramctl.views.tables import lay_out
from paramctl.views.units import format_number, format_share

TYPE, SHAPE, TIE = Style(color="cyan"), Style(color="green"), Style(color="yellow")
BARS = Style(color="blue")
LAYER = {
    "type": Column("type", TYPE, 4),
    "output": Column("output", SHAPE, 1),
    "mean": Column("mean", PLAIN, 3, right=True),
    "std": Column("std", PLAIN, 0, right=True),
    "zeros": Column("zeros", PLAIN, 5, right=True),
    "saturated": Column("saturated", PLAIN, 6, right=True),
    "gradient": Column("grad rms", PLAIN, 2, right=True),
}
PARAMETER = {
    "shape": Column("shape", SHAPE, 1),
    "norm": Column("norm", PLAIN, 0, right=True),
    "mean": Column("mean", PLAIN, 4, right=True),
    "std": Column("std", PLAIN, 3, right=True),
    "ratio": Column("grad/norm", PLAIN, 2, right=True),
}
STEP = {
    "norm": Column("norm", PLAIN, 2, right=True),
    "update": Column("update", PLAIN, 1, right=True),
    "gradient": Column("grad norm", PLAIN, 0, right=True),
    "bars": Column("gradient so far", BARS, 3),
}

Lines = Iterator[list[Segment]]


def layer_lines(probe: Probe, width: int | None, ellipsis: str) -> Lines:
    """Yield the outputs of the layers, in the order of the calls."""
    rows = [
        Row(
            "",
            escape(output.name),
            {
                "type": escape(type(output.layer).__name__),
                "output": str(list(output.shape)),
                "mean": format_number(output.values.mean),
                "std": format_number(output.values.std),
                "zeros": format_share(output.zeros),
                "saturated": format_share(output.saturated),
                "gradient": format_number(output.gradient, NONE),
            },
        )
        for output in probe.outputs
    ]
    return lay_out(rows, LAYER, width, "layer", ellipsis)


def parameter_lines(probe: Probe, width: int | None, ellipsis: str) -> Lines:
    """Yield a line for each parameter, below it its gradient, and where that comes from."""
    rows = [row for parameter in probe.parameters for row in _parameter_rows(parameter)]
    return lay_out(rows, PARAMETER, width, "parameter", ellipsis)


def step_lines(
    shown: Sequence[Step], steps: int, bars: str, width: int | None, ellipsis: str
) -> Lines:
    """Yield the last step, and how loss and gradients moved until then."""
    last = shown[-1]
    losses = spark([step.loss for step in shown], bars)
    head = f"step {last.number} of {steps}, loss {format_number(last.loss)}  "
    yield [Segment(head), Segment(losses, BARS), Segment.line()]
    rows = [
        Row(
            "",
            escape(move.name),
            {
                "norm": format_number(move.norm),
                "update": format_number(move.update),
                "gradient": format_number(move.gradient, NONE),
                "bars": spark([step.moves[place].gradient for step in shown], bars),
            },
        )
        for place, move in enumerate(last.moves)
    ]
    yield from lay_out(rows, STEP, width, "parameter", ellipsis)


def _parameter_rows(parameter: Parameter) -> Iterator[Row]:
    shape = {"shape": str(list(parameter.tensor.shape))}
    yield Row("", escape(parameter.names[0]), shape | _cells(parameter.values))
    for name in parameter.names[1:]:
        yield Row("  ", f"= {escape(name)}", {}, TIE)
    gradient = gradient_of(parameter)
    if gradient is None:
        yield Row("  ", "gradient", {"norm": NONE}, DIM)
        return
    ratio = {"ratio": format_number(ratio_of(parameter))}
    yield Row("  ", "gradient", _cells(gradient) | ratio, DIM)
    for use in parameter.uses:
        yield Row("    ", f"at {escape(use.place)}", _cells(statistics_of(use.gradient)), DIM)


def _cells(statistics: Statistics) -> dict[str, str]:
    norm, mean, std, _ = map(format_number, statistics)
    return {"norm": norm, "mean": mean, "std": std}
