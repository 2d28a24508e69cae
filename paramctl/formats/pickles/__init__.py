"""Pickles, read without running anything: a machine of our own with symbolic values.

Nothing that a pickle names is imported or called, and of its values only text is hashed. What it
holds may be nested as deep as the pickle is long, hold itself, or unfold to more than any memory:
whoever walks through it has to count the visits and must not recurse without a limit.
"""

import struct
from collections.abc import Mapping
from itertools import repeat
from typing import NamedTuple

from paramctl.errors import LimitError, MalformedError, ParamctlError
from paramctl.formats.pickles.machine import FAULTS, Builder, Machine, Opcode
from paramctl.formats.pickles.opcodes import OPCODES
from paramctl.formats.pickles.values import Dict, Global, Object, label

__all__ = ["Dict", "Global", "Object", "Pickle", "TruncatedPickle", "label", "read_pickle"]

MAX_DEPTH = 1 << 18  # values and marks on the stack: picklers put 1,000 at a time there, or a tuple
ROUND = 1 << 16  # opcodes between two looks at the depth, so that it costs nothing
MAX_OPCODES = 763 * ROUND  # 50 million, 10 seconds: a 100,000-tensor state dict has 3.2 million


def _unknown(_machine: Machine, _position: int) -> int:
    raise ValueError("no opcode of any protocol")


_NAMED = [OPCODES.get(bytes([code]), Opcode(f"0x{code:02x}", _unknown)) for code in range(256)]
_STEPS = [opcode.step for opcode in _NAMED]


class TruncatedPickle(MalformedError):  # noqa: N818 (it says what the file is)
    """A pickle that goes on behind the end of the data."""


class Pickle(NamedTuple):
    """What a pickle holds, the offset behind its STOP, and the globals in order of first use."""

    value: object
    end: int
    globals: tuple[Global, ...]


def read_pickle(
    data: bytes,
    start: int = 0,
    *,
    builders: Mapping[str, Builder] = {},
    persistent: Builder | None = None,
) -> Pickle:
    """Read the pickle that begins at `start`.

    `builders` maps the path of a global to a function of ours that is called in its place with the
    tuple of arguments; if what it returns has a method `build`, that gets the state of BUILD.
    `persistent` is called with each persistent id. Both raise ParamctlError only. Lists and sets
    become lists, bytearrays bytes; see `values` for the rest.

    Raises:
        TruncatedPickle: the data ends before the pickle does.
        MalformedError: it breaks the rules of pickles.
        LimitError: it needs more than a limit of this module or of the opcodes.
    """
    machine = Machine(data, builders, persistent)
    end = _run(machine, start)
    return Pickle(machine.stack[-1], end, tuple(machine.globals.values()))


def _run(machine: Machine, position: int) -> int:
    """Run opcodes up to STOP, and return the offset behind it."""
    data = machine.data
    try:
        for _ in range(MAX_OPCODES // ROUND):
            for _ in repeat(None, ROUND):
                if position >= machine.limit:
                    if machine.stopped:
                        return position
                    _leave_frame(machine, position)
                position = _STEPS[data[position]](machine, position + 1)
            if machine.depth() > MAX_DEPTH:
                raise LimitError(f"a pickle with more than {MAX_DEPTH} values on its stack")
        raise LimitError(f"a pickle of {MAX_OPCODES} opcodes or more")
    except ParamctlError as error:
        error.where = error.where or f"offset {position}"
        raise
    except FAULTS as fault:
        raise _explain(fault, data, position) from fault


def _leave_frame(machine: Machine, position: int) -> None:
    """Go on behind the end of a frame, where an opcode has to end as well."""
    if position > machine.limit:
        where = f"offset {machine.limit}"
        raise MalformedError("a frame of the pickle ends inside an opcode", where=where)
    if position >= len(machine.data):
        raise EOFError
    machine.limit = len(machine.data)
    machine.framed = False


def _explain(fault: Exception, data: bytes, position: int) -> ParamctlError:
    """Return the error for what the opcode at `position` raised."""
    where = f"offset {position}"
    if position >= len(data):
        return TruncatedPickle("the pickle ends before its STOP", where=where)
    opcode = _NAMED[data[position]]
    cut = opcode.has_byte and position + 1 == len(data)
    if cut or isinstance(fault, EOFError | struct.error):
        return TruncatedPickle(f"the pickle ends inside {opcode.name}", where=where)
    kind = LimitError if isinstance(fault, OverflowError) else MalformedError
    return kind(f"pickle opcode {opcode.name}: {_describe(fault)}", where=where)


def _describe(fault: Exception) -> str:
    if isinstance(fault, KeyError):
        return f"nothing is stored in place {fault.args[0]} of the memo"
    if isinstance(fault, IndexError):
        return "too few values on the stack"
    if isinstance(fault, UnicodeError):
        return "text that is not UTF-8"
    return str(fault)
