"""Spectra: the singular values of a matrix, in float64."""

from math import isfinite

import numpy as np

from paramctl.arrays import read
from paramctl.checkpoint import Entry
from paramctl.errors import LimitError, UsageError
from paramctl.stats.heatmaps import matrix_shape
from paramctl.widening import Array

MAX_WORK = 1 << 33  # rows x columns x the smaller of them: some ten seconds on two cores


def check_matrix(entry: Entry) -> None:
    """Make sure that an entry is a matrix whose singular values can be found in a while.

    Raises:
        UsageError: it has less than two dimensions, or no values.
        LimitError: it is too large.
    """
    if len(entry.shape) < 2 or not entry.numel:
        raise UsageError(f"'{entry.name}' of shape {list(entry.shape)} is no matrix")
    rows, columns = matrix_shape(entry.shape)
    if rows * columns * min(rows, columns) > MAX_WORK:
        raise LimitError(
            f"the singular values of '{entry.name}' {list(entry.shape)} would take too long",
            hint=f"name a part of it: '{entry.name}[:1024, :1024]'",
        )


def find_spectrum(entry: Entry) -> Array:
    """Return the singular values, the largest first.

    A tensor of more than two dimensions is a matrix of the first one and all others.

    Raises:
        UsageError: there are none: a value is not finite.
        ParamctlError: as `arrays.read`.
    """
    stored = read(entry).reshape(matrix_shape(entry.shape))
    values = stored.astype(np.complex128 if stored.dtype.kind == "c" else np.float64)
    if not np.isfinite(values).all():
        what = f"'{entry.name}' has values that are not finite, and so no singular ones"
        raise UsageError(what, hint="--kind hist counts them")
    largest = float(np.abs(values).max())
    scale = largest if isfinite(largest) and largest > 0 else 1.0  # squares would overflow
    with np.errstate(over="ignore"):
        found = np.linalg.svd(values / scale, compute_uv=False) * scale
    if not isfinite(found[0]):
        raise UsageError(f"'{entry.name}' has singular values beyond those of float64")
    return np.asarray(found)


def stable_rank(values: Array) -> float:
    """Return the squares' sum of singular values in those of the largest: how many count."""
    largest = float(values[0])
    return float(((values / largest) ** 2).sum()) if largest else 0.0
