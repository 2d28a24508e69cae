"""The opcodes of a pickle that push what its data holds: numbers, strings, constants."""

import re
import struct
from collections.abc import Callable

from paramctl.formats.pickles.machine import ANY_LENGTH, Machine, Opcode, Step

MAX_LITERAL = 64  # characters of a number: int64 has 19 digits, and converting is quadratic
MAX_LONG = 1024  # bytes of a number: torch's longest, its magic number, has 10

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.?))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"} | {c: c for c in (b"\\", b"'", b'"')}


def _constant(value: object) -> Step:
    def step(machine: Machine, position: int) -> int:
        machine.stack.append(value)
        return position

    return step


def _binint1(machine: Machine, position: int) -> int:
    machine.stack.append(machine.data[position])
    return position + 1


def _fixed(layout: str) -> Step:
    """Make an opcode whose argument is a number of a fixed size."""
    size, unpack = struct.calcsize(layout), struct.Struct(layout).unpack_from

    def step(machine: Machine, position: int) -> int:
        machine.stack += unpack(machine.data, position)
        return position + size

    return step


def _sized(layout: str, read: Callable[[bytes], object]) -> Step:
    """Make an opcode whose argument is a length, then so many bytes."""
    prefix, unpack = struct.calcsize(layout), struct.Struct(layout).unpack_from

    def step(machine: Machine, position: int) -> int:
        size: int = unpack(machine.data, position)[0]
        start = position + prefix
        end = start + size
        if size < 0:
            raise ValueError(f"a length of {size}")
        if end > len(machine.data):
            raise EOFError
        machine.stack.append(read(machine.data[start:end]))
        return end

    return step


def _line(read: Callable[[bytes], object], cap: int = ANY_LENGTH) -> Step:
    """Make an opcode whose argument is a line of text."""

    def step(machine: Machine, position: int) -> int:
        line, end = machine.read_line(position, cap)
        machine.stack.append(read(line))
        return end

    return step


def _string(data: bytes) -> str | bytes:
    """Read a string of Python 2, which may be text or bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _quoted(line: bytes) -> str | bytes:
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1] != line[0]:
        raise ValueError("a string without quotes")
    return _string(_ESCAPE.sub(_unescape, line[1:-1]))


def _unescape(found: re.Match[bytes]) -> bytes:
    digits, character = found.groups()
    if digits:
        return bytes([int(digits, 16)])
    if character not in _ESCAPED:
        raise ValueError(f"the escape {found[0]!r} in a string")
    return _ESCAPED[character]


def _raw_unicode(line: bytes) -> str:
    text = line.decode("raw-unicode-escape")
    text.encode()  # refuses the halves of surrogate pairs, which cannot be printed
    return text


def _int(line: bytes) -> int:
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line, 0)


def _long_line(line: bytes) -> int:
    return int(line.removesuffix(b"L"), 0)


def _long(data: bytes) -> int:
    if len(data) > MAX_LONG:
        raise OverflowError(f"a number of {len(data)} bytes, more than {MAX_LONG}")
    return int.from_bytes(data, "little", signed=True)


LITERALS = {
    b"N": Opcode("NONE", _constant(None)),
    b"\x88": Opcode("NEWTRUE", _constant(True)),  # noqa: FBT003 (the value itself)
    b"\x89": Opcode("NEWFALSE", _constant(False)),  # noqa: FBT003 (the value itself)
    b")": Opcode("EMPTY_TUPLE", _constant(())),
    b"I": Opcode("INT", _line(_int, MAX_LITERAL)),
    b"L": Opcode("LONG", _line(_long_line, MAX_LITERAL)),
    b"F": Opcode("FLOAT", _line(float, MAX_LITERAL)),
    b"K": Opcode("BININT1", _binint1, has_byte=True),
    b"M": Opcode("BININT2", _fixed("<H")),
    b"J": Opcode("BININT", _fixed("<i")),
    b"\x8a": Opcode("LONG1", _sized("<B", _long)),
    b"\x8b": Opcode("LONG4", _sized("<i", _long)),
    b"G": Opcode("BINFLOAT", _fixed(">d")),
    b"S": Opcode("STRING", _line(_quoted)),
    b"U": Opcode("SHORT_BINSTRING", _sized("<B", _string)),
    b"T": Opcode("BINSTRING", _sized("<i", _string)),
    b"V": Opcode("UNICODE", _line(_raw_unicode)),
    b"\x8c": Opcode("SHORT_BINUNICODE", _sized("<B", bytes.decode)),
    b"X": Opcode("BINUNICODE", _sized("<I", bytes.decode)),
    b"\x8d": Opcode("BINUNICODE8", _sized("<Q", bytes.decode)),
    b"C": Opcode("SHORT_BINBYTES", _sized("<B", bytes)),
    b"B": Opcode("BINBYTES", _sized("<I", bytes)),
    b"\x8e": Opcode("BINBYTES8", _sized("<Q", bytes)),
    b"\x96": Opcode("BYTEARRAY8", _sized("<Q", bytes)),
}
