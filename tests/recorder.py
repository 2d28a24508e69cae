"""What PyTorch draws from: its in-place samplers, watched."""

from typing import Any

import pytest
import torch

from paramctl.init.distributions import Constant, Distribution, Normal, Uniform


class Recorder:
    """Notes for each tensor, by its address, the distribution that it was last filled from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.drawn: dict[int, Distribution] = {}
        monkeypatch.setattr(torch.Tensor, "uniform_", self._method(Uniform, (0.0, 1.0)))
        monkeypatch.setattr(torch.Tensor, "normal_", self._method(Normal, (0.0, 1.0)))

        def fill(tensor: torch.Tensor, value: float = 0.0) -> torch.Tensor:
            self.drawn[tensor.data_ptr()] = Constant(value)
            return tensor.copy_(torch.tensor(value))

        monkeypatch.setattr(torch.Tensor, "zero_", fill)
        monkeypatch.setattr(torch.Tensor, "fill_", fill)

    def _method(self, kind: Any, defaults: tuple[float, float]) -> Any:
        def fill(
            tensor: torch.Tensor,
            first: float = defaults[0],
            second: float = defaults[1],
            *,
            generator: torch.Generator | None = None,
        ) -> torch.Tensor:
            assert generator is None
            self.drawn[tensor.data_ptr()] = kind(first, second)
            return tensor

        return fill
