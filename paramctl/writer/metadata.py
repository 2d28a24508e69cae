"""What a written file says beside its tensors: the user's metadata, the format, types and ties."""

import json
from collections.abc import Mapping
from typing import Any

from paramctl.checkpoint import COUNTED, Checkpoint
from paramctl.doors import Spelling, option
from paramctl.errors import UsageError
from paramctl.few import list_few
from paramctl.layer_types import KEY, tell_types
from paramctl.lists import read_lazy
from paramctl.ties import NO_ALIAS, is_tie

FORMAT = {"format": "pt"}  # what Hugging Face's loaders demand of a file
MAX_LOST = 3  # keys of what is not kept that a note names


def of_file(checkpoint: Checkpoint, aliases: Mapping[str, str]) -> dict[str, str]:
    """Return the `__metadata__` of a single file: strings, those that are none as JSON text.

    Raises:
        UsageError: an alias has the name of something else in the metadata, or a text is broken.
    """
    texts = {key: _as_text(value) for key, value in _of_model(checkpoint).items()}
    return _add_ties(FORMAT | texts, aliases)


def of_shard(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the `__metadata__` of one of several files."""
    return {"format": _as_text(checkpoint.metadata.get("format", FORMAT["format"]))}


def of_index(checkpoint: Checkpoint, aliases: Mapping[str, str], total_size: int) -> dict[str, Any]:
    """Return the metadata of the index of several files.

    Raises:
        UsageError: an alias has the name of something else in the metadata, or a key of it is one
            of the index's own.
    """
    told = {key: read_lazy(value) for key, value in _of_model(checkpoint).items()}
    if clash := [key for key in COUNTED if key in told]:
        raise UsageError(
            f"the metadata's '{clash[0]}' would be taken for what an index counts in its files",
            hint=(_deletion(clash[0]), ", or write one file"),
        )
    return _add_ties({"total_size": total_size} | told, aliases)


def _deletion(key: str) -> Spelling:
    return Spelling(f"paramctl meta --delete {key}", f"with_metadata({{}}, deleted=[{key!r}])")


def note_namesakes(checkpoint: Checkpoint, written: Mapping[str, Any]) -> tuple[str, ...]:
    """Note what a reader will take for a tie though it is none, of the metadata as written."""
    return tuple(
        f"the metadata's '{key}' is the name of a tensor, '{value}': it will be read as a tie"
        for key, value in written.items()
        if isinstance(value, str) and value in checkpoint
        if key not in checkpoint and key not in NO_ALIAS
    )


def note_lost(checkpoint: Checkpoint, what: str) -> tuple[str, ...]:
    """Note what a format without metadata does not keep; `what` is written in it."""
    lost = sorted(key for key, value in _of_model(checkpoint).items() if FORMAT.get(key) != value)
    if not lost:
        return ()
    return (f"{what} has no metadata, not kept: {list_few(lost, MAX_LOST, last=', and ')}",)


def _of_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the metadata without ties, and the types as they are now.

    What an index counted in its files goes too.
    """
    of_user = {
        key: value
        for key, value in checkpoint.metadata.items()
        if key not in (*checkpoint.counted, KEY) and not is_tie(checkpoint, key, value)
    }
    return of_user | tell_types(checkpoint)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(read_lazy(value), ensure_ascii=False)


def _add_ties(metadata: dict[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    for alias, stored in sorted(aliases.items()):
        if alias in NO_ALIAS or metadata.setdefault(alias, stored) != stored:
            raise UsageError(
                f"the tied name '{alias}' has another meaning in the metadata",
                hint=("rename it, or write ties out with ", option("ties", "copy")),
            )
    return metadata
