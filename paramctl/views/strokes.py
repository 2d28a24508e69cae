"""What charts are drawn with, in the output's encoding."""

from typing import NamedTuple

from paramctl.views.sparks import UNICODE_BARS


class Strokes(NamedTuple):
    """The parts of a bar up to all of it, axes, shades of cells.

    `half` has the colour of a character in its upper half, that of its background in the lower.
    """

    parts: str
    axis: str
    corner: str
    line: str
    shades: str
    half: str = ""


UNICODE_STROKES = Strokes(UNICODE_BARS, "│", "└", "─", " ░▒▓█", "▀")
ASCII_STROKES = Strokes(".:#", "|", "+", "-", " .:-=+*#%@")
