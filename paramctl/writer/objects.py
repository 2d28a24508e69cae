"""Pickles of objects, written of what `formats.pickles` reads them into."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from paramctl.formats.pickles import Dict, Global, Object
from paramctl.writer.pickler import Pickler, integer, text

CONSTANTS = {None: b"N", True: b"\x88", False: b"\x89"}


class Pairs(NamedTuple):
    """A dictionary, each of whose pairs is made of an item when its turn has come."""

    items: Sequence[Any]
    make: Callable[[Any], tuple[object, object]]


class Repeated:
    """A value that comes again and again in one pickle; `opcodes` are what makes it there."""

    __slots__ = ("opcodes", "value")

    def __init__(self, value: object) -> None:
        self.value = value
        self.opcodes = b""


def pickle_value(value: object) -> bytes:
    """Return the pickle of a value.

    It is a text, a number of 0 or more, None, a truth value, a list, a tuple, Pairs, a Dict, a
    Global, an Object or a Repeated one of them: an Object with a state is made from its class,
    another a function returns.
    """
    pickler = _Pickler()
    pickler.save(value)
    return bytes(pickler.data + b".")


class _Pickler(Pickler):
    def save(self, value: object) -> None:
        if isinstance(value, bool) or value is None:
            self.data += CONSTANTS[value]
        elif isinstance(value, int):
            self.data += integer(value)
        elif isinstance(value, str):
            self.once(text(value))
        elif isinstance(value, Global):
            self.name(value.module, value.name)
        elif isinstance(value, Pairs):
            make = value.make
            self.data += b"}"
            self.items(value.items, lambda item: self._all(make(item)))
        elif isinstance(value, Dict):
            self.data += b"}"
            self.items(value.pairs, self._all)
        elif isinstance(value, Repeated):
            self._repeat(value)
        elif isinstance(value, Object):
            self._object(value)
        elif isinstance(value, (list, tuple)):
            self.data += b"](" if isinstance(value, list) else b"("
            self._all(value)
            self.data += b"e" if isinstance(value, list) else b"t"

    def _all(self, values: Sequence[object]) -> None:
        for value in values:
            self.save(value)

    def _repeat(self, repeated: Repeated) -> None:
        if not repeated.opcodes:
            start, known = len(self.data), self._count
            self.save(repeated.value)
            if self._count == known:  # else some of it has come for the first time
                repeated.opcodes = bytes(self.data[start:])
        else:
            self.data += repeated.opcodes

    def _object(self, value: Object) -> None:
        self.save(value.function)
        self.save(value.args)
        if value.state is None:
            self.data += b"R"
            return
        self.data += b"\x81"
        self.save(value.state)
        self.data += b"b"
