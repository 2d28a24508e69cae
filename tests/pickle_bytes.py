"""Pickles as bytes: the opcodes that torch writes, and those that it never would.

Each function returns the opcodes that push one value.
"""

import struct

FLOATS = b"ctorch\nFloatStorage\n"
LONGS = b"ctorch\nLongStorage\n"
ORDERED = b"ccollections\nOrderedDict\n)R"
FALSE = b"\x89"
NONE = b"N"


def text(value: str) -> bytes:
    """Push text."""
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value: int) -> bytes:
    """Push an integer, of any size."""
    if 0 <= value < 256:
        return b"K" + bytes([value])
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def numbers(*values: int) -> bytes:
    """Push a tuple of integers."""
    return tuple_of(*map(number, values))


def tuple_of(*values: bytes) -> bytes:
    """Push a tuple."""
    return b"(" + b"".join(values) + b"t"


def called(module: str, name: str, *arguments: bytes) -> bytes:
    """Push the result of a call."""
    return f"c{module}\n{name}\n".encode() + tuple_of(*arguments) + b"R"


def list_of(*values: bytes) -> bytes:
    """Push a list."""
    return b"](" + b"".join(values) + b"e"


def storage(
    key: bytes = text("0"),
    numel: bytes = number(4),
    storage_class: bytes = FLOATS,
    view: bytes = b"",
) -> bytes:
    """Push a storage, by torch's persistent id; `view` is what the legacy format adds to it."""
    return tuple_of(text("storage"), storage_class, key, text("cpu"), numel, view) + b"Q"


def tensor(
    values: bytes = b"",
    offset: bytes = number(0),
    size: bytes = numbers(4),
    stride: bytes = numbers(1),
) -> bytes:
    """Push a tensor; of the four floats in storage '0' where nothing else is said."""
    arguments = (values or storage(), offset, size, stride, FALSE, ORDERED)
    return called("torch._utils", "_rebuild_tensor_v2", *arguments)


def dictionary(**values: bytes) -> bytes:
    """Push a dictionary with text keys."""
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def pickled(value: bytes) -> bytes:
    """Make a whole pickle of one value."""
    return b"\x80\x02" + value + b"."


def state(**values: bytes) -> bytes:
    """Make the pickle of a state dict: these values, and a sound tensor `ok`."""
    return pickled(dictionary(ok=tensor(), **values))
