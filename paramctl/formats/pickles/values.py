"""What a pickle's values become when nothing in it may be run: inert names, dictionaries, calls."""

from collections.abc import Callable
from typing import Any

NOTHING: list[Any] = []  # never filled: lists of their own for each empty object take 100 bytes


class Global:
    """A class or function that a pickle names, never the thing itself.

    There is one object for each name in a pickle. `path` is `module.name`.
    """

    __slots__ = ("module", "name", "path")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name
        self.path = f"{module}.{name}"

    def __str__(self) -> str:
        return self.path


class Dict:
    """A dictionary as pairs, since keys are never hashed: of equal keys the last one counts.

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
    """What calling `function` with `args` would have made; it was not called.

    `state` is what BUILD gave, `pairs` what SETITEM and `elements` what APPEND or ADDITEMS put in.
    The `args` of NEWOBJ_EX are the tuple of positional arguments and the Dict of keywords.
    """

    __slots__ = ("args", "elements", "function", "pairs", "state")

    def __init__(self, function: object, args: object) -> None:
        self.function = function
        self.args = args
        self.state: object = None
        self.pairs: list[tuple[object, object]] = NOTHING
        self.elements: list[object] = NOTHING


def label(value: object) -> str:
    """Name a value in a message: a container, which may hold itself, only by its type."""
    if value is None or isinstance(value, (str, int, float, Global)):
        return str(value)
    return f"<{type(value).__name__}>"


def _make_dict(pairs: Any = ()) -> Dict:
    """Read `OrderedDict([[key, value], ...])`, which is how Python 2 pickles it."""
    made = Dict()
    made.pairs = [(key, value) for key, value in pairs]
    return made


def _make_elements(elements: Any = None) -> list[Any]:
    """Read `set([...])`; the list serves as it is."""
    if elements is None:
        return []
    if type(elements) is not list:
        raise TypeError
    return elements


def _make_bytes(content: Any = b"", encoding: Any = "latin1") -> bytes:
    """Read bytes, which protocols 0 to 2 hold as text in Latin 1."""
    if type(content) is str and encoding in ("latin1", "latin-1"):
        return content.encode("latin-1")
    if type(content) is not bytes:
        raise TypeError
    return content


PLAIN: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _make_dict,
    "_codecs.encode": _make_bytes,
    **{
        f"{module}.{name}": make
        for module in ("builtins", "__builtin__")
        for name, make in (
            ("dict", _make_dict),
            ("list", _make_elements),
            ("set", _make_elements),
            ("frozenset", _make_elements),
            ("bytes", _make_bytes),
            ("bytearray", _make_bytes),
        )
    },
}
