"""Where values are computed: the CPU, or a device that torch knows."""

from typing import Annotated, NamedTuple

import typer

from paramctl.init.devices import CPU

Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="cpu|cuda|cuda:N|auto",
        envvar="PARAMCTL_DEVICE",
        help="Where to compute.",
        show_envvar=True,
    ),
]


class Computing(NamedTuple):
    """What every verb that computes takes: on which device."""

    device: Device = CPU
