"""Lines for people that are wider than their terminal."""

import re

INDENT = "  "
_QUOTED = r"(?<!\w)'[^']*'"
_COMMAND = rf"paramctl (?:{_QUOTED}|[^;'])*"
_WHOLE = re.compile(rf"{_QUOTED}|{_COMMAND}|(?<!\S)--[a-z-]+ [^\s;]+|  [·-](?=  )")


def fold(line: str, width: int) -> str:
    """Break a line at blanks where it is too wide, in no word.

    Commands and what is quoted stay whole, so that they can be copied from a terminal.
    """
    if len(line) <= width:
        return line
    from textwrap import wrap  # noqa: PLC0415 (rarely needed)

    kept = _WHOLE.sub(lambda part: part[0].replace(" ", "\0"), line)
    lines = wrap(
        kept, width, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(re.sub("\0\0[·-]$", "", each).replace("\0", " ") for each in lines)
