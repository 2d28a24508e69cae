"""The table of opcodes of pickle protocols 0 to 5, each a function on a `Machine`.

An opcode is given the machine and the offset behind its code, and returns the offset behind its
argument. It is written as if nothing could go wrong; `Machine` says what it raises when it does.
Source: CPython's Lib/pickletools.py, PEP 307 and PEP 3154.
"""

import struct
from typing import NoReturn

from paramctl.formats.pickles.containers import CONTAINERS
from paramctl.formats.pickles.literals import LITERALS, MAX_LITERAL
from paramctl.formats.pickles.machine import MAX_NAME, Machine, Opcode, Step, ask
from paramctl.formats.pickles.values import Dict, Object

MAX_PROTOCOL = 5

_UINT32 = struct.Struct("<I").unpack_from
_UINT64 = struct.Struct("<Q").unpack_from


# The stream: its protocol, its frames, its end.


def _proto(machine: Machine, position: int) -> int:
    if machine.data[position] > MAX_PROTOCOL:
        raise ValueError(f"protocol {machine.data[position]}, the highest is {MAX_PROTOCOL}")
    return position + 1


def _frame(machine: Machine, position: int) -> int:
    (size,) = _UINT64(machine.data, position)
    position += 8
    if machine.framed:
        raise ValueError("a frame inside a frame")
    if size > len(machine.data) - position:
        raise EOFError
    machine.limit = position + size
    machine.framed = True
    return position


def _stop(machine: Machine, position: int) -> int:
    if position < machine.limit and machine.framed:
        raise ValueError("the end of the pickle before that of its frame")
    if not machine.stack:
        raise IndexError
    machine.limit = position
    machine.stopped = True
    return position


def _refuse(what: str) -> Step:
    """Make an opcode that no file of its own can have."""

    def step(_machine: Machine, _position: int) -> NoReturn:
        raise ValueError(what)

    return step


# The stack and the memo.


def _mark(machine: Machine, position: int) -> int:
    machine.stacks.append(machine.stack)
    machine.stack = []
    return position


def _pop(machine: Machine, position: int) -> int:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()
    return position


def _pop_mark(machine: Machine, position: int) -> int:
    machine.pop_mark()
    return position


def _dup(machine: Machine, position: int) -> int:
    machine.stack.append(machine.stack[-1])
    return position


def _get(machine: Machine, position: int) -> int:
    line, end = machine.read_line(position, MAX_LITERAL)
    machine.stack.append(machine.memo[int(line)])
    return end


def _binget(machine: Machine, position: int) -> int:
    machine.stack.append(machine.memo[machine.data[position]])
    return position + 1


def _long_binget(machine: Machine, position: int) -> int:
    (place,) = _UINT32(machine.data, position)
    machine.stack.append(machine.memo[place])
    return position + 4


def _put(machine: Machine, position: int) -> int:
    line, end = machine.read_line(position, MAX_LITERAL)
    machine.store(int(line))
    return end


def _binput(machine: Machine, position: int) -> int:
    machine.memo[machine.data[position]] = machine.stack[-1]
    return position + 1


def _long_binput(machine: Machine, position: int) -> int:
    (place,) = _UINT32(machine.data, position)
    machine.store(place)
    return position + 4


def _memoize(machine: Machine, position: int) -> int:
    machine.store(len(machine.memo))
    return position


# Names, calls, objects.


def _global(machine: Machine, position: int) -> int:
    module, position = machine.read_line(position, MAX_NAME)
    name, position = machine.read_line(position, MAX_NAME)
    machine.stack.append(machine.find(module.decode(), name.decode()))
    return position


def _stack_global(machine: Machine, position: int) -> int:
    name = machine.stack.pop()
    machine.stack[-1] = machine.find(machine.stack[-1], name)
    return position


def _reduce(machine: Machine, position: int) -> int:
    """REDUCE and NEWOBJ, which differ in how Python would make the object."""
    arguments = machine.stack.pop()
    machine.stack[-1] = machine.call(machine.stack[-1], arguments)
    return position


def _newobj_ex(machine: Machine, position: int) -> int:
    keywords = machine.stack.pop()
    arguments = machine.stack.pop()
    machine.stack[-1] = Object(machine.stack[-1], (arguments, keywords))
    return position


def _inst(machine: Machine, position: int) -> int:
    arguments = tuple(machine.pop_mark())
    position = _global(machine, position)
    machine.stack[-1] = machine.call(machine.stack[-1], arguments)
    return position


def _obj(machine: Machine, position: int) -> int:
    values = machine.pop_mark()
    machine.stack.append(machine.call(values[0], tuple(values[1:])))
    return position


def _build(machine: Machine, position: int) -> int:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if type(target) is Dict or type(target) is Object:
        target.state = state
    elif hasattr(target, "build"):
        ask(target.build, state)
    return position


def _persid(machine: Machine, position: int) -> int:
    pid, position = machine.read_line(position, MAX_NAME)
    machine.stack.append(machine.resolve(pid.decode()))
    return position


def _binpersid(machine: Machine, position: int) -> int:
    machine.stack[-1] = machine.resolve(machine.stack[-1])
    return position


OPCODES = {
    **LITERALS,
    **CONTAINERS,
    b"\x80": Opcode("PROTO", _proto, has_byte=True),
    b"\x95": Opcode("FRAME", _frame),
    b".": Opcode("STOP", _stop),
    b"\x82": Opcode("EXT1", _refuse("a code of the reader's extension registry")),
    b"\x83": Opcode("EXT2", _refuse("a code of the reader's extension registry")),
    b"\x84": Opcode("EXT4", _refuse("a code of the reader's extension registry")),
    b"\x97": Opcode("NEXT_BUFFER", _refuse("a buffer outside of the file")),
    b"\x98": Opcode("READONLY_BUFFER", _refuse("a buffer outside of the file")),
    b"(": Opcode("MARK", _mark),
    b"0": Opcode("POP", _pop),
    b"1": Opcode("POP_MARK", _pop_mark),
    b"2": Opcode("DUP", _dup),
    b"g": Opcode("GET", _get),
    b"h": Opcode("BINGET", _binget, has_byte=True),
    b"j": Opcode("LONG_BINGET", _long_binget),
    b"p": Opcode("PUT", _put),
    b"q": Opcode("BINPUT", _binput, has_byte=True),
    b"r": Opcode("LONG_BINPUT", _long_binput),
    b"\x94": Opcode("MEMOIZE", _memoize),
    b"c": Opcode("GLOBAL", _global),
    b"\x93": Opcode("STACK_GLOBAL", _stack_global),
    b"R": Opcode("REDUCE", _reduce),
    b"\x81": Opcode("NEWOBJ", _reduce),
    b"\x92": Opcode("NEWOBJ_EX", _newobj_ex),
    b"i": Opcode("INST", _inst),
    b"o": Opcode("OBJ", _obj),
    b"b": Opcode("BUILD", _build),
    b"P": Opcode("PERSID", _persid),
    b"Q": Opcode("BINPERSID", _binpersid),
}
