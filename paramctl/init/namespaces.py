"""One page of arithmetic for numpy and torch, whose operators and functions agree."""

import sys
from typing import Any

Array = Any
"""A numpy array, or a torch tensor of any device."""


def namespace(array: Array) -> Any:
    """Return the array's library: the module numpy, or torch."""
    return sys.modules[type(array).__module__]


def convert(array: Array, dtype: str, out: Array = None) -> Array:
    """Return the array in another type, rounded to nearest."""
    library = namespace(array)
    converted = library.empty_like(array, dtype=getattr(library, dtype)) if out is None else out
    converted[:] = array
    return converted
