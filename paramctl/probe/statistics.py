"""Norm, mean and standard deviation of a tensor, computed in float64."""

from typing import NamedTuple

import torch
from torch import Tensor


class Statistics(NamedTuple):
    """What a tensor's values come to; `std` is theirs, not an estimate from a sample."""

    norm: float
    mean: float
    std: float
    rms: float


def statistics_of(tensor: Tensor) -> Statistics:
    """Return the statistics of a tensor, of absolute values if it is complex; of none, zeros."""
    plain = tensor.detach()
    values = (plain.abs() if plain.is_complex() else plain).to(torch.float64)
    if not values.numel():
        return Statistics(0.0, 0.0, 0.0, 0.0)
    norm = float(values.norm())
    mean, std = float(values.mean()), float(values.std(correction=0))
    return Statistics(norm, mean, std, norm / values.numel() ** 0.5)
