"""Numbers of numpy's, which training scripts save as losses and scores.

They are pickled as a call, `numpy.core.multiarray.scalar(dtype, bytes)`.
"""

import struct

from paramctl.formats.pickles import Global, Object

MAKERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
CODES = dict(zip(TYPES, "?bhiqBHIQefd", strict=True))
"""numpy's codes of types, and those of the module `struct`."""


def read_scalar(value: Object) -> bool | float | None:
    """Return the number, None where it is none of those above."""
    if not isinstance(value.function, Global) or value.function.path not in MAKERS:
        return None
    dtype, data = value.args if type(value.args) is tuple and len(value.args) == 2 else (None, None)
    if not isinstance(dtype, Object) or not isinstance(data, bytes):
        return None
    layout = _byte_order(dtype) + CODES.get(_code(dtype), "s")
    if layout.endswith("s") or struct.calcsize(layout) != len(data):
        return None
    number: bool | float = struct.unpack(layout, data)[0]
    return number


def _code(dtype: Object) -> str:
    code = dtype.args[0] if type(dtype.args) is tuple and dtype.args else None
    return code if type(code) is str else ""


def _byte_order(dtype: Object) -> str:
    """Return the second item of a dtype's state, which is `<`, `>` or `|`."""
    return ">" if type(dtype.state) is tuple and dtype.state[1:2] == (">",) else "<"
