"""Inspect and initialize saved models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramctl.checkpoint import Checkpoint
    from paramctl.formats import open_checkpoint as open  # noqa: A004 (paramctl.open is the door)

__all__ = ["Checkpoint", "open"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `open` and `Checkpoint` where they are first used: `--version` needs neither."""
    if name == "open":
        from paramctl.formats import open_checkpoint  # noqa: PLC0415

        return open_checkpoint
    if name == "Checkpoint":
        from paramctl.checkpoint import Checkpoint  # noqa: PLC0415

        return Checkpoint
    raise AttributeError(f"module 'paramctl' has no attribute {name!r}")
