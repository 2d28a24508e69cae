"""Values that a user's own function makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paramctl.errors import UsageError
from paramctl.init.targets import Target
from paramctl.init.whole import Whole
from paramctl.user_code import blaming_user

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


@dataclass(frozen=True)
class Python(Whole):
    """What `function(shape, rng, **arguments)` returns: all that numpy.asarray takes, and tensors.

    `rng` is a numpy Generator that depends on the seed and the parameter's name only.
    """

    function: Callable[..., Any]
    target: Target
    arguments: Mapping[str, Any]
    origin: str

    @property
    def draws(self) -> int:
        """One, which seeds the generator."""
        return 1

    @property
    def mean(self) -> None:
        """Nobody knows."""

    @property
    def std(self) -> None:
        """Nobody knows."""

    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":
        """Call the function and return its values."""
        import numpy as np  # noqa: PLC0415 (only where values are drawn)

        rng = np.random.Generator(np.random.Philox(key=stream.key()))
        with blaming_user(self.origin):
            made = self.function(self.target.shape, rng, **self.arguments)
            if hasattr(made, "detach"):
                made = made.detach().cpu().float()
            array = np.asarray(made)
        if array.shape != self.target.shape:
            raise self.target.error(f"does not fit what {self.origin} made: {list(array.shape)}")
        if array.dtype.kind not in "biuf":
            raise UsageError(f"{self.origin} made no real numbers but {array.dtype}")
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
