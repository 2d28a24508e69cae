"""A run of a model that is probed: its values, what goes in, and how it is shown."""

from collections.abc import Iterator
from itertools import chain

import torch
from torch import nn

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.notes import note_overflows
from paramctl.cli.options import TableFormat
from paramctl.cli.running import Running, Training
from paramctl.cli.weights import OWN_TYPE, with_values
from paramctl.probe.asking import Question, ask, fill
from paramctl.probe.gradients import Probe
from paramctl.probe.inputs import find_task
from paramctl.probe.network import build
from paramctl.probe.propagation import judge
from paramctl.probe.snapshot import gradients_of, trained
from paramctl.probe.training import RATES, Step, train
from paramctl.views import probing
from paramctl.views.escaping import escape
from paramctl.views.units import format_number


class Session:
    """A module with its values, what is asked of it, and where the answer goes."""

    def __init__(
        self,
        environment: Environment,
        running: Running,
        form: TableFormat,
        checkpoint: Checkpoint,
        device: str,
    ) -> None:
        """Build the module; what has no values gets PyTorch's own."""
        self._environment = environment
        self._running = running
        self._form = form
        self._seed = running.seed or 0
        if running.weights:
            checkpoint = with_values(environment, checkpoint, running.weights)
        self._checkpoint = checkpoint = fill(checkpoint, self._seed, device)
        self._module: nn.Module = build(checkpoint, device)
        note_overflows(environment, checkpoint, OWN_TYPE)
        torch.manual_seed(self._seed)  # for dropout

    def probe(self, save_grads: str) -> Checkpoint | None:
        """Run the model forward and backward; return the gradients if they are to be saved."""
        running = self._running
        question = Question(running.given, running.target, running.loss, self._seed)
        found = ask(self._checkpoint, self._module, question)
        self._show(found)
        lacking = [each.names[0] for each in found.parameters if each.gradient is None]
        if save_grads and lacking:
            self._environment.note(escape(f"no gradient to write: {', '.join(lacking)}"))
        return gradients_of(self._checkpoint, found.parameters) if save_grads else None

    def train(self, training: Training) -> Checkpoint | None:
        """Train the model and show the steps; return what it has become if it is to be saved."""
        running = self._running
        texts = (running.given, training.data)
        task = find_task(self._checkpoint, self._module, texts, running.loss, self._seed)
        rate = RATES[training.optimizer] if training.rate is None else training.rate
        steps = train(self._module, task, training.steps, training.optimizer, rate)
        shown = (s for s in steps if s.number % training.every == 0 or s.number == training.steps)
        if self._form is TableFormat.TABLE:
            self._show_table(shown, training.steps)
        else:
            self._show_lines(shown)
        return trained(self._checkpoint, self._module) if training.output else None

    def _show(self, found: Probe) -> None:
        propagation = judge(found.outputs)
        match self._form:
            case TableFormat.TSV:
                self._environment.write_lines(probing.tsv_lines(found, propagation))
            case TableFormat.JSON:
                self._environment.write(probing.json_text(found, propagation) + "\n")
            case TableFormat.TABLE:
                self._show_tables(found)
                lines = probing.verdict_lines(found, propagation)
                self._environment.write_lines(map(escape, lines))
                self._environment.write(f"loss {format_number(found.loss)}\n")

    def _show_tables(self, found: Probe) -> None:
        from rich.segment import Segments  # noqa: PLC0415 (only for people)

        from paramctl.views.clipping import ellipsis_of  # noqa: PLC0415 (loads rich)
        from paramctl.views.probe_tables import layer_lines, parameter_lines  # noqa: PLC0415

        console = self._environment.console()
        place = self._environment.width, ellipsis_of(console)
        for lines in (layer_lines(found, *place), parameter_lines(found, *place)):
            console.print(Segments(chain.from_iterable(lines)), soft_wrap=True, end="")
            self._environment.write("\n")

    def _show_lines(self, steps: Iterator[Step]) -> None:
        write = probing.step_json if self._form is TableFormat.JSON else probing.step_line
        for step in steps:
            self._environment.write_lines([write(step)])
            self._environment.flush()  # who reads it watches

    def _show_table(self, steps: Iterator[Step], count: int) -> None:
        """Show the steps in a table that moves; not on a terminal, as it is in the end."""
        from rich.live import Live  # noqa: PLC0415 (only for people)
        from rich.segment import Segments  # noqa: PLC0415 (the same)

        from paramctl.views.clipping import ellipsis_of  # noqa: PLC0415 (the same)
        from paramctl.views.probe_tables import step_lines  # noqa: PLC0415 (the same)

        environment, so_far = self._environment, list[Step]()
        console = environment.console()
        bars, ellipsis = environment.bars, ellipsis_of(console)

        def view() -> Segments:
            lines = step_lines(so_far, count, bars, environment.width, ellipsis)
            return Segments(chain.from_iterable(lines) if so_far else [])

        if environment.out_is_terminal:
            with Live(console=console, get_renderable=view):
                so_far.extend(steps)
        else:
            so_far.extend(steps)
            console.print(view(), soft_wrap=True, end="")
