"""Texts that are too wide for their place on a terminal."""

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console

from paramctl.views.separators import ASCII_ELLIPSIS, UNICODE_ELLIPSIS

HEAD = 4  # of a name that is clipped, one part in so many is its beginning


def ellipsis_of(console: Console) -> str:
    """Return what stands for what is left out, in the console's encoding."""
    return ASCII_ELLIPSIS if console.options.ascii_only else UNICODE_ELLIPSIS


def cut(text: str, width: int, ellipsis: str = UNICODE_ELLIPSIS) -> str:
    """Leave out the end of a text that is too wide: a note says the most first."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - len(ellipsis), 0)) + ellipsis[: max(width, 1)]


def clip(text: str, width: int, ellipsis: str = UNICODE_ELLIPSIS, head: int = HEAD) -> str:
    """Leave out the middle of a text that is too wide: the end of a name tells most.

    One part in `head` of what is left is the beginning, two cells at least.
    """
    if cell_len(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 2:
        return set_cell_size(text, max(width, 0))
    begin = max(2, room // head)
    tail = room - begin
    end = text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, begin) + ellipsis + " " * (tail - cell_len(end)) + end


def wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text, broken at blanks; in words only that are too wide for a line."""
    lines: list[str] = []
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines else word
        if cell_len(joined) <= width:
            lines[-1:] = [joined]
        elif cell_len(word) <= width:
            lines.append(word)
        else:
            lines[-1:] = chop_cells(joined, max(width, 1))
    return lines
