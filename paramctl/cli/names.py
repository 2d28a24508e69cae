"""Names in a model, for completion."""

import os

from paramctl.checkpoint import ReadOptions

MAX_NAMES = 100  # more, and the next part of the names is offered instead


def list_names(arguments: list[str], typed: str, options: ReadOptions) -> list[str]:
    """Return the parameters of the model that begin with `typed`, or their next parts.

    The model is the first of the arguments or `$PARAMCTL_MODEL`. A name that is not printable is
    not offered, nor one that would be taken for an option.
    """
    from paramctl.errors import ParamctlError  # noqa: PLC0415
    from paramctl.formats import open_checkpoint  # noqa: PLC0415 (on the way of every call)

    model = arguments[0] if arguments and os.path.exists(arguments[0]) else ""
    model = model or os.environ.get("PARAMCTL_MODEL", "")
    if not os.path.isfile(model) and not os.path.isdir(model):  # a pipe would wait for its writer
        return []
    try:
        names = [name for name in open_checkpoint(model, options) if name.startswith(typed)]
    except ParamctlError:
        return []
    names = [name for name in names if name.isprintable() and name[:1] not in ("", "-")]
    return names if len(names) <= MAX_NAMES else _next_parts(names, typed)


def _next_parts(names: list[str], typed: str) -> list[str]:
    """Return each name up to its next dot; where that is the same for all, up to the one after."""
    parts = [typed]
    while len(parts) == 1:
        start = len(parts[0])
        ends = [name.find(".", start) for name in names]
        parts = list(
            dict.fromkeys(
                name if end < 0 else name[: end + 1] for name, end in zip(names, ends, strict=True)
            )
        )
    return parts
