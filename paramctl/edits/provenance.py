"""What a checkpoint says of how its parameters were initialized: scheme, rule and seed of each."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from paramctl.checkpoint import AnyCheckpoint
from paramctl.edits.draws import Draw

KEY = "paramctl.init"


def note_draws(checkpoint: AnyCheckpoint, draws: Iterable[Draw], seed: int) -> AnyCheckpoint:
    """Add what was drawn to the metadata, in the place of what was said of these parameters.

    The value of `paramctl.init` is a JSON list of `{"scheme", "rule", "seed", "parameters"}`, in
    an order that does not depend on the file's: of one seed, the bytes are the same.
    """
    drawn: dict[tuple[str, str], list[str]] = {}
    for draw in draws:
        drawn.setdefault((str(draw.rule.scheme), draw.rule.text), []).extend(draw.names)
    return note_values(checkpoint, drawn, seed)


def note_values(
    checkpoint: AnyCheckpoint, drawn: Mapping[tuple[str, str], Iterable[str]], seed: int
) -> AnyCheckpoint:
    """Add where values come from: `drawn` are the parameters of each scheme and rule."""
    records = [
        {"scheme": scheme, "rule": rule, "seed": seed, "parameters": sorted(names)}
        for (scheme, rule), names in sorted(drawn.items())
    ]
    fresh = {name for names in drawn.values() for name in names}
    return _with_records(checkpoint, [*_without(checkpoint.metadata, fresh), *records])


def forget_draws(checkpoint: AnyCheckpoint, names: set[str]) -> AnyCheckpoint:
    """Take parameters that have got other values out of what the metadata says was drawn."""
    if KEY not in checkpoint.metadata:
        return checkpoint
    return _with_records(checkpoint, _without(checkpoint.metadata, names))


def rename_draws(checkpoint: AnyCheckpoint, names: Mapping[str, str]) -> AnyCheckpoint:
    """Keep what the metadata says was drawn of parameters in `names`, under their new names."""
    if KEY not in checkpoint.metadata:
        return checkpoint
    return _with_records(checkpoint, _rename(checkpoint.metadata, names.get))


def _with_records(checkpoint: AnyCheckpoint, records: list[dict[str, Any]]) -> AnyCheckpoint:
    """Return the checkpoint with these records; without the key where there are none."""
    metadata = checkpoint.metadata | {KEY: json.dumps(records, ensure_ascii=False)}
    if not records:
        del metadata[KEY]
    return replace(checkpoint, metadata=metadata)


def read_draws(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records that the metadata holds; none where they are not ours, or broken by hand.

    Each has the texts `scheme` and `rule`, the integer `seed`, and `parameters`, a list of names.
    """
    try:
        records = json.loads(metadata.get(KEY, "[]"))
    except (ValueError, TypeError, RecursionError):
        return []
    is_ours = isinstance(records, list) and all(map(_is_record, records))
    return records if is_ours else []


def _is_record(record: Any) -> bool:
    kinds = {"scheme": str, "rule": str, "seed": int, "parameters": list}
    return (
        isinstance(record, dict)
        and all(isinstance(record.get(key), kind) for key, kind in kinds.items())
        and all(isinstance(name, str) for name in record["parameters"])
    )


def _without(metadata: Mapping[str, Any], names: set[str]) -> list[dict[str, Any]]:
    """Return the records that the metadata holds, less these parameters."""
    return _rename(metadata, lambda name: None if name in names else name)


def _rename(
    metadata: Mapping[str, Any], new_name: Callable[[str], str | None]
) -> list[dict[str, Any]]:
    """Return the records that the metadata holds, without the names that have no new one."""
    left = [
        record | {"parameters": sorted(filter(None, map(new_name, record["parameters"])))}
        for record in read_draws(metadata)
    ]
    return [record for record in left if record["parameters"]]
