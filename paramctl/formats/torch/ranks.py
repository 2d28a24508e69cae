"""The files of ZeRO-3's ranks, and the parameters that are cut up over them.

Each of n ranks has ceil(numel / n) elements of a parameter; behind the last one is padding. What is
trained lies in the flat groups of a rank's optimizer, one parameter behind the other; what is
frozen lies in the file of its model, by name. Source: deepspeed/utils/zero_to_fp32.py of DeepSpeed
0.19.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple, TypeVar

from paramctl.checkpoint import Entry, ReadOptions, Storage
from paramctl.dtypes import DType
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.beside import read_beside
from paramctl.formats.indexes import MAX_SHARDS
from paramctl.formats.joined import Joined, Striped
from paramctl.formats.registry import find_reader
from paramctl.slices import is_row_major
from paramctl.sources import Source

OPTIMIZER, GROUPS, COUNT = "optimizer_state_dict", "fp32_flat_groups", "partition_count"
FRAGMENTS = "frozen_param_fragments"
PREFIXES = ("", "bf16_")  # of optimizers' files; the second where the model is in bfloat16

_NAME = re.compile(r"zero_pp_rank_\d+_(mp_rank_\d+)_model_states\.pt\Z")

Shapes = dict[str, tuple[int, ...]]
Found = TypeVar("Found")


def join_ranks(
    source: Source, trained: Shapes, frozen: Shapes, options: ReadOptions, foreign: dict[str, None]
) -> dict[str, Entry]:
    """Return the parameters by name; `trained` are all that the groups hold, in their order.

    The classes that a loader would import for the files are added to `foreign`.

    Raises:
        MalformedError: a file beside `source` is not there, or is not as the others say.
        LimitError: there are too many ranks.
    """
    named = _NAME.search(source.name)
    if not named:
        hint = "name the file in the folder that DeepSpeed wrote"
        raise MalformedError("the files that hold its values are not beside it", hint=hint)
    folder = _Folder(source, named[1], options.follow, foreign)
    optimizers = folder.read_optimizers()
    joined = dict(_join_trained(source.name, optimizers, trained))
    if frozen:
        joined |= _join_frozen(source.name, folder.read_fragments(len(optimizers), frozen), frozen)
    return joined


class _Row(NamedTuple):
    """Elements one behind the other: of which type, in which order, how many, and where."""

    dtype: DType
    big_endian: bool
    numel: int
    storage: Storage


class _Optimizer(NamedTuple):
    """What a rank's optimizer has in its file: how many ranks there are, and its flat groups."""

    file: str
    ranks: int
    groups: list[_Row]


class _Folder(NamedTuple):
    """The folder of `source`, whose other files have the names of its model-parallel rank."""

    source: Source
    group: str
    follow: bool
    foreign: dict[str, None]

    def read_optimizers(self) -> list[_Optimizer]:
        """Return the optimizers of all ranks, which are alike.

        Raises:
            MalformedError: they are not, or not as many as they say.
            LimitError: they are too many.
        """
        prefix, first = self._find_first()
        if first.ranks > MAX_SHARDS:
            raise LimitError(f"{first.ranks} ranks, over the limit of {MAX_SHARDS}")
        names = [f"{prefix}{self._optimizer(rank)}" for rank in range(first.ranks + 1)]
        others = list(self._read(names[1:-1], self._read_optimizer))
        for other in others:
            _check_alike(first, other)
        if self.source.beside(names[-1], follow=self.follow) is not None:
            raise MalformedError(f"{names[-1]} is there, and the others are of {first.ranks} ranks")
        return [first, *others]

    def _find_first(self) -> tuple[str, _Optimizer]:
        """Return the optimizer of rank 0, and what its file's name begins with."""
        names = [f"{prefix}{self._optimizer(0)}" for prefix in PREFIXES]
        found = read_beside(self.source, names, self._read_optimizer, follow=self.follow)
        known = {prefix: one for prefix, one in zip(PREFIXES, found, strict=True) if one}
        if len(known) > 1:
            raise MalformedError(f"ambiguous: {' and '.join(names)} are both there")
        if not known:
            raise _missing(names[0])
        return next(iter(known.items()))

    def _optimizer(self, rank: int) -> str:
        return f"zero_pp_rank_{rank}_{self.group}_optim_states.pt"

    def read_fragments(self, count: int, shapes: Shapes) -> list[dict[str, _Row]]:
        """Return what each rank's model has of the frozen parameters.

        Raises:
            MalformedError: it has not as much of one as it should.
        """
        numels = {name: _part(shape, count) for name, shape in shapes.items()}
        files = [f"zero_pp_rank_{rank}_{self.group}_model_states.pt" for rank in range(count)]
        return list(self._read(files, partial(self._read_fragments, numels)))

    def _read(self, names: Sequence[str], read: Callable[[Source], Found]) -> Iterator[Found]:
        found = read_beside(self.source, names, read, follow=self.follow)
        for name, one in zip(names, found, strict=True):
            if one is None:
                raise _missing(name)
            yield one

    def _read_optimizer(self, file: Source) -> _Optimizer:
        states = self._read_states(file).get(OPTIMIZER)
        states = states if isinstance(states, dict) else {}
        groups, count = states.get(GROUPS), states.get(COUNT)
        if type(groups) is not list or type(count) is not int or count < 1:
            raise MalformedError(
                f"no file of an optimizer of ZeRO-3: it has no {GROUPS}, or no {COUNT}"
            )
        return _Optimizer(file.name, count, [_read_row(group) for group in groups])

    def _read_fragments(self, numels: dict[str, int], file: Source) -> dict[str, _Row]:
        fragments = self._read_states(file).get(FRAGMENTS)
        fragments = fragments if isinstance(fragments, dict) else {}
        rows = {name: _read_row(fragments.get(name)) for name in numels}
        for name, row in rows.items():
            if row.numel != numels[name]:
                raise MalformedError(
                    f"it has {row.numel} elements of '{name}', whose parts have {numels[name]}"
                )
        return rows

    def _read_states(self, file: Source) -> dict[str, Any]:
        """Return what a rank's file holds, its tensors as entries."""
        reader = find_reader(file)
        if not reader.__module__.startswith("paramctl.formats.torch."):
            raise MalformedError("no file of torch's")
        states = reader(file, ReadOptions(everything=True, nested=True))
        self.foreign.update(dict.fromkeys(states.foreign))
        return states.metadata


