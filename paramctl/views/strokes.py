"""What charts are drawn with, in the output's encoding."""

from typing import NamedTuple

from paramctl.views.separators import ASCII_ELLIPSIS, UNICODE_ELLIPSIS
from paramctl.views.sparks import UNICODE_BARS


class Strokes(NamedTuple):
    """The parts of a bar up to all of it, axes, shades of cells, what stands for what is left out.

    `half` has the colour of a character in its upper half, that of its background in the lower.
    """

    parts: str
    axis: str
    corner: str
    line: str
    shades: str
    ellipsis: str
    half: str = ""


UNICODE_STROKES = Strokes(UNICODE_BARS, "│", "└", "─", " ░▒▓█", UNICODE_ELLIPSIS, "▀")
ASCII_STROKES = Strokes(".:#", "|", "+", "-", " .:-=+*#%@", ASCII_ELLIPSIS)
