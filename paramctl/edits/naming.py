"""Which of its parameters a model keeps, and what they are called: all that says so follows."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from paramctl.checkpoint import AnyCheckpoint, Checkpoint, Entry
from paramctl.edits.provenance import rename_draws
from paramctl.models.spec import KEY as SPEC
from paramctl.ties import is_tie, resolve_shared


def with_names(checkpoint: AnyCheckpoint, names: Mapping[str, str]) -> AnyCheckpoint:
    """Keep the parameters that are in `names`, in the model's order, and call them what it says.

    Where the stored name of a tie is not kept, the next of its names is stored. What the modules
    are is not known any more where the names are others, so a spec does not stay: `build`,
    `outline` and the metadata's `paramctl.spec` go. The class of a layer follows it to where all
    that is in it goes.
    """
    kept = {name: names[name] for name in checkpoint.entries if name in names}
    if len(kept) == len(checkpoint) and all(old == new for old, new in kept.items()):
        return checkpoint
    entries = {new: checkpoint.entries[old]._replace(name=new) for old, new in kept.items()}
    changed = replace(
        checkpoint,
        entries=entries,
        aliases=_aliases(checkpoint, kept),
        overlaps=_overlaps(entries) if checkpoint.overlaps else {},
        missing={kept[name]: why for name, why in checkpoint.missing.items() if name in kept},
        types=_types(checkpoint, kept),
        metadata=_metadata(checkpoint),
        build=None,
        outline=None,
    )
    return rename_draws(changed, kept)


def _aliases(checkpoint: Checkpoint, kept: Mapping[str, str]) -> dict[str, str]:
    """Return the ties among what is kept, each stored under the first of its names."""
    firsts: dict[str, str] = {
        name: kept[name] for name in checkpoint.aliases.values() if name in kept
    }
    aliases = {}
    for alias, stored in checkpoint.aliases.items():
        if alias in kept:
            first = firsts.setdefault(stored, kept[alias])
            if first != kept[alias]:
                aliases[kept[alias]] = first
    return aliases


def _overlaps(entries: Mapping[str, Entry]) -> dict[str, str]:
    """Find anew what shares bytes: of three that do, the first one may be gone."""
    found = Checkpoint("", "", dict(entries))
    resolve_shared(found)
    return found.overlaps


def _metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the metadata without the spec, and without the ties: the writer tells those anew."""
    return {
        key: value
        for key, value in checkpoint.metadata.items()
        if key != SPEC and not is_tie(checkpoint, key, value)
    }


def _types(checkpoint: Checkpoint, kept: Mapping[str, str]) -> dict[str, str]:
    """Return the classes of the layers whose parameters all go to one place, as deep in it."""
    if not checkpoint.types:
        return {}
    places: dict[str, set[str | None]] = {}
    for old, new in kept.items():
        for layer, place in _layers(old, new):
            if layer in checkpoint.types:
                places.setdefault(layer, set()).add(place)
    found: dict[str, set[str]] = {}
    for layer, moved in places.items():
        for place in moved if len(moved) == 1 else ():
            if place is not None:
                found.setdefault(place, set()).add(checkpoint.types[layer])
    return {place: classes.pop() for place, classes in found.items() if len(classes) == 1}


def _layers(old: str, new: str) -> Iterator[tuple[str, str | None]]:
    """Yield the layers that a parameter is in, and what of its new name is as far above it."""
    place: str | None = new
    while old:
        old = old.rpartition(".")[0]
        place = place.rpartition(".")[0] if place else None
        yield old, place
