"""Texts that are too wide for their place on a terminal."""

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from paramctl.views.separators import ASCII_ELLIPSIS, UNICODE_ELLIPSIS


def ellipsis_of(console: Console) -> str:
    """Return what stands for what is left out, in the console's encoding."""
    return ASCII_ELLIPSIS if console.options.ascii_only else UNICODE_ELLIPSIS


def cut(text: str, width: int, ellipsis: str = UNICODE_ELLIPSIS) -> str:
    """Leave out the end of a text that is too wide: a note says the most first."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - len(ellipsis), 0)) + ellipsis[: max(width, 1)]


def clip(text: str, width: int, ellipsis: str = UNICODE_ELLIPSIS) -> str:
    """Leave out the middle of a text that is too wide: both ends of a name tell most."""
    if cell_len(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 2:
        return set_cell_size(text, max(width, 0))
    head = room // 2
    tail = room - head
    end = text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, head) + ellipsis + " " * (tail - cell_len(end)) + end
