"""Inspect and initialize saved models."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramctl.checkpoint import Checkpoint
    from paramctl.errors import ParamctlError
    from paramctl.model import Model
    from paramctl.opening import open  # noqa: A004 (paramctl.open is the door)

__all__ = ["Checkpoint", "Model", "ParamctlError", "open"]
__version__ = "0.1.0"
_HOMES = {
    "Checkpoint": "paramctl.checkpoint",
    "Model": "paramctl.model",
    "ParamctlError": "paramctl.errors",
    "open": "paramctl.opening",
}
"""Where what is exported is."""


def __getattr__(name: str) -> Any:
    """Import what is exported where it is first used."""
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415 (--version needs nothing of it)

        return getattr(import_module(_HOMES[name]), name)
    what = f"module 'paramctl' has no attribute {name!r}"
    raise AttributeError(what, name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    """Return what a program may use: completion and Python's "Did you mean" see it."""
    return sorted([*__all__, "__version__"])
