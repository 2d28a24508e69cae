"""What a probe found, as rows: for programs here, for people in `probe_tables`."""

from collections.abc import Iterator, Sequence
from json import dumps
from math import isfinite
from typing import Any

from paramctl.probe.gradients import Parameter, Probe
from paramctl.probe.outputs import Output
from paramctl.probe.propagation import Propagation, Signal
from paramctl.probe.statistics import Statistics, statistics_of
from paramctl.probe.training import Step
from paramctl.views.escaping import escape
from paramctl.views.units import format_number

NONE = "none"  # what stands for the gradient of a parameter that got none


def tsv_lines(probe: Probe, propagation: Propagation | None) -> Iterator[str]:
    """Yield lines whose first column says of what they are.

    layer      name, class, shape, mean, std, zeros, saturated, rms of the gradient
    parameter  name, shape, norm, mean, std, the same of its gradient, ratio of norms
    tie        name, another name of the same parameter
    use        name, place, norm, mean, std of the gradient from there
    loss       its value
    signal     what, verdict, factor per layer, first layer that is off
    scheme     what fits, where one is off

    `-` stands where there is nothing to say, `none` for a gradient that there is not.
    """
    for output in probe.outputs:
        yield _line("layer", *_output_cells(output))
    for parameter in probe.parameters:
        yield _line("parameter", *_parameter_cells(parameter))
        for tied in parameter.names[1:]:
            yield _line("tie", parameter.names[0], tied)
        for use in parameter.uses:
            gradient = _cells(statistics_of(use.gradient))
            yield _line("use", parameter.names[0], use.place, *gradient)
    yield _line("loss", format_number(probe.loss))
    for signal in propagation.signals if propagation else ():
        yield _line(
            "signal", signal.what, signal.verdict, format_number(signal.factor), signal.place
        )
    if scheme := _scheme(propagation):
        yield _line("scheme", scheme)


def json_text(probe: Probe, propagation: Propagation | None) -> str:
    """Return the same as one JSON object; numbers that are not finite are strings."""
    signals = propagation.signals if propagation else ()
    facts = {
        "loss": _plain(probe.loss),
        "layers": list(map(_output_facts, probe.outputs)),
        "parameters": list(map(_parameter_facts, probe.parameters)),
        "signals": [_signal_facts(signal) for signal in signals],
        "scheme": _scheme(propagation) or None,
    }
    return dumps(facts, indent=2)


def step_line(step: Step) -> str:
    """Return a step between tabs: number, loss, and of each parameter norm, gradient, update."""
    cells = [
        format_number(cell, NONE)
        for move in step.moves
        for cell in (move.norm, move.gradient, move.update)
    ]
    return _line(str(step.number), format_number(step.loss), *cells)


def step_json(step: Step) -> str:
    """Return a step as a JSON object in one line."""
    moves = {
        move.name: {
            "norm": _plain(move.norm),
            "gradient": _plain(move.gradient),
            "update": _plain(move.update),
        }
        for move in step.moves
    }
    return dumps({"step": step.number, "loss": _plain(step.loss), "parameters": moves})


def verdict_lines(probe: Probe, propagation: Propagation | None) -> Iterator[str]:
    """Say how signals propagate, and where the first number is that is not finite."""
    for output in probe.outputs:
        if not isfinite(output.values.norm):
            who = f"layer '{output.name}' ({type(output.layer).__name__})"
            yield f"{who} is the first that gives nan or inf"
            break
    if propagation:
        yield from map(_verdict, propagation.signals)
    if scheme := _scheme(propagation):
        yield f"a scheme that fits: {scheme}"


def _scheme(propagation: Propagation | None) -> str:
    """Return a scheme that fits, where one is wanted and known."""
    return propagation.scheme if propagation and not propagation.is_steady else ""


def _verdict(signal: Signal) -> str:
    text = f"{signal.what}: {signal.verdict}, x {signal.factor:.3g} a layer"
    text += f" over {signal.layers} layers with weights"
    return f"{text}, off from '{signal.place}' on" if signal.place else text


def gradient_of(parameter: Parameter) -> Statistics | None:
    """Return what a parameter's gradient comes to."""
    return None if parameter.gradient is None else statistics_of(parameter.gradient)


def ratio_of(parameter: Parameter) -> float | None:
    """Return the gradient's norm as a share of the parameter's; None where one is missing."""
    gradient, norm = gradient_of(parameter), parameter.values.norm
    return gradient.norm / norm if gradient and norm else None


def _output_cells(output: Output) -> Sequence[str]:
    return (
        output.name,
        type(output.layer).__name__,
        str(list(output.shape)),
        format_number(output.values.mean),
        format_number(output.values.std),
        format_number(output.zeros),
        format_number(output.saturated),
        format_number(output.gradient, NONE),
    )


def _parameter_cells(parameter: Parameter) -> Sequence[str]:
    gradient = gradient_of(parameter)
    return (
        parameter.names[0],
        str(list(parameter.tensor.shape)),
        *_cells(parameter.values),
        *(_cells(gradient) if gradient else [NONE] * 3),
        format_number(ratio_of(parameter)),
    )


def _cells(statistics: Statistics) -> list[str]:
    return [
        format_number(statistics.norm),
        format_number(statistics.mean),
        format_number(statistics.std),
    ]


def _line(*cells: str) -> str:
    return "\t".join(escape(cell) or "-" for cell in cells)


def _output_facts(output: Output) -> dict[str, Any]:
    return {
        "name": output.name,
        "type": type(output.layer).__name__,
        "shape": list(output.shape),
        "mean": _plain(output.values.mean),
        "std": _plain(output.values.std),
        "zeros": output.zeros,
        "saturated": output.saturated,
        "gradient_rms": _plain(output.gradient),
    }


def _parameter_facts(parameter: Parameter) -> dict[str, Any]:
    uses = [
        {"place": use.place, "gradient": _facts(statistics_of(use.gradient))}
        for use in parameter.uses
    ]
    return {
        "name": parameter.names[0],
        "shape": list(parameter.tensor.shape),
        "value": _facts(parameter.values),
        "gradient": _facts(gradient_of(parameter)),
        "ratio": _plain(ratio_of(parameter)),
        "tied": list(parameter.names[1:]),
        "uses": uses,
    }


def _signal_facts(signal: Signal) -> dict[str, Any]:
    return {
        "what": signal.what,
        "verdict": signal.verdict,
        "factor": _plain(signal.factor),
        "layers": signal.layers,
        "place": signal.place or None,
    }


def _facts(statistics: Statistics | None) -> dict[str, Any] | None:
    if statistics is None:
        return None
    return {
        "norm": _plain(statistics.norm),
        "mean": _plain(statistics.mean),
        "std": _plain(statistics.std),
    }


def _plain(value: float | None) -> float | str | None:
    """Return a number as JSON has it."""
    return value if value is None or isfinite(value) else str(value)
