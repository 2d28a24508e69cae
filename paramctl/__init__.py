"""Inspect and initialize saved models."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramctl.checkpoint import Checkpoint
    from paramctl.model import Model, open  # noqa: A004 (paramctl.open is the door)

__all__ = ["Checkpoint", "Model", "open"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is exported where it is first used: `--version` needs nothing of it."""
    if name in ("Model", "open"):
        from paramctl import model  # noqa: PLC0415

        return getattr(model, name)
    if name == "Checkpoint":
        from paramctl.checkpoint import Checkpoint  # noqa: PLC0415

        return Checkpoint
    what = f"module 'paramctl' has no attribute {name!r}"
    raise AttributeError(what, name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    """Return what is here with what will be: completion and Python's "Did you mean" see it."""
    return sorted({*globals(), *__all__})
