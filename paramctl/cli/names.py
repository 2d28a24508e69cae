"""Names in a model, for completion."""

import os

from paramctl.checkpoint import Checkpoint, ReadOptions

MAX_NAMES = 100  # more, and the next part of the names is offered instead


def list_names(arguments: list[str], typed: str, options: ReadOptions) -> list[str]:
    """Return the parameters of the model that begin with `typed`, or their next parts.

    The model is the first of the arguments or `$PARAMCTL_MODEL`. A name that is not printable is
    not offered, nor one that would be taken for an option.
    """
    names = [name for name in _open(arguments, options) or () if name.startswith(typed)]
    names = [name for name in names if name.isprintable() and name[:1] not in ("", "-")]
    return names if len(names) <= MAX_NAMES else _next_parts(names, typed)


def list_classes(arguments: list[str], typed: str, options: ReadOptions) -> list[str]:
    """Return the classes of the model's layers that begin with `typed`."""
    from paramctl.layer_types import known_classes  # noqa: PLC0415 (on the way of every call)

    model = _open(arguments, options)
    known = known_classes(model) if model else []
    return [name for name in known if name.startswith(typed)]


def list_keys(arguments: list[str], typed: str, options: ReadOptions) -> list[str]:
    """Return the keys of the model's metadata that begin with `typed`."""
    model = _open(arguments, options)
    return [key for key in (model.metadata if model else ()) if key.startswith(typed)]


def _open(arguments: list[str], options: ReadOptions) -> Checkpoint | None:
    from paramctl.errors import ParamctlError  # noqa: PLC0415
    from paramctl.formats import open_checkpoint  # noqa: PLC0415 (on the way of every call)

    model = arguments[0] if arguments and os.path.exists(arguments[0]) else ""
    model = model or os.environ.get("PARAMCTL_MODEL", "")
    if not os.path.isfile(model) and not os.path.isdir(model):  # a pipe would wait for its writer
        return None
    try:
        return open_checkpoint(model, options)
    except ParamctlError:
        return None


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
