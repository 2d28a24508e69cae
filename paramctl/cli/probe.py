"""`paramctl probe`: run a model, and look at outputs, gradients, and a few steps of training."""

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.devices import Device
from paramctl.cli.environment import Environment
from paramctl.cli.init import NEW, check_seed
from paramctl.cli.models import open_model
from paramctl.cli.options import OUTPUT, ModelAlone, Reading
from paramctl.cli.saving import STDOUT_NAME, check_output
from paramctl.errors import UsageError, blaming
from paramctl.formats import open_checkpoint
from paramctl.init.devices import AUTO, choose_device
from paramctl.init.seeds import fresh_seed
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer import WriteOptions, save

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from paramctl.probe.gradients import Probe
    from paramctl.probe.training import Step

EXAMPLES = """
$ paramctl probe sample_models/mlp.yaml --seed 0
layer  type    output     mean      std  zeros  grad rms
0      Linear  [2, 8]   -0.195    0.831     0%    0.1721
1      ReLU    [2, 8]   0.2245   0.3588  62.5%    0.2525
2      Linear  [2, 1]  -0.3161  0.09996     0%         1

parameter   shape     norm       mean     std  grad/norm
0.weight    [8, 4]   1.466   -0.02343   0.258
  gradient           1.449  -0.001464  0.2561     0.9884
0.bias      [8]     0.8804   -0.07762  0.3014
  gradient          0.8855   -0.03338  0.3113      1.006
2.weight    [1, 8]   0.714   0.006976  0.2524
  gradient           2.042     0.4491  0.5653       2.86
2.bias      [1]     0.2204    -0.2204       0
  gradient               2          2       0      9.076

loss -0.6322

$ paramctl probe sample_models/mlp.yaml --seed 0 --steps 200 --every 100 --lr 0.1 | cut -f 1,2
100	0.01288
200	0.009824
"""
TRAINING = "Training"


class ProbeFormat(StrEnum):
    """How a probe is written."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"


class Running(NamedTuple):
    """What goes into the model, and what its output is held against."""

    weights: Annotated[
        str,
        typer.Option("--weights", metavar="FILE", help="Values for a spec.", show_default=False),
    ] = ""
    given: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="SHAPE|FILE",
            help="What goes in: a shape, 2x4, drawn from N(0, 1), or an .npy file.",
            show_default="what fits the first layer",
        ),
    ] = ""
    target: Annotated[
        str,
        typer.Option(
            "--target", metavar="FILE", help="What should come out, .npy.", show_default=False
        ),
    ] = ""
    loss: Annotated[
        Literal["sum", "mse", "cross_entropy"] | None,
        typer.Option(
            "--loss",
            help="What is derived.",
            show_default="sum; with a target mse, of classes cross_entropy",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            callback=check_seed,
            help="For what is drawn: values that there are not, inputs, dropout.",
            show_default=False,
        ),
    ] = None


class Training(NamedTuple):
    """How to train."""

    steps: Annotated[
        int,
        typer.Option(
            "--steps",
            metavar="N",
            min=0,
            help="Train so many steps, and watch.",
            rich_help_panel=TRAINING,
        ),
    ] = 0
    optimizer: Annotated[
        Literal["sgd", "adam"],
        typer.Option("--optimizer", help="By which rule.", rich_help_panel=TRAINING),
    ] = "sgd"
    rate: Annotated[
        float | None,
        typer.Option(
            "--lr",
            metavar="RATE",
            min=0,
            help="The learning rate.",
            show_default="0.1 of sgd, 0.001 of adam",
            rich_help_panel=TRAINING,
        ),
    ] = None
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="X.NPY,Y.NPY",
            help="Inputs and targets, all of them at every step.",
            show_default="64 rows of a task that is made up",
            rich_help_panel=TRAINING,
        ),
    ] = ""
    every: Annotated[
        int,
        typer.Option(
            "--every",
            metavar="K",
            min=1,
            help="Show every K-th step, and the last.",
            rich_help_panel=TRAINING,
        ),
    ] = 1
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the trained model, as safetensors.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = ""


def run(
    environment: Environment,
    reading: Reading,
    running: Running,
    training: Training,
    arguments: ModelAlone = None,
    *,
    save_grads: Annotated[
        str,
        typer.Option(
            "--save-grads",
            metavar="FILE",
            help="Write the gradients, as safetensors, under their parameters' names.",
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    device: Device = AUTO,
    form: Annotated[
        ProbeFormat | None,
        typer.Option(
            "--format",
            help="How to show it: a table on a terminal, TSV in a pipe.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
) -> None:
    """Run a model forward and backward, or train it for a few steps, and show what happens."""
    chosen = choose_device(device)
    _check_options(running, training, save_grads)
    path = training.output or save_grads
    if path:
        check_output(path, force=force)
    checkpoint, rest = open_model(environment, arguments, reading)
    if rest:
        raise UsageError(f"one model at a time, not '{rest[0]}' too", hint="--weights takes a file")
    seed = fresh_seed() if running.seed is None else running.seed
    form = form or (ProbeFormat.TABLE if environment.out_is_terminal else ProbeFormat.TSV)
    with blaming(checkpoint.file):
        filled = _fill(checkpoint, running.weights, seed, chosen)
        session = _Session(environment, running, form, filled, _build(filled, chosen, seed), seed)
        result = session.train(training) if training.steps else session.probe(save_grads)
    if running.seed is None:
        environment.note(f"seed {seed}")
    if result:
        report = save(result, path, WriteOptions(force=force))
        environment.note(escape(f"wrote {path}, {format_bytes(report.nbytes)}"))


def _check_options(running: Running, training: Training, save_grads: str) -> None:
    """Refuse options that do not go together, rather than leave one out of account."""
    if STDOUT_NAME in (training.output, save_grads):
        raise UsageError("what is found goes to standard output", hint="name a file")
    if training.steps:
        if save_grads:
            raise UsageError("--save-grads is of one backward", hint="leave --steps out")
        if running.target:
            raise UsageError("--target is of one backward", hint="--data x.npy,y.npy")
        if training.data and running.given:
            raise UsageError("both --data and --input", hint="--data has the inputs too")
    elif training._replace(steps=0) != Training():
        raise UsageError("-o, --data, --optimizer, --lr and --every train", hint="--steps 100")


def _fill(checkpoint: Checkpoint, weights: str, seed: int, device: str) -> Checkpoint:
    """Return a checkpoint with values for all: those of a file, or PyTorch's own."""
    from paramctl.models.flow import check_spec  # noqa: PLC0415 (loads torch)

    if weights:
        values = open_checkpoint(weights)
        metadata = checkpoint.metadata | values.metadata
        checkpoint = replace(values, build=checkpoint.build, metadata=metadata)
    if not checkpoint.is_planned:
        return checkpoint
    from paramctl.edits.initialization import initialize, plan  # noqa: PLC0415 (loads numpy)
    from paramctl.edits.rules import rules_of_scheme  # noqa: PLC0415 (the same)

    check_spec(checkpoint)
    return initialize(checkpoint, plan(checkpoint, rules_of_scheme(NEW, [])), seed, device)


