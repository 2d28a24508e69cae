"""Ties made and cut: which names share one storage from now on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from paramctl.addresses import find_nodes, resolve_all
from paramctl.checkpoint import AnyCheckpoint, Checkpoint, Entry, Storage
from paramctl.doors import Spelling, Words
from paramctl.dtypes import FLOATING
from paramctl.edits.provenance import forget_draws
from paramctl.edits.values import put_in_place, set_apart
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.layer_types import keep_types
from paramctl.layers import prefixes
from paramctl.slices import check_expansion

Part = dict[str, str]  # the parameters of a layer: name below it -> whole name


def tie(checkpoint: AnyCheckpoint, addresses: Sequence[str], keep: str = "") -> AnyCheckpoint:
    """Tie layers or parameters: each takes the values of the first one, or of `keep`.

    Raises:
        AddressError: an address names nothing.
        UsageError: there is but one, or they differ in their parameters, shapes or dtypes.
    """
    names = checkpoint.entries
    nodes = list(
        dict.fromkeys(node for address in addresses for node in find_nodes(names, address))
    )
    if len(nodes) < 2:
        raise UsageError(
            f"a tie takes two layers or parameters, these are {len(nodes)}",
            hint=("name them: ", Spelling("tie 2 4", "tie('2', '4')"), ", or by a pattern"),
        )
    kept = _find_kept(nodes, find_nodes(names, keep) if keep else nodes[:1], keep)
    nodes.sort(key=lambda node: node != kept)
    parts = _parts(checkpoint, nodes)
    for node, part in zip(nodes, parts, strict=True):
        _check_alike(checkpoint, (nodes[0], parts[0]), (node, part))
    return tie_groups(checkpoint, [[part[suffix] for part in parts] for suffix in parts[0]])


def tie_groups(checkpoint: AnyCheckpoint, groups: Iterable[Sequence[str]]) -> AnyCheckpoint:
    """Tie each group's names, and what these are tied to, to the first name of the group."""
    entries = dict(checkpoint.entries)
    ties = Groups(checkpoint.aliases)
    changed = set()
    for group in groups:
        kept = set(ties.members(group[0]))
        for name in ties.join(group):
            entries[name] = put_in_place(checkpoint.entries[group[0]], entries[name])
            if name not in kept:
                changed.add(name)
    return _with_ties(forget_draws(checkpoint, changed), entries, ties.aliases())


def untie(
    checkpoint: AnyCheckpoint, addresses: Collection[str], types: Collection[str] = ()
) -> AnyCheckpoint:
    """Part tied parameters from their groups, each with its own values; without addresses, all.

    Where there are `types`, only those in, or below, layers of these classes.

    Raises:
        AddressError: an address names nothing.
        UsageError: none of those named is tied, or in such a layer.
    """
    copied: dict[Storage, int] = {}
    ties = Groups(checkpoint.aliases)
    is_chosen = addresses or types
    named = resolve_all(checkpoint.entries, addresses) if is_chosen else checkpoint.aliases
    entries = dict(checkpoint.entries)
    for name in keep_types(checkpoint, named, types):
        if len(ties.members(name)) > 1:
            ties.part(name)
            entries[name] = set_apart(entries[name])
            _check_copies(copied, entries[name])
    if ties.aliases() == checkpoint.aliases:
        hint = (Spelling("paramctl ls --ties", "model.aliases"), " lists the ties")
        raise UsageError("nothing to untie", hint=hint)
    return _with_ties(checkpoint, entries, ties.aliases())


def _with_ties(
    checkpoint: AnyCheckpoint, entries: dict[str, Entry], aliases: dict[str, str]
) -> AnyCheckpoint:
    """Return the checkpoint with other ties, and without the overlaps that they end."""
    overlaps = {name: other for name, other in checkpoint.overlaps.items() if name not in aliases}
    return replace(checkpoint, entries=entries, aliases=aliases, overlaps=overlaps)


def _find_kept(nodes: Sequence[str], found: Sequence[str], keep: str) -> str:
    if len(found) != 1 or found[0] not in nodes:
        raise UsageError(f"'{keep}' is none of what is tied", hint=f"tied: {', '.join(nodes)}")
    return found[0]


def _parts(checkpoint: Checkpoint, nodes: Sequence[str]) -> list[Part]:
    """Return the parameters of each layer, or a parameter itself under the name ""."""
    parts: dict[str, Part] = {node: {} for node in nodes}
    for name in checkpoint:
        for layer in prefixes(name):
            if layer in parts:
                parts[layer][name[len(layer) + 1 :]] = name
    return [{"": node} if node in checkpoint.entries else parts[node] for node in nodes]


def _check_alike(checkpoint: Checkpoint, one: tuple[str, Part], other: tuple[str, Part]) -> None:
    """Check that two layers hold the same parameters, of the same shapes and dtypes."""
    (node, part), (other_node, other_part) = one, other
    for suffix in (*part, *other_part):
        if suffix not in part or suffix not in other_part:
            has, lacks = (node, other_node) if suffix in part else (other_node, node)
            raise UsageError(
                f"'{has}' and '{lacks}' cannot be tied: only '{has}' has {_noun(suffix)}",
                hint="name layers of the same parameters, or parameters",
            )
        entry, other_entry = (checkpoint.entries[side[suffix]] for side in (part, other_part))
        if (entry.shape, entry.dtype) != (other_entry.shape, other_entry.dtype):
            raise UsageError(
                f"{_describe(entry)} and {_describe(other_entry)} cannot be tied",
                hint=_way_to_agree(entry, other_entry),
            )


def _way_to_agree(entry: Entry, other: Entry) -> Words:
    """Say what makes two parameters alike: a cast, where they differ in nothing else."""
    from paramctl.quantized import dequantized  # noqa: PLC0415 (only for the error)

    held = {dequantized(each).dtype.name for each in (entry, other)}
    if entry.shape != other.shape or not held <= FLOATING:
        return "shapes and dtypes must agree"
    cast = Spelling("paramctl convert --dtype float32", "cast('float32')")
    return (cast, " gives them one type")


def _noun(suffix: str) -> str:
    return f"a '{suffix}'" if suffix else "values of its own"


def _describe(entry: Entry) -> str:
    return f"'{entry.name}' {entry.dtype.name} {list(entry.shape)}"


def _check_copies(copied: dict[Storage, int], entry: Entry) -> None:
    """Check that the copies of one storage do not come to far more bytes than there are."""
    if entry.storage:
        place = entry.storage._replace(key="")
        copied[place] = copied.get(place, 0) + entry.nbytes
        check_expansion(entry, copied[place], entry.storage.nbytes)
