"""The lines above and below a listing: what the file is, and what it adds up to."""

from collections.abc import Sequence

from paramctl.checkpoint import Checkpoint
from paramctl.few import list_few
from paramctl.views.escaping import escape
from paramctl.views.rows import Totals
from paramctl.views.separators import UNICODE_SEPARATOR
from paramctl.views.units import count_noun, format_bytes

MAX_OTHERS = 6
ABRIDGED = "abridged: --no-fold shows all, --depth N the layers, an address a part\n"


def header_line(checkpoint: Checkpoint, separator: str = UNICODE_SEPARATOR) -> str:
    """Say which file this is, in which format, what of it is listed and what else is in it."""
    facts = [checkpoint.file, checkpoint.format]
    if checkpoint.holds:
        is_whole = not checkpoint.format.startswith("sharded")  # else it holds files
        root_type = checkpoint.types.get("") if is_whole else ""
        facts.append(f"{checkpoint.holds}: {root_type}" if root_type else checkpoint.holds)
    others = [f"{key}: {what}" for key, what in checkpoint.others.items()]
    if others:
        facts.append(f"also {list_others(others)}")
    return escape(separator.join(facts))


def list_others(others: Sequence[str]) -> str:
    """List what else is in a file, not more of it than fits a line."""
    return list_few(others, MAX_OTHERS, last=", and ")


def total_line(totals: Totals) -> str:
    """Say how many parameters there are, tied ones counted once, and how many bytes."""
    facts = [
        f"{count_noun(totals.parameters, 'parameter')} in {count_noun(totals.tensors, 'tensor')}"
    ]
    if totals.buffers:
        facts.append(
            f"{count_noun(totals.buffer_values, 'value')} in {count_noun(totals.buffers, 'buffer')}"
        )
    if totals.ties:
        facts.append(f"{count_noun(totals.ties, 'tie')} counted once")
    size = format_bytes(totals.stored)
    if totals.stored != totals.logical:
        size += f" stored ({format_bytes(totals.logical)} as shaped)"
    return ", ".join([*facts, size])
