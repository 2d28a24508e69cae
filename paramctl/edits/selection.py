"""Some of a model's parameters: without those that are named, or these alone."""

from collections.abc import Collection
from dataclasses import replace

from paramctl.addresses import find_nodes, resolve_all
from paramctl.checkpoint import AnyCheckpoint
from paramctl.doors import Spelling
from paramctl.edits.naming import with_names
from paramctl.errors import UsageError
from paramctl.layer_types import keep_types


def drop(
    checkpoint: AnyCheckpoint, addresses: Collection[str], types: Collection[str] = ()
) -> AnyCheckpoint:
    """Leave parameters out; with `types`, only those in, or below, layers of these classes.

    Of a tie whose stored name goes, the next name is stored.

    Raises:
        AddressError: an address names nothing.
        UsageError: nothing is named, or nothing would be left.
    """
    dropped = set(_named(checkpoint, addresses, types))
    if len(dropped) == len(checkpoint):
        raise UsageError("nothing would be left of the model", hint="name fewer layers")
    return with_names(checkpoint, {name: name for name in checkpoint if name not in dropped})


def extract(
    checkpoint: AnyCheckpoint, addresses: Collection[str], types: Collection[str] = ()
) -> AnyCheckpoint:
    """Keep what is named alone; a single layer becomes the model, and its name is left out of all.

    What is tied to something that is not kept has values of its own. With `types`, only what is
    in, or below, layers of these classes.

    Raises:
        AddressError: an address names nothing.
        UsageError: nothing is named.
    """
    kept = _named(checkpoint, addresses, types)
    layer = _single_layer(checkpoint, addresses)
    if not layer:
        return with_names(checkpoint, {name: name for name in kept})
    part = with_names(checkpoint, {name: name.removeprefix(f"{layer}.") for name in kept})
    return replace(part, holds=f"layer {layer}")


def _named(
    checkpoint: AnyCheckpoint, addresses: Collection[str], types: Collection[str]
) -> list[str]:
    if not addresses and not types:
        hint = ("name layers or parameters", Spelling(", or --type CLASS", ""))
        raise UsageError("nothing is named", hint=hint)
    return keep_types(checkpoint, resolve_all(checkpoint.entries, addresses), types)


def _single_layer(checkpoint: AnyCheckpoint, addresses: Collection[str]) -> str:
    """Return the name of the layer that is named, "" where that is not all."""
    nodes = {node for address in addresses for node in find_nodes(checkpoint.entries, address)}
    return nodes.pop() if len(nodes) == 1 and not nodes & checkpoint.entries.keys() else ""
