"""Words of a shell's line that is still being typed: unquoted here, so that no shell evaluates it.

Bash, zsh and fish agree on what is needed: backslashes, quotes, `~` and `$NAME`. What only running
something would tell (`$(...)`, redirections, ...) makes a line that is not understood.
"""

import os
import re
from typing import NamedTuple

_PART = re.compile(
    r"""(?P<space>[ \t\n]+)
    | \\(?P<escaped>.?)
    | '(?P<single>[^']*)(?P<single_end>'?)
    | "(?P<double>(?:[^"\\]|\\.|\\$)*)(?P<double_end>"?)
    | \$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})
    | (?P<unknown>[$`<>|&;()])
    | (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)
_WITHIN_DOUBLE = re.compile(
    r"""\\(?P<escaped>["$`\\])|\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})
    | (?P<unknown>[$`])""",
    re.VERBOSE,
)
_HOME = re.compile(r"""~[^/\\'"$]*(?:/|$)""")
_SPECIAL = re.compile(r"([^\w.,:/@%+=-])")


class NotUnderstoodError(Exception):
    """A line whose words only the shell could tell."""


class Line(NamedTuple):
    """The words of a line, unquoted; the last is being typed, and `quote` is open in it."""

    words: list[str]
    quote: str


def split_line(line: str) -> Line:
    """Split what stands before the cursor into words.

    Raises:
        NotUnderstoodError: there is more in it than words.
    """
    words, typed, quote = [""], [""], ""
    for part in _PART.finditer(line.lstrip(" \t\n")):
        if part["space"] is not None:
            words.append("")
            typed.append("")
            continue
        words[-1] += _unquote(part)
        typed[-1] += part[0]
        quote = _open_quote(part)
    return Line(list(map(_expand_home, words, typed)), quote)


def _expand_home(word: str, typed: str) -> str:
    """Put a folder in the place of `~` and `~user`; nothing of them may be quoted."""
    return os.path.expanduser(word) if _HOME.match(typed) else word


def _unquote(part: re.Match[str]) -> str:
    kind, text = next((kind, text) for kind, text in part.groupdict().items() if text is not None)
    if kind == "double":
        return _WITHIN_DOUBLE.sub(_unquote, text)
    if kind in ("name", "braced"):
        return os.environ.get(text, "")
    if kind == "unknown":
        raise NotUnderstoodError
    return text


def _open_quote(part: re.Match[str]) -> str:
    return part[0][0] if part["single_end"] == "" or part["double_end"] == "" else ""


def quote_for_bash(text: str, quote: str) -> str:
    """Return `text` as it is typed behind an open quote, which it closes, or behind none."""
    if quote == "'":
        return text.replace("'", "'\\''") + quote
    if quote == '"':  # a bare ! would be replaced by a line of the history
        return re.sub(r'([\\"$`])', r"\\\1", text).replace("!", '"\\!"') + quote
    return _SPECIAL.sub(r"\\\1", text)
