"""Texts that are too wide for their place on a terminal."""

from rich.cells import cell_len, set_cell_size


def cut(text: str, width: int) -> str:
    """Leave out the end of a text that is too wide: a note says the most first."""
    return text if cell_len(text) <= width else set_cell_size(text, max(width - 1, 0)) + "…"


def clip(text: str, width: int) -> str:
    """Leave out the middle of a text that is too wide: both ends of a name tell most."""
    if cell_len(text) <= width:
        return text
    if width <= 3:
        return set_cell_size(text, max(width, 0))
    head = (width - 1) // 2
    tail = width - 1 - head
    end = text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(text, head) + "…" + " " * (tail - cell_len(end)) + end
