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
    words, quote = [""], ""
    home = False  # the word begins with a bare ~
    for part in _PART.finditer(line.lstrip(" \t\n")):
        if part["space"] is not None:
            words[-1] = os.path.expanduser(words[-1]) if home else words[-1]
            words.append("")
        home = part[0] == "~" if not words[-1] else home
        words[-1] += _unquote(part)
        quote = _open_quote(part)
    words[-1] = os.path.expanduser(words[-1]) if home else words[-1]
    return Line(words, quote)


def _unquote(part: re.Match[str]) -> str:
    kind, text = next((kind, text) for kind, text in part.groupdict().items() if text is not None)
    if kind == "space":
        return ""
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
