"""What changes from opcode to opcode of a pickle, and what a call in it comes to."""

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from paramctl.formats.pickles.values import PLAIN, Global, Object

MAX_MEMO = 1 << 24  # places: a 100,000-tensor state dict uses 800,000
MAX_NAME = 1024  # bytes of a module's or a class's name: real ones have less than 200
ANY_LENGTH = 1 << 62

FAULTS = (EOFError, LookupError, OverflowError, ValueError, struct.error)

Builder = Callable[[object], object]


class Machine:
    """The stack, the stacks below its marks, the memo and the names of one pickle.

    Its methods and the opcodes raise what Python would: `pickles` makes a file's errors of it.
    Opcodes may reach to `limit`, the end of the frame if `framed`, else of the data; and no further
    than STOP once `stopped`. `copied` counts the values that making plain data copied.

    Raises:
        EOFError, struct.error: the data ends too soon.
        IndexError: the stack is too short.
        KeyError: nothing is stored in this place of the memo.
        OverflowError: a limit is reached.
        ValueError: anything else.
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
        self, data: bytes, builders: Mapping[str, Builder], persistent: Builder | None
    ) -> None:
        self.data = data
        self.builders = builders
        self.persistent = persistent
        self.stack: list[Any] = []
        self.stacks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.copied = 0
        self.limit = len(data)
        self.framed = False
        self.stopped = False

    def read_line(self, position: int, cap: int = ANY_LENGTH) -> tuple[bytes, int]:
        """Return the line at `position`, of at most `cap` bytes, and the offset behind it."""
        end = self.data.find(b"\n", position, position + cap + 1)
        if end >= 0:
            return self.data[position:end], end + 1
        if len(self.data) - position > cap:
            raise ValueError(f"an argument of more than {cap} bytes")
        raise EOFError

    def depth(self) -> int:
        """Return the number of values and marks on all stacks."""
        return len(self.stack) + sum(map(len, self.stacks)) + len(self.stacks)

    def pop_mark(self) -> list[Any]:
        """Return the values above the last mark, and go back to the stack below it."""
        values = self.stack
        self.stack = self.stacks.pop()
        return values

    def store(self, place: int) -> None:
        """Store the top of the stack in the memo."""
        if not 0 <= place < MAX_MEMO:
            raise OverflowError(f"place {place} of the memo, which has at most {MAX_MEMO}")
        self.memo[place] = self.stack[-1]

    def find(self, module: object, name: object) -> Global:
        """Return the one object for a class or function."""
        if type(module) is not str or type(name) is not str:
            raise ValueError("a module or a name that is no text")
        found = self.globals.get((module, name))
        if found is None:
            _check_name(module)
            _check_name(name)
            found = self.globals[module, name] = Global(module, name)
        return found

    def call(self, function: object, arguments: object) -> object:
        """Describe a call: by a builder, as plain data, or as an Object."""
        if type(arguments) is not tuple:
            raise ValueError("arguments that are no tuple")
        if type(function) is Global:
            if function.path in self.builders:
                return ask(self.builders[function.path], arguments)
            if function.path in PLAIN:
                return self._make_plain(function, arguments)
        elif type(function) is not Object:
            raise ValueError("a call of what is no function")
        return Object(function, arguments)

    def _make_plain(self, function: Global, arguments: tuple[Any, ...]) -> object:
        """Make plain data, no more of it than a value for each byte of the pickle.

        Picklers write an argument for one call; calls repeated on it would copy it each time.
        """
        try:
            self.copied += len(arguments[0]) if arguments else 0
            if self.copied > len(self.data):
                raise OverflowError("a small pickle that unfolds to very many values")
            return PLAIN[function.path](*arguments)
        except (TypeError, ValueError):
            return Object(function, arguments)

    def resolve(self, pid: object) -> object:
        """Return what a persistent id stands for."""
        if self.persistent is None:
            raise ValueError("a persistent id where there can be none")
        return ask(self.persistent, pid)


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME:
        raise ValueError(f"a name of {len(name)} characters, more than {MAX_NAME}")
    if not name or " " in name or not name.isprintable():
        raise ValueError(f"the name '{name}', which no class or function has")


def ask(ours: Builder, argument: object) -> object:
    """Call a function of paramctl's: a fault that it lets out is its own, not the file's."""
    try:
        return ours(argument)
    except FAULTS as bug:
        raise RuntimeError(f"{ours} broke down") from bug


Step = Callable[[Machine, int], int]


class Opcode(NamedTuple):
    """An opcode's name, what it does, and whether its argument is one byte.

    The step is given the machine and the offset behind the opcode, and returns the offset behind
    the opcode's argument.
    """

    name: str
    step: Step
    has_byte: bool = False
