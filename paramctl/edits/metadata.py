"""What a file says beside its tensors, changed: texts by their keys."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from paramctl.checkpoint import AnyCheckpoint, Checkpoint
from paramctl.doors import Spelling, verb
from paramctl.errors import AddressError, UsageError, find_closest
from paramctl.layer_types import KEY as TYPES
from paramctl.ties import NO_ALIAS

OWN = "paramctl."  # keys that begin so are written by paramctl alone


def with_metadata(
    checkpoint: AnyCheckpoint, texts: Mapping[str, str], deleted: Collection[str] = ()
) -> AnyCheckpoint:
    """Set texts by their keys, and delete keys.

    Raises:
        AddressError: a key that is to be deleted is not there; says the closest.
        UsageError: a key is paramctl's own or an index's, or would be read as a tie, or is set and
            deleted.
    """
    for key in (*texts, *deleted):
        if key in checkpoint.counted:
            what = f"'{key}' is what the index counts in its own files, neither set nor deleted"
            raise UsageError(what, hint="it is counted anew when a folder is written")
    for key, text in texts.items():
        _check_set(checkpoint, key, text)
    for key in deleted:
        _check_deleted(checkpoint, key, texts)
    metadata = {key: value for key, value in checkpoint.metadata.items() if key not in deleted}
    types = {} if TYPES in deleted else checkpoint.types
    return replace(checkpoint, metadata=metadata | dict(texts), types=types)


def _check_set(checkpoint: Checkpoint, key: str, text: str) -> None:
    if not key:
        raise UsageError("an empty key", hint="give it a name")
    if key.startswith(OWN):
        raise UsageError(f"'{key}' is paramctl's own", hint="it can be deleted, not set")
    if key in checkpoint:
        what = f"'{key}' is a parameter: a key of its name is read as a tie"
        raise UsageError(what, hint=(verb("tie"), " makes ties"))
    if text in checkpoint and key not in NO_ALIAS:
        what = f"'{key}={text}' would be read as a tie: '{text}' is a parameter"
        raise UsageError(what, hint="word it otherwise")


def _check_deleted(checkpoint: Checkpoint, key: str, texts: Mapping[str, str]) -> None:
    if key in texts:
        raise UsageError(f"'{key}' is both set and deleted")
    if key in NO_ALIAS:
        hint = (Spelling(f"{key}=TEXT", f"{{{key!r}: text}}"), " sets another")
        raise UsageError(f"every file has a '{key}'", hint=hint)
    if key in checkpoint:
        what = f"'{key}' is a parameter, not metadata"
        raise UsageError(what, hint=(verb("untie"), " ends ties"))
    is_told = key == TYPES and checkpoint.types  # when the model is written
    if key not in checkpoint.metadata and not is_told:
        close = find_closest(key, checkpoint.metadata)
        shown = (Spelling("paramctl meta", "model.metadata"), " shows what is there")
        told = f"closest: {', '.join(close)}" if close else shown
        raise AddressError(f"no metadata '{key}'", hint=told)
