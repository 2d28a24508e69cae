"""The opcodes of pickle protocols 0 to 5, each a function on a `Machine`.

An opcode takes the machine and the offset behind its code, and returns the offset behind its
argument. It is written as if nothing could go wrong; `pickles` turns what it raises into the errors
of a file: EOFError and struct.error (the data ends too soon), IndexError (the stack is too short),
KeyError (an unknown memo), OverflowError (a limit), ValueError (anything else).
Source: CPython's Lib/pickletools.py and PEP 3154.
"""

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

MAX_MEMO = 1 << 24  # a 100,000-tensor state dict stores 800,000 values
MAX_LITERAL = 64  # decimal digits: int64 has 19, a float 17; conversion is quadratic
MAX_LONG = 1024  # bytes: torch's longest, its magic number, has 10; printing is quadratic
MAX_NAME = 1024  # bytes of a module's or a class's name; real ones have less than 200

FAULTS = (EOFError, LookupError, OverflowError, ValueError, struct.error)


class Global:
    """A class or function that the pickle names; one object for each name, never the thing."""

    __slots__ = ("_path", "module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name
        self._path = f"{module}.{name}"

    def __str__(self) -> str:
        return self._path


class Dict:
    """A dictionary as pairs, since keys are never hashed; of equal keys the last pair counts.

    `state` is what BUILD gave, such as the attributes of an OrderedDict; None if nothing.
    """

    __slots__ = ("pairs", "state")

    def __init__(self) -> None:
        self.pairs: list[tuple[object, object]] = []
        self.state: object = None

    def strings(self) -> dict[str, object]:
        """Return the pairs whose key is a string."""
        return {key: value for key, value in self.pairs if type(key) is str}


class Object:
    """What calling `function` with `args` would have made; nothing was called.

    `state` is what BUILD gave, `pairs` what SETITEM and `elements` what APPEND or ADDITEMS put in.
    `args` of NEWOBJ_EX are the tuple of positional arguments and the Dict of keywords.
    """

    __slots__ = ("args", "elements", "function", "pairs", "state")

    def __init__(self, function: object, args: object) -> None:
        self.function = function
        self.args = args
        self.state: object = None
        self.pairs: list[tuple[object, object]] = []
        self.elements: list[object] = []


class Machine:
    """The state between two opcodes: a stack, the stacks below its marks, and the memo.

    Opcodes may go as far as `limit`: the end of the frame if `framed`, else of the data; the offset
    behind STOP once `stopped`. `copied` counts what `_make_plain` copied.
    """

    __slots__ = (
        "builders",
        "copied",
        "data",
        "framed",
        "globals",
        "limit",
        "memo",
        "persistent",
        "stack",
        "stacks",
        "stopped",
    )

    def __init__(
        self,
        data: bytes,
        builders: Mapping[str, Callable[[object], object]],
        persistent: Callable[[object], object] | None,
    ) -> None:
        self.data = data
        self.builders = builders
        self.persistent = persistent
        self.stack: list[Any] = []
        self.stacks: list[list[Any]] = []
        self.memo: dict[int, object] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.copied = 0
        self.limit = len(data)
        self.framed = self.stopped = False

    def pop_mark(self) -> list[Any]:
        """Return the values above the last mark, and go back to the stack below it."""
        values = self.stack
        self.stack = self.stacks.pop()
        return values

    def line(self, position: int, cap: int) -> tuple[bytes, int]:
        """Return the line at `position`, of at most `cap` bytes, and the offset behind it."""
        end = self.data.find(b"\n", position, position + cap + 1)
        if end >= 0:
            return self.data[position:end], end + 1
        if len(self.data) - position > cap:
            raise ValueError(f"an argument of more than {cap} bytes")
        raise EOFError

    def named(self, module: object, name: object) -> Global:
        """Return the one object for a class or function."""
        if type(module) is not str or type(name) is not str:
            raise ValueError("a module or a name that is not text")
        found = self.globals.get((module, name))
        if found is None:
            _check_name(module)
            _check_name(name)
            found = self.globals[module, name] = Global(module, name)
        return found

    def make(self, function: object, arguments: object) -> object:
        """Describe a call: by a builder, as plain data, or as an Object."""
        if type(arguments) is not tuple:
            raise ValueError("arguments that are not a tuple")
        if type(function) is Global:
            builder = self.builders.get(function._path)  # noqa: SLF001 (str() is slow)
            if builder:
                return _ask(builder, arguments)
            if function._path in PLAIN:  # noqa: SLF001
                return self._make_plain(PLAIN[function._path], arguments)  # noqa: SLF001
        elif type(function) is not Object:
            raise ValueError("a call of something that is no function")
        return Object(function, arguments)

    def _make_plain(self, make: Callable[..., object], arguments: tuple[Any, ...]) -> object:
        """Make plain data; each byte of the pickle pays for one copied element."""
        try:
            self.copied += len(arguments[0]) if arguments else 0
            if self.copied > len(self.data):
                raise OverflowError("a small pickle that unfolds to very many values")
            return make(*arguments)
        except TypeError as error:
            raise ValueError("arguments that plain data is never made from") from error

    def resolve(self, pid: object) -> object:
        """Return what a persistent id stands for."""
        if self.persistent is None:
            raise ValueError("a persistent id, which this pickle cannot have")
        return _ask(self.persistent, pid)


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME:
        raise ValueError(f"a name of more than {MAX_NAME} characters")
    if not name or " " in name or not name.isprintable():
        raise ValueError(f"the name {ascii(name)}, which no class or function can have")


def _ask(ours: Callable[[object], object], argument: object) -> object:
    """Call a function of paramctl's: a fault that it lets out is its own, not the file's."""
    try:
        return ours(argument)
    except FAULTS as bug:
        raise RuntimeError(f"{ours} broke down") from bug
