"""Models without values, and what an initialization makes of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from paramctl import arrays
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import BY_NAME
from paramctl.edits.draws import Plan
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import Rule, parse_rule, rules_of_scheme

NONE: Mapping[str, str] = {}


def parameter(name: str, *shape: int, dtype: str = "float32") -> Entry:
    """Return a parameter whose values are nowhere."""
    return Entry(name, BY_NAME[dtype], shape, None)


def model(
    *entries: Entry, types: Mapping[str, str] = NONE, aliases: Mapping[str, str] = NONE
) -> Checkpoint:
    """Return a checkpoint of parameters."""
    named = {entry.name: entry for entry in entries}
    return Checkpoint("net", "none", named, aliases=dict(aliases), types=dict(types))


def plan_rules(checkpoint: Checkpoint, *texts: str, types: tuple[str, ...] = ()) -> Plan:
    """Plan what rules make of a model, each `address=scheme`, and of what is of these types."""
    return plan(checkpoint, [parse_rule(text)._replace(types=types) for text in texts])


def plan_scheme(checkpoint: Checkpoint, scheme: str, *addresses: str, **others: str) -> Plan:
    """Plan what a scheme makes of a model, or of some layers."""
    return plan(checkpoint, rules_of_scheme(scheme, addresses, **others))


def draw(checkpoint: Checkpoint, *texts: str, seed: int = 0) -> Checkpoint:
    """Return what rules make of a model."""
    return initialize(checkpoint, plan_rules(checkpoint, *texts), seed)


def draw_by(checkpoint: Checkpoint, rule: Rule, seed: int = 0) -> Checkpoint:
    """Return what one rule makes of a model."""
    return initialize(checkpoint, plan(checkpoint, [rule]), seed)


def values_of(entry: Entry) -> Any:
    """Return an entry's values in numpy's type."""
    return arrays.read(entry)


def bytes_of(entry: Entry) -> bytes:
    """Return an entry's bytes."""
    return b"".join(map(bytes, arrays.raw(entry)))


def bytes_at_once(entry: Entry) -> bytes:
    """Return the bytes of all of an entry's storage, asked for in one piece."""
    assert entry.storage is not None
    return entry.storage.source.read(0, entry.nbytes)


def drawn(entry: Entry, scheme: str, seed: int = 0) -> Any:
    """Return the values that a scheme draws for one parameter."""
    return values_of(draw(model(entry), f"{entry.name}={scheme}", seed=seed)[entry.name])


def flat(entry: Entry) -> Any:
    """Return an entry's values in a row, as float64."""
    return values_of(entry).astype(np.float64).ravel()
