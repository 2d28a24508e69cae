"""The opcodes of a pickle that make and fill tuples, lists, sets and dictionaries."""

from collections.abc import Callable
from typing import Any

from paramctl.formats.pickles.machine import Machine, Opcode, Step
from paramctl.formats.pickles.values import Dict, Object


def _fresh(container: Callable[[], object]) -> Step:
    def step(machine: Machine, position: int) -> int:
        machine.stack.append(container())
        return position

    return step


def _collected(make: Callable[[list[Any]], object]) -> Step:
    """Make an opcode that makes one value of those above the mark."""

    def step(machine: Machine, position: int) -> int:
        values = machine.pop_mark()
        machine.stack.append(make(values))
        return position

    return step


def _tuple1(machine: Machine, position: int) -> int:
    machine.stack[-1] = (machine.stack[-1],)
    return position


def _tuple2(machine: Machine, position: int) -> int:
    second = machine.stack.pop()
    machine.stack[-1] = (machine.stack[-1], second)
    return position


def _tuple3(machine: Machine, position: int) -> int:
    third = machine.stack.pop()
    second = machine.stack.pop()
    machine.stack[-1] = (machine.stack[-1], second, third)
    return position


def _dict(values: list[Any]) -> Dict:
    made = Dict()
    made.pairs = _paired(values)
    return made


def _append(machine: Machine, position: int) -> int:
    value = machine.stack.pop()
    _elements(machine.stack[-1]).append(value)
    return position


def _appends(machine: Machine, position: int) -> int:
    values = machine.pop_mark()
    _elements(machine.stack[-1]).extend(values)
    return position


def _setitem(machine: Machine, position: int) -> int:
    value = machine.stack.pop()
    key = machine.stack.pop()
    _pairs(machine.stack[-1]).append((key, value))
    return position


def _setitems(machine: Machine, position: int) -> int:
    values = machine.pop_mark()
    _pairs(machine.stack[-1]).extend(_paired(values))
    return position


def _elements(target: object) -> list[Any]:
    if type(target) is list:
        return target
    if type(target) is Object:
        target.elements = target.elements or []
        return target.elements
    raise ValueError(f"elements for what is no list: {type(target).__name__}")


def _pairs(target: object) -> list[tuple[Any, Any]]:
    if type(target) is Dict or type(target) is Object:
        target.pairs = target.pairs or []
        return target.pairs
    raise ValueError(f"keys for what is no dictionary: {type(target).__name__}")


def _paired(values: list[Any]) -> list[tuple[Any, Any]]:
    if len(values) % 2:
        raise ValueError("a key without a value")
    rest = iter(values)
    return list(zip(rest, rest, strict=True))


CONTAINERS = {
    b"t": Opcode("TUPLE", _collected(tuple)),
    b"\x85": Opcode("TUPLE1", _tuple1),
    b"\x86": Opcode("TUPLE2", _tuple2),
    b"\x87": Opcode("TUPLE3", _tuple3),
    b"]": Opcode("EMPTY_LIST", _fresh(list)),
    b"l": Opcode("LIST", _collected(list)),
    b"a": Opcode("APPEND", _append),
    b"e": Opcode("APPENDS", _appends),
    b"}": Opcode("EMPTY_DICT", _fresh(Dict)),
    b"d": Opcode("DICT", _collected(_dict)),
    b"s": Opcode("SETITEM", _setitem),
    b"u": Opcode("SETITEMS", _setitems),
    b"\x8f": Opcode("EMPTY_SET", _fresh(list)),
    b"\x90": Opcode("ADDITEMS", _appends),
    b"\x91": Opcode("FROZENSET", _collected(list)),
}
