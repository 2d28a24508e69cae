"""The names of keys, which in a pickle may be anything, as Python would write them."""

from paramctl.formats.pickles import Global, Object, label

MAX_NESTING = 3  # of tuples in a name: a tuple may be deep, or unfold to very many values
MAX_PARTS = 16  # of each of them
MAX_TEXT = 64  # characters of a text in a tuple


def name_key(key: object, nesting: int = 0) -> str:
    """Return `1`, `True`, `None`, `(1, 'a')`, `b'x'`, `torch.float32`, `mine.Color(1)`.

    What is longer or deeper than the limits is cut with `...`.
    """
    if type(key) is int:  # the most frequent
        return str(key)
    if isinstance(key, bytes) or (nesting and isinstance(key, str)):
        return _quoted(key)
    if type(key) is tuple:
        return f"({_list(key, nesting)}{',' * (len(key) == 1)})"
    if type(key) is list:  # what the pickle machine makes of a frozenset
        return f"frozenset({{{_list(key, nesting)}}})" if key else "frozenset()"
    if isinstance(key, Object) and isinstance(key.function, Global) and type(key.args) is tuple:
        return f"{label(key.function)}({_list(key.args, nesting)})"
    return label(key)


def _list(parts: tuple[object, ...] | list[object], nesting: int) -> str:
    if nesting == MAX_NESTING:
        return "..." if parts else ""
    names = [name_key(part, nesting + 1) for part in parts[:MAX_PARTS]]
    return ", ".join([*names, "..."] if len(parts) > MAX_PARTS else names)


def _quoted(text: str | bytes) -> str:
    return repr(text[:MAX_TEXT]) + "..." * (len(text) > MAX_TEXT)
