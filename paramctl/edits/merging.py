"""Several models made one: the union of their names, in order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paramctl.checkpoint import AnyCheckpoint, Checkpoint
from paramctl.diff.facts import own_metadata
from paramctl.edits import provenance
from paramctl.edits.origins import Origins
from paramctl.edits.tying import tie_groups
from paramctl.groups import Groups
from paramctl.models import spec

OF_SOME_NAMES = (provenance.KEY, spec.KEY)  # metadata that is not a whole model's


def merge(first: AnyCheckpoint, origins: Origins) -> AnyCheckpoint:
    """Return the union as a model of the first one's class; what is tied in its model stays so."""
    models = origins.models
    entries = {name: models[place].entries[name] for name, place in origins.places.items()}
    united = replace(
        first,
        file=", ".join(model.file for model in models),
        format="merged",
        entries=entries,
        aliases={},
        overlaps=_pairs(origins, [model.overlaps for model in models]),
        missing={
            name: why
            for place, model in enumerate(models)
            for name, why in model.missing.items()
            if origins.places[name] == place
        },
        types=_union(origins, [model.types for model in models]),
        metadata={},
        holds="",
        others=_union(origins, [model.others for model in models]),
        foreign=tuple(dict.fromkeys(name for model in models for name in model.foreign)),
        complaints=tuple(complaint for model in models for complaint in model.complaints),
        build=None,
        outline=None,
    )
    tied = tie_groups(united, _groups(origins))
    metadata = _union(origins, list(map(_facts, models))) | _merge_draws(origins)
    whole = next((model for model in models if _is_described_by(tied, model)), None)
    if whole:
        metadata |= {key: value for key, value in whole.metadata.items() if key == spec.KEY}
    return replace(tied, metadata=metadata, build=whole.build if whole else None)


def find_differing_keys(origins: Origins) -> list[str]:
    """Return the keys of the metadata that mean one thing in one model and another in another."""
    said: dict[str, Any] = {}
    facts = [fact for model in origins.models for fact in _facts(model).items()]
    return sorted({key for key, value in facts if said.setdefault(key, value) != value})


def _groups(origins: Origins) -> list[list[str]]:
    """Return the names that are tied in the model that they come from."""
    found = []
    for place, model in enumerate(origins.models):
        groups = Groups(model.aliases)
        for stored in dict.fromkeys(model.aliases.values()):
            group = [name for name in groups.members(stored) if origins.is_of(name, place)]
            if len(group) > 1:
                found.append(group)
    return found


def _pairs(origins: Origins, pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the pairs of names of which both come from the model that has the pair."""
    return {
        name: other
        for place, each in enumerate(pairs)
        for name, other in each.items()
        if origins.places[name] == origins.places[other] == place
    }


def _union(origins: Origins, mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all of the mappings say; the preferred model's where they differ."""
    in_order = mappings if origins.prefer == "last" else mappings[::-1]
    said: dict[str, Any] = {}
    for mapping in in_order:
        said |= mapping
    return {key: said[key] for key in dict.fromkeys(key for each in mappings for key in each)}


def _facts(model: Checkpoint) -> dict[str, Any]:
    return {key: value for key, value in own_metadata(model).items() if key not in OF_SOME_NAMES}


def _merge_draws(origins: Origins) -> dict[str, str]:
    """Return what the metadata of each model says was drawn of the parameters taken from it."""
    records: list[Any] = []
    for place, model in enumerate(origins.models):
        given_up = {name for name in model if origins.places[name] != place}
        taken = provenance.forget_draws(model, given_up)
        records += json.loads(taken.metadata.get(provenance.KEY, "[]"))
    return {provenance.KEY: json.dumps(records, ensure_ascii=False)} if records else {}


def _is_described_by(united: Checkpoint, model: Checkpoint) -> bool:
    """Whether the union has a model's names, shapes and ties: its spec, if any, is right still."""
    return (
        len(united) == len(model)
        and united.aliases == model.aliases
        and all(
            name in model and model.entries[name].shape == entry.shape
            for name, entry in united.entries.items()
        )
    )
