"""Where the arithmetic of init runs: numpy, torch's CPU tensors, and a GPU where there is one."""

from typing import Any

import numpy as np
import torch

OTHERS = ["cpu:0", *(["cuda"] if torch.cuda.is_available() else [])]
"""Devices that compute with torch; `cpu:0` is torch's name for what paramctl's `cpu` leaves out."""

DEVICES = ["cpu", *OTHERS]


def on(device: str, array: Any) -> Any:
    """Copy a numpy array to a device; uint32 becomes int32 in torch."""
    if device == "cpu":
        return array.copy()
    signed = array.view(np.int32) if array.dtype == np.uint32 else array
    return torch.from_numpy(signed).to(device, copy=True)


def off(array: Any) -> Any:
    """Bring an array of any device back to numpy."""
    return array.cpu().numpy() if isinstance(array, torch.Tensor) else array