def _missing(name: str) -> MalformedError:
    return MalformedError(f"{name} is missing", hint="put it beside the model's")


def _part(shape: tuple[int, ...], count: int) -> int:
    """Return how many elements of a parameter a rank has."""
    return -(-prod(shape) // count)


def _read_row(value: object) -> _Row:
    if not isinstance(value, Entry) or value.storage is None or value.layout != "strided":
        raise MalformedError("a part of the parameters is no tensor")
    if len(value.shape) != 1 or value.dtype.bits % 8 or not is_row_major(value):
        raise MalformedError(f"a part of the parameters, {value.summary}, is no row")
    source, offset, *_, big_endian = value.storage
    start = offset + value.dtype.byte_of(value.offset)
    return _Row(value.dtype, big_endian, value.numel, Storage(source, start, value.nbytes))


def _check_alike(first: _Optimizer, other: _Optimizer) -> None:
    if other.ranks != first.ranks:
        what = f"it is of {other.ranks} ranks, and that of rank 0 of {first.ranks}"
        raise MalformedError(what, file=other.file)
    if [row[:3] for row in other.groups] != [row[:3] for row in first.groups]:
        what = "its groups have other types or sizes than those of rank 0"
        raise MalformedError(what, file=other.file)


def _join_trained(
    file: str, optimizers: Sequence[_Optimizer], shapes: Shapes
) -> Iterator[tuple[str, Entry]]:
    first, count = optimizers[0], len(optimizers)
    numel = sum(row.numel for row in first.groups)
    needed = sum(_part(shape, count) for shape in shapes.values())
    if numel != needed:
        what = f"its groups have {numel} elements, the parts of the parameters {needed}"
        raise MalformedError(what, file=first.file)
    if not shapes:
        return
    dtype, big_endian = _type_of(first.groups, first.file)
    rows = Joined(file, [row.storage for rank in optimizers for row in rank.groups])
    start, step = 0, dtype.nbytes(numel)
    for name, shape in shapes.items():
        part = dtype.nbytes(_part(shape, count))
        values = Striped(rows, start, part, step, dtype.nbytes(prod(shape)))
        yield name, Entry(name, dtype, shape, Storage.whole(values, big_endian=big_endian))
        start += part


def _join_frozen(
    file: str, ranks: Sequence[dict[str, _Row]], shapes: Shapes
) -> Iterator[tuple[str, Entry]]:
    for name, shape in shapes.items():
        rows = [rank[name] for rank in ranks]
        dtype, big_endian = _type_of(rows, file)
        values = Joined(file, [row.storage for row in rows])
        yield name, Entry(name, dtype, shape, Storage.whole(values, big_endian=big_endian))


def _type_of(rows: Sequence[_Row], file: str) -> tuple[DType, bool]:
    """Return the one type and order of the elements of all rows."""
    types = {row[:2] for row in rows}
    if len(types) != 1:
        raise MalformedError("its parameters are in parts of different types", file=file)
    return types.pop()
