"""Sparse tensors as torch prints them.

Source: torch/_tensor_str.py of torch 2.13.
"""

from math import prod

from paramctl.checkpoint import Entry
from paramctl.views.tensors import PREFIX, UNSAID, add_suffixes, format_values

SPARSE = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")


def format_sparse(entry: Entry, parts: tuple[Entry, ...]) -> str:
    """Return what `print(tensor)` shows of a sparse tensor of these named parts."""
    lines = (",\n" + " " * len(PREFIX)).join(map(_format_part, parts))
    nnz = prod(parts[-2].shape[-1:])
    suffixes = [f"size={entry.shape}", f"nnz={nnz}"]
    if entry.dtype.name not in UNSAID:
        suffixes.append(f"dtype=torch.{entry.dtype.name}")
    suffixes.append(f"layout=torch.{entry.layout}")
    if entry.requires_grad:
        suffixes.append("requires_grad=True")
    return add_suffixes(PREFIX + lines, suffixes, on_new_line=entry.layout == "sparse_coo")


def _format_part(part: Entry) -> str:
    prefix = f"{part.name}=tensor("
    size = "" if part.numel else f", size={part.shape}"
    return prefix + format_values(part, len(PREFIX) + len(prefix)) + size + ")"