def _build(checkpoint: Checkpoint, device: str, seed: int) -> "nn.Module":
    import torch  # noqa: PLC0415 (slow)

    from paramctl.probe.network import build  # noqa: PLC0415 (loads torch)

    module = build(checkpoint, device)
    torch.manual_seed(seed)  # for dropout
    return module.train()


class _Session(NamedTuple):
    """A module with its values, what is asked of it, and where the answer goes."""

    environment: Environment
    running: Running
    form: ProbeFormat
    checkpoint: Checkpoint
    module: "nn.Module"
    seed: int

    def probe(self, save_grads: str) -> Checkpoint | None:
        """Run the model forward and backward; return the gradients if they are to be saved."""
        from paramctl.probe.gradients import probe  # noqa: PLC0415 (loads torch)
        from paramctl.probe.inputs import draw_target, find_input, read_target  # noqa: PLC0415
        from paramctl.probe.losses import choose_loss  # noqa: PLC0415 (loads torch)
        from paramctl.probe.snapshot import gradients_of  # noqa: PLC0415 (the same)

        given = find_input(self.checkpoint, self.module, self.running.given, self.seed)
        target = read_target(self.running.target, self.module) if self.running.target else None
        loss = choose_loss(self.running.loss, target)
        if target is None and loss != "sum":
            target = draw_target(self.module, given, self.seed, classes=loss == "cross_entropy")
        found = probe(self.module, given, target, loss)
        self._show(found)
        lacking = [each.names[0] for each in found.parameters if each.gradient is None]
        if save_grads and lacking:
            self.environment.note(escape(f"no gradient to write: {', '.join(lacking)}"))
        return gradients_of(self.checkpoint, found.parameters) if save_grads else None

    def train(self, training: Training) -> Checkpoint | None:
        """Train the model and show the steps; return it if it is to be saved."""
        from paramctl.probe.inputs import find_task  # noqa: PLC0415 (loads torch)
        from paramctl.probe.snapshot import trained  # noqa: PLC0415 (the same)
        from paramctl.probe.training import RATES, train  # noqa: PLC0415 (the same)

        task = find_task(
            self.checkpoint,
            self.module,
            (self.running.given, training.data),
            self.running.loss,
            self.seed,
        )
        rate = RATES[training.optimizer] if training.rate is None else training.rate
        steps = train(self.module, task, training.steps, training.optimizer, rate)
        self._show_steps(steps, training)
        return trained(self.checkpoint, self.module) if training.output else None

    def _show(self, found: "Probe") -> None:
        from paramctl.probe.propagation import judge  # noqa: PLC0415 (loads torch)
        from paramctl.views import probing  # noqa: PLC0415 (the same)

        propagation = judge(found.outputs)
        match self.form:
            case ProbeFormat.TSV:
                self.environment.write_lines(probing.tsv_lines(found, propagation))
            case ProbeFormat.JSON:
                self.environment.write(probing.json_text(found, propagation) + "\n")
            case ProbeFormat.TABLE:
                from paramctl.views import probe_tables  # noqa: PLC0415 (loads rich)

                console = self.environment.console()
                console.print(probe_tables.layer_table(found))
                console.print()
                console.print(probe_tables.parameter_table(found))
                console.print()
                lines = probing.verdict_lines(found, propagation)
                self.environment.write_lines(map(escape, lines))
                self.environment.write(f"loss {probing.number(found.loss)}\n")

    def _show_steps(self, steps: "Iterator[Step]", training: Training) -> None:
        from paramctl.views import probing  # noqa: PLC0415 (loads torch)

        shown = (s for s in steps if s.number % training.every == 0 or s.number == training.steps)
        if self.form is not ProbeFormat.TABLE:
            write = probing.step_json if self.form is ProbeFormat.JSON else probing.step_line
            for step in shown:
                self.environment.write_lines([write(step)])
                self.environment.flush()  # who reads it watches
            return
        from rich.live import Live  # noqa: PLC0415 (loads rich)

        from paramctl.views.probe_tables import step_view  # noqa: PLC0415 (the same)

        so_far: list[Step] = []
        bars = self.environment.bars
        with Live(
            console=self.environment.console(),
            get_renderable=lambda: step_view(so_far, training.steps, bars) if so_far else "",
        ):
            so_far.extend(shown)
