"""Distributions of a whole tensor, which cannot be drawn block by block."""

from abc import abstractmethod
from typing import TYPE_CHECKING

from paramctl.init.distributions import Distribution
from paramctl.init.namespaces import Array

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from paramctl.init.streams import Stream


class Whole(Distribution):
    """Values that hang together; computed on the CPU, so that they are the same everywhere."""

    @property
    def is_blockwise(self) -> bool:
        """No: `sample` is asked for all values at once."""
        return False

    def sample(self, stream: "Stream", start: int, count: int) -> Array:
        """Return the whole tensor's values, row-major."""
        values = self.values(stream._replace(device="cpu")).reshape(-1)
        if stream.device == "cpu":
            return values[start : start + count]
        filled = stream.empty(count)
        import torch  # noqa: PLC0415 (only devices other than the CPU need it)

        return filled.copy_(torch.from_numpy(values[start : start + count]))

    @abstractmethod
    def values(self, stream: "Stream") -> "npt.NDArray[np.float32]":
        """Return the whole tensor, in float32."""
