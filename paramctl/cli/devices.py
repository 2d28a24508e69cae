"""Where values are computed: the CPU, or a device that torch knows."""

from typing import Annotated, NamedTuple

import typer

from paramctl.errors import UsageError

CPU, AUTO = "cpu", "auto"


class Computing(NamedTuple):
    """What every verb that computes takes: on which device."""

    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="cpu|cuda|cuda:N|mps|auto",
            envvar="PARAMCTL_DEVICE",
            help="Where to compute.",
            show_envvar=True,
        ),
    ] = CPU


def choose_device(wanted: str) -> str:
    """Return the device to compute on; the CPU needs no torch.

    Raises:
        UsageError: it is not there; says which are.
    """
    if wanted == CPU:
        return CPU
    there = list_devices()
    if wanted == AUTO:
        return (*there[1:], CPU)[0]
    if wanted not in there:
        raise UsageError(f"no device '{wanted}'", hint=f"there is {', '.join(there)}")
    return wanted


def list_devices() -> list[str]:
    """Return the devices that torch can compute on, the CPU first."""
    import torch  # noqa: PLC0415 (slow, and only other devices need it)

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda = ["cuda", *(f"cuda:{number}" for number in range(count))] if count else []
    return [CPU, *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
