"""Tensors as torch prints them, character for character.

Importing torch takes 1.6 s, so its printing is done again here on numpy, with its default options.
Source: torch/_tensor_str.py of torch 2.13.
"""

from itertools import product
from math import prod

import numpy as np

from paramctl.arrays import read
from paramctl.checkpoint import Entry
from paramctl.errors import LimitError
from paramctl.slices import select
from paramctl.widening import Array

PRECISION, THRESHOLD, EDGE, LINE_WIDTH = 4, 1000, 3, 80
MAX_SHOWN = 1 << 20  # numbers: a few seconds' work
UNSAID = ("float32", "complex64", "int64", "bool")  # the types that torch leaves out
LEAST_E8M0 = 2.0**-127
PREFIX = "tensor("


def format_tensor(entry: Entry) -> str:
    """Return what `print(tensor)` shows; of a large tensor, only the corners shown are read."""
    suffixes = []
    unsaid = UNSAID if entry.numel else ("float32",)
    if not entry.numel and len(entry.shape) != 1:
        suffixes.append(f"size={entry.shape}")
    if entry.dtype.name not in unsaid:
        library = "torch." if entry.dtype.block == 1 else ""  # which has no types of blocks
        suffixes.append(f"dtype={library}{entry.dtype.name}")
    if entry.requires_grad:
        suffixes.append("requires_grad=True")
    return add_suffixes(PREFIX + format_values(entry, len(PREFIX)), suffixes)


def add_suffixes(text: str, suffixes: list[str], *, on_new_line: bool = False) -> str:
    """Say what else there is to say, and close the bracket."""
    width = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if on_new_line or width + len(suffix) + 2 > LINE_WIDTH:
            text += ",\n" + " " * len(PREFIX) + suffix
            width = len(PREFIX) + len(suffix)
            on_new_line = False
        else:
            text += ", " + suffix
            width += len(suffix) + 2
    return text + ")"


def format_values(entry: Entry, indent: int, line_width: int | None = None) -> str:
    """Return the numbers in their brackets, as they stand behind `indent` characters.

    With a `line_width` no line is wider, where torch takes all zeros for narrower than they are.
    """
    if not entry.numel:
        return "[]"
    summarize = entry.numel > THRESHOLD
    values = _read_corners(entry) if summarize else read(entry)
    cut = [summarize and size > 2 * EDGE for size in entry.shape]
    texts, width = _format_all(values, entry.dtype.name)
    cells = np.empty(values.size, dtype=object)
    cells[:] = texts
    if line_width is not None:
        width = max(map(len, texts))
    return _nest(cells.reshape(values.shape), cut, width + 2, indent, line_width or LINE_WIDTH)


def _format_all(values: Array, dtype: str) -> tuple[list[str], int]:
    """Return what stands for every number, and the width that torch reckons with."""
    numbers = values.ravel().tolist()
    if not np.iscomplexobj(values):
        formatter = _Formatter(values, dtype)
        return [formatter.format(number) for number in numbers], formatter.width
    real, imaginary = _Formatter(values.real, dtype), _Formatter(values.imag, dtype)
    texts = [_join_complex(real.format(z.real), imaginary.format(z.imag)) for z in numbers]
    return texts, real.width + imaginary.width + 1


def _read_corners(entry: Entry) -> Array:
    """Read the first and the last three along every dimension that has more than six."""
    choices = [
        [slice(EDGE), slice(size - EDGE, size)] if size > 2 * EDGE else [slice(None)]
        for size in entry.shape
    ]
    shape = [min(size, 2 * EDGE) for size in entry.shape]
    if prod(shape) > MAX_SHOWN:
        raise LimitError(
            f"'{entry.name}' of shape {list(entry.shape)} prints as {prod(shape)} numbers, "
            f"over {MAX_SHOWN}",
            hint="name a slice of it",
        )
    values = None
    for corner in product(*choices):
        block = read(select(entry, corner))
        if values is None:
            values = np.empty(shape, block.dtype)
        place = tuple(slice(-EDGE, None) if step.start else slice(step.stop) for step in corner)
        values[place] = block
    assert values is not None  # noqa: S101 (there is one corner at least)
    return values


class _Formatter:
    """Chooses one way to write all the numbers of a tensor, and the width of the widest."""

    def __init__(self, values: Array, dtype: str) -> None:
        self.is_float = values.dtype.kind == "f"
        self.scientific = False
        self.whole = True
        self.width = 1
        if not self.is_float:
            self.width = max(len(str(value)) for value in values.ravel().tolist())
        elif (decisive := _decisive(values, dtype)).size:
            self._choose(decisive)

    def _choose(self, decisive: Array) -> None:
        sizes = np.abs(decisive)
        low, high = float(sizes.min()), float(sizes.max())
        self.whole = bool((decisive == np.ceil(decisive)).all())
        self.scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
        self.width = max(len(self._number(value)) for value in decisive.tolist())

    def _number(self, value: float) -> str:
        if self.scientific:
            return f"{value:.{PRECISION}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if np.isfinite(value) else "")
        return f"{value:.{PRECISION}f}"

    def format(self, value: float) -> str:
        text = self._number(value) if self.is_float else str(value)
        return text.rjust(self.width)


def _decisive(values: Array, dtype: str) -> Array:
    """Return the numbers that the way of writing depends on: the finite ones but 0.

    Of float8_e8m0fnu, which has no 0, torch takes the least number for one, and NaN for finite.
    """
    if dtype == "float8_e8m0fnu":
        return np.asarray(values[values != LEAST_E8M0])
    return np.asarray(values[np.isfinite(values) & (values != 0)])


def _join_complex(real: str, imaginary: str) -> str:
    imaginary = f"{imaginary}j".lstrip()
    return real + imaginary if imaginary.startswith("-") else f"{real}+{imaginary}"


def _nest(cells: Array, cut: list[bool], width: int, indent: int, line_width: int) -> str:
    """Lay the cells out in brackets; `cut` says which dimensions lack their middle."""
    if not cells.ndim:
        return str(cells.item())
    if cells.ndim == 1:
        texts = list(cells)
        if cut[0]:
            texts[EDGE:EDGE] = [" ..."]
        per_line = max(1, (line_width - indent) // width)
        lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [_nest(part, cut[1:], width, indent + 1, line_width) for part in cells]
    if cut[0]:
        parts[EDGE:EDGE] = ["..."]
    return "[" + ("," + "\n" * (cells.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
