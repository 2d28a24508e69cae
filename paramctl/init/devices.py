"""Where values are computed: the CPU, or a device that torch knows."""

from paramctl.errors import UsageError

CPU, AUTO = "cpu", "auto"


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
    """Return the devices that values can be computed on, the CPU first.

    Apple's mps is none of them: it has no float64, which the tails of a normal need.
    """
    import torch  # noqa: PLC0415 (slow, and only other devices need it)

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda = ["cuda", *(f"cuda:{number}" for number in range(count))] if count else []
    return [CPU, *cuda]
