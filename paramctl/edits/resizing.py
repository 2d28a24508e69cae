"""Parameters that grow or shrink: what is in both shapes keeps its place."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Final, Literal, NamedTuple

from paramctl.addresses import resolve_all
from paramctl.checkpoint import ARRAYS, PLANNED, AnyCheckpoint, Checkpoint, Entry, Storage
from paramctl.doors import option, verb
from paramctl.dtypes import FLOATING
from paramctl.edits.averaged import Averaged
from paramctl.edits.filled import Filled
from paramctl.edits.provenance import forget_draws, note_values
from paramctl.edits.resized import Resized
from paramctl.edits.targets import targets_of
from paramctl.edits.values import with_entries
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.init.distributions import Constant, Distribution
from paramctl.init.language import BoundScheme, parse_scheme
from paramctl.init.streams import Stream
from paramctl.init.targets import Shape, Target
from paramctl.models import spec
from paramctl.narrowing import can_hold
from paramctl.slices import broadcast, check_expansion, select

MEAN: Final = "mean"
MAX_BYTES = 1 << 62  # of a parameter: a file's size is a number of 63 bits


New = BoundScheme | Literal["mean", ""]
"""What new elements are: a scheme's, means of the old ones, or nothing that anyone has said."""


class Resizing(NamedTuple):
    """A parameter, all names of its group, and the shape that it is to have.

    `scheme` is what new elements are called, "" where there are none; they are `distribution`'s,
    or where that is None the means along dimension `axis`.
    """

    entry: Entry
    names: tuple[str, ...]
    shape: Shape
    scheme: str = ""
    distribution: Distribution | None = None
    axis: int = 0

    @property
    def kept(self) -> Shape:
        """The shape of what stays."""
        return tuple(map(min, self.entry.shape, self.shape))

    @property
    def lost(self) -> int:
        """How many values do not stay."""
        return self.entry.numel - prod(self.kept)

    @property
    def grown(self) -> list[int]:
        """The dimensions that grow."""
        return [axis for axis, size in enumerate(self.shape) if size > self.entry.shape[axis]]

    @property
    def rule(self) -> str:
        """How it is told what was done."""
        return f"resize from {list(self.entry.shape)}"


def parse_new(text: str) -> New:
    """Read a scheme, `mean`, or nothing.

    Raises:
        UsageError: it does not parse.
    """
    if text.strip() == MEAN:
        return MEAN
    return parse_scheme(text) if text else ""


def plan(
    checkpoint: Checkpoint, addresses: Sequence[str], shape: Shape, scheme: New = ""
) -> list[Resizing]:
    """Plan what parameters become that are to have a shape; what is tied to them has it too.

    Raises:
        AddressError: an address names nothing.
        UsageError: the shape does not fit, a scheme does not or is wanted, or all have the shape.
    """
    if not addresses:
        raise UsageError("no parameter is named", hint="such as wte.weight")
    if min(shape, default=0) < 0:
        raise UsageError(f"{list(shape)} is no shape")
    groups = Groups(checkpoint.aliases)
    named: dict[str, str] = {}
    for name in resolve_all(checkpoint.entries, addresses):
        named.setdefault(groups.stored(name), name)
    for name in named.values():
        _check(checkpoint, checkpoint.entries[name], shape)
    found = [
        Resizing(checkpoint.entries[name], tuple(groups.members(name)), shape)
        for name in named.values()
        if checkpoint.entries[name].shape != shape
    ]
    if not found:
        raise UsageError(f"nothing to resize: all that is named is {list(shape)} already")
    return list(_with_schemes(checkpoint, found, scheme))


def resize(checkpoint: AnyCheckpoint, plan: Sequence[Resizing], seed: int) -> AnyCheckpoint:
    """Give parameters their new shapes, lazily.

    The model is not what its spec describes any more, so that does not stay.
    """
    changed: dict[str, Entry] = {}
    drawn: dict[tuple[str, str], list[str]] = {}
    for each in plan:
        new = _emptied(each.entry, each.shape)
        source = Resized(new, each.entry, _filling(each, seed))
        changed[each.entry.name] = new._replace(storage=Storage.whole(source))
        if each.scheme:
            drawn.setdefault((each.scheme, each.rule), []).extend(each.names)
    names = {name for each in plan for name in each.names}
    resized = forget_draws(with_entries(checkpoint, changed), names)
    metadata = {key: value for key, value in resized.metadata.items() if key != spec.KEY}
    resized = replace(resized, metadata=metadata, build=None, outline=None)
    return note_values(resized, drawn, seed) if drawn else resized


