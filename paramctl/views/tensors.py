"""Tensors as torch prints them, character for character.

Importing torch takes 1.6 s, so its printing is done again here on numpy, with its default options.
Source: torch/_tensor_str.py of torch 2.13.
"""

from itertools import product

import numpy as np

from paramctl.arrays import Array, read, select
from paramctl.checkpoint import Entry

PRECISION, THRESHOLD, EDGE, LINE_WIDTH = 4, 1000, 3, 80
PREFIX = "tensor("


def format_tensor(entry: Entry) -> str:
    """Return what `print(tensor)` shows; of a large tensor, only the corners shown are read."""
    suffixes = []
    default = ("float32",) if not entry.numel else ("float32", "complex64", "int64", "bool")
    if not entry.numel and len(entry.shape) != 1:
        suffixes.append(f"size={entry.shape}")
    if entry.dtype.name not in default:
        suffixes.append(f"dtype=torch.{entry.dtype.name}")
    if entry.requires_grad:
        suffixes.append("requires_grad=True")
    return _add_suffixes(PREFIX + _format_values(entry), suffixes)


def _add_suffixes(text: str, suffixes: list[str]) -> str:
    width = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if width + len(suffix) + 2 > LINE_WIDTH:
            text += ",\n" + " " * len(PREFIX) + suffix
            width = len(PREFIX) + len(suffix)
        else:
            text += ", " + suffix
            width += len(suffix) + 2
    return text + ")"


def _format_values(entry: Entry) -> str:
    if not entry.numel:
        return "[]"
    summarize = entry.numel > THRESHOLD
    values = _read_corners(entry) if summarize else read(entry)
    cut = [summarize and size > 2 * EDGE for size in entry.shape]
    if np.iscomplexobj(values):
        real, imaginary = _Formatter(values.real), _Formatter(values.imag)
        width = real.width + imaginary.width + 1
        texts = [_join_complex(real.format(v.real), imaginary.format(v.imag)) for v in values.flat]
    else:
        formatter = _Formatter(values)
        width = formatter.width
        texts = [formatter.format(value) for value in values.ravel().tolist()]
    cells = np.empty(values.size, dtype=object)
    cells[:] = texts
    return _nest(cells.reshape(values.shape), cut, width + 2, len(PREFIX))


def _read_corners(entry: Entry) -> Array:
    """Read the first and the last three along every dimension that has more than six."""
    choices = [
        [slice(EDGE), slice(size - EDGE, size)] if size > 2 * EDGE else [slice(None)]
        for size in entry.shape
    ]
    shape = [min(size, 2 * EDGE) for size in entry.shape]
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

    def __init__(self, values: Array) -> None:
        self.is_float = values.dtype.kind == "f"
        self.scientific = False
        self.whole = True
        self.width = 1
        if self.is_float:
            finite = values[np.isfinite(values) & (values != 0)].astype(np.float64)
            if finite.size:
                self._choose(finite)
        else:
            self.width = max(len(str(value)) for value in values.ravel().tolist())

    def _choose(self, finite: Array) -> None:
        sizes = np.abs(finite)
        low, high = sizes.min(), sizes.max()
        self.whole = bool((finite == np.ceil(finite)).all())
        self.scientific = bool(high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4)
        self.width = max(1, *(len(self._number(value)) for value in finite.tolist()))

    def _number(self, value: float) -> str:
        if self.scientific:
            return f"{value:.{PRECISION}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if np.isfinite(value) else "")
        return f"{value:.{PRECISION}f}"

    def format(self, value: float) -> str:
        text = self._number(value) if self.is_float else str(value)
        return text.rjust(self.width)


def _join_complex(real: str, imaginary: str) -> str:
    imaginary = f"{imaginary}j".lstrip()
    return real + imaginary if imaginary[0] in "+-" else f"{real}+{imaginary}"


def _nest(cells: Array, cut: list[bool], width: int, indent: int) -> str:
    """Lay the cells out in brackets; `cut` says which dimensions lack their middle."""
    if not cells.ndim:
        return str(cells.item())
    if cells.ndim == 1:
        texts = list(cells)
        if cut[0]:
            texts[EDGE:EDGE] = [" ..."]
        per_line = max(1, (LINE_WIDTH - indent) // width)
        lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [_nest(part, cut[1:], width, indent + 1) for part in cells]
    if cut[0]:
        parts[EDGE:EDGE] = ["..."]
    return "[" + ("," + "\n" * (cells.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
