"""What `paramctl probe` is asked for: what goes in, what is derived, how to train."""

from typing import Annotated, Literal, NamedTuple

import typer

from paramctl.cli.saving import STDOUT_NAME
from paramctl.cli.seeding import check_seed
from paramctl.cli.weights import Given, Weights
from paramctl.errors import UsageError

TRAINING = "Training"
ARRAY_SUFFIX = ".npy"


class Running(NamedTuple):
    """What goes into the model, and what its output is held against."""

    weights: Weights = ""
    given: Given = ""
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


def check_options(running: Running, training: Training, save_grads: str) -> None:
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
        if running.given.endswith(ARRAY_SUFFIX):
            raise UsageError("inputs to train on need targets", hint="--data x.npy,y.npy")
    elif training._replace(steps=0) != Training():
        raise UsageError("-o, --data, --optimizer, --lr and --every train", hint="--steps 100")