def _check(checkpoint: Checkpoint, entry: Entry, shape: Shape) -> None:
    """Check that a parameter can have another shape of these sizes."""
    if entry.layout == PLANNED:
        what = f"'{entry.name}' has no values yet: only its shape and its type are known"
        hint = (f"give it that shape in the {checkpoint.format}, or values with ", verb("init"))
        raise UsageError(what, hint=hint)
    if entry.layout not in ARRAYS or entry.storage is None:
        raise UsageError(f"'{entry.name}' is {entry.layout}: it has no values laid out as an array")
    if entry.dtype.bits % 8:
        raise UsageError(f"'{entry.name}': elements of {entry.dtype.name} cannot be picked")
    if len(shape) != len(entry.shape):
        what = f"'{entry.name}' of shape {list(entry.shape)} cannot become {list(shape)}"
        raise UsageError(what, hint="the number of dimensions stays")
    if prod(shape) * entry.dtype.bits // 8 > MAX_BYTES:
        raise UsageError(f"no file can hold a parameter of shape {list(shape)}")
    check_expansion(entry, entry.nbytes, entry.storage.nbytes)


def _with_schemes(
    checkpoint: Checkpoint, plan: Sequence[Resizing], scheme: New
) -> Iterator[Resizing]:
    """Yield the plan with what fills new elements, seen by a scheme in their new shapes."""
    shapes = {
        name: _emptied(checkpoint.entries[name], each.shape) for each in plan for name in each.names
    }
    targets = targets_of(replace(checkpoint, entries=checkpoint.entries | shapes))
    for each in plan:
        if not each.grown:
            yield each
        elif isinstance(scheme, BoundScheme):
            distribution = _distribution(each.entry, scheme, targets[each.entry.name])
            yield each._replace(scheme=str(scheme), distribution=distribution)
        else:
            _check_mean(each, scheme)
            yield each._replace(scheme=MEAN, axis=each.grown[0])


def _distribution(entry: Entry, scheme: BoundScheme, target: Target) -> Distribution:
    distribution = scheme.distribution(target)
    is_held = can_hold(entry.dtype) and distribution == Constant(0.0)
    if entry.dtype.name not in FLOATING and not is_held:
        what = f"is of {target.dtype}: it can grow by zeros only"
        raise target.error(what, hint=option("scheme", "zeros"))
    return distribution


def _check_mean(resizing: Resizing, scheme: New) -> None:
    """Check that a parameter can grow by means."""
    entry, grown = resizing.entry, resizing.grown
    what = f"'{entry.name}' grows from {list(entry.shape)} to {list(resizing.shape)}"
    if not scheme:
        hint = ("say what is new: ", option("scheme", "mean"), ", or 'normal(std=0.02)'")
        raise UsageError(what, hint=hint)
    if len(grown) > 1:
        what = f"{what}: a mean is along one dimension, here {len(grown)} grow"
        raise UsageError(what, hint="let one grow after the other")
    if not entry.shape[grown[0]]:
        what = f"{what}: nothing is there to take the mean of"
        raise UsageError(what, hint=option("scheme", "zeros"))
    if entry.dtype.name not in FLOATING:
        what = f"{what}: values of {entry.dtype.name} have no mean"
        raise UsageError(what, hint=option("scheme", "zeros"))


def _filling(resizing: Resizing, seed: int) -> Entry | None:
    """Return what new elements are taken from: an entry of the new shape."""
    if not resizing.scheme:
        return None
    if resizing.distribution is None:
        kept = select(resizing.entry, tuple(map(slice, resizing.kept)))
        means = Averaged(kept, resizing.axis)
        entry = means.entry._replace(storage=Storage.whole(means))
        return broadcast(entry, resizing.shape)
    new = _emptied(resizing.entry, resizing.shape)
    source = Filled(new, resizing.distribution, Stream(seed, min(resizing.names)))
    return new._replace(storage=Storage.whole(source))


def _emptied(entry: Entry, shape: Shape) -> Entry:
    return entry._replace(shape=shape, storage=None, offset=0, strides=None, layout="strided")
