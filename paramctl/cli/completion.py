"""Completion of files and of parameter names inside a file."""

import os
import re
from collections.abc import Iterator
from typing import Any

BASH = "complete_bash"
_PLAIN = re.compile(r"[\w .,:/@%+=-]*")
_SPECIAL = re.compile(r"([^\w.,:/@%+=-])")
MAX_NAMES = 100  # more, and the next part of the names is offered instead


def complete_arguments(ctx: Any, incomplete: str) -> list[str]:
    """Return what may stand here: nothing (the shell completes files), or names in the model."""
    arguments = ctx.params.get("arguments") or []
    model = arguments[0] if arguments else os.environ.get("PARAMCTL_MODEL", "")
    if not model or not os.path.exists(model):
        return []
    names = complete_names(model, incomplete)
    if os.environ.get("_PARAMCTL_COMPLETE") == BASH:
        return [_BashWord(name) for name in names]
    # Typer's script for zsh evaluates what it is given: a name that could be code is not offered.
    return [name for name in names if _PLAIN.fullmatch(name)]


class _BashWord(str):
    """A name that Typer compares as it is and prints with bash's special characters escaped."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return _SPECIAL.sub(r"\\\1", self)


def complete_names(model: str, incomplete: str) -> Iterator[str]:
    """Yield the parameters of a model that begin with `incomplete`, or their next parts."""
    from paramctl.errors import ParamctlError  # noqa: PLC0415 (on the way of every call otherwise)
    from paramctl.formats import open_checkpoint  # noqa: PLC0415

    try:
        names = [name for name in open_checkpoint(model) if name.startswith(incomplete)]
    except ParamctlError:
        return
    if len(names) > MAX_NAMES:
        start = len(incomplete)
        parts = (name.find(".", start) for name in names)
        names = list(
            dict.fromkeys(
                name if dot < 0 else name[: dot + 1] for name, dot in zip(names, parts, strict=True)
            )
        )
    yield from (name for name in names if name.isprintable())
