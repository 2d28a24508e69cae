"""Assignments to parameters: `0.weight += 1`, `*.bias = 0`, `0.weight[0, 0] = 42`."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from paramctl.addresses import Match, keep_matches, resolve
from paramctl.checkpoint import PLANNED, AnyCheckpoint, Checkpoint, Entry, Storage
from paramctl.conversion import holds_number
from paramctl.doors import verb
from paramctl.dtypes import DType
from paramctl.edits.assigned import Assigned
from paramctl.edits.formulas import Formula
from paramctl.edits.provenance import forget_draws
from paramctl.edits.regions import Region
from paramctl.edits.values import with_values
from paramctl.errors import AddressError, ExpressionError, UsageError
from paramctl.expressions.parser import parse
from paramctl.expressions.quoting import quoting
from paramctl.expressions.tree import Name, Node, Operation, String
from paramctl.groups import Groups
from paramctl.narrowing import can_hold
from paramctl.quantized import way_to_numbers
from paramctl.slices import Index, select
from paramctl.sources import BytesSource
from paramctl.widening import value_type

_SIGN = r"[-+/]?=|(?<=[^.*])\*="  # of `h.*=0` the star is a pattern's
_STATEMENT = re.compile(rf"\s*(?P<address>.*?)\s*(?P<sign>{_SIGN})(?P<value>.*)", re.DOTALL)
_NUMBER = re.compile(r"[-+.\de]+")
OLD = Name("old values")
MAX_DEPTH = 8  # statements that are computed upon one another; then the values are kept
MAX_COMPUTED = 1 << 28  # bytes of values that are kept


OpenArray = Callable[[str], Entry]


class Statement(NamedTuple):
    """`address sign value`; `column` is where the value begins in the text, from 0.

    Where there are `types`, only what is in, or below, layers of these classes is meant.
    """

    text: str
    address: str
    sign: str
    column: int
    types: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """What stands behind the sign."""
        return self.text[self.column :].strip()


def parse_statement(text: str) -> Statement:
    """Part a statement at its sign.

    Raises:
        UsageError: there is no sign, or nothing on one of its sides.
    """
    match = _STATEMENT.fullmatch(text)
    if not match or not match["address"] or not match["value"].strip():
        raise UsageError(f"'{text}' is no assignment", hint="quote it whole: '0.weight += 1'")
    return Statement(text, match["address"], match["sign"], match.start("value"))


def assign(checkpoint: AnyCheckpoint, statement: Statement, open_array: OpenArray) -> AnyCheckpoint:
    """Carry out a statement, lazily; what is tied to a parameter changes with it, once.

    `open_array` opens the file of `@file.npy`.

    Raises:
        UsageError: it does not parse, or names, shapes or types do not fit.
    """
    groups = Groups(checkpoint.aliases)
    matches = {groups.stored(match.name): match for match in find_matches(checkpoint, statement)}
    operands = _Operands(checkpoint, open_array)
    with quoting(statement.text):
        tree = _parse_value(statement, checkpoint)
        changes = {
            stored: _assigned(checkpoint.entries[match.name], match.slices, tree, operands)
            for stored, match in matches.items()
        }
    names = {name for stored in changes for name in groups.members(stored)}
    return forget_draws(with_values(checkpoint, changes), names)


def find_matches(checkpoint: Checkpoint, statement: Statement) -> list[Match]:
    """Return what a statement changes.

    Raises:
        AddressError: its address names nothing.
        UsageError: nothing of it is in a layer of its types.
    """
    return keep_matches(checkpoint, resolve(checkpoint.entries, statement.address), statement.types)


def _parse_value(statement: Statement, checkpoint: Checkpoint) -> Node:
    """Return the tree of the new values; the old ones come first in that of `+=`."""
    text = statement.value
    is_name = text.startswith("@") or _is_address(text, checkpoint)
    value = String(text) if is_name else parse(statement.text, statement.column)
    if statement.sign == "=":
        return value
    return Operation(OLD, ((statement.sign[0], value),))


def _is_address(text: str, checkpoint: Checkpoint) -> bool:
    """Whether a text is as a whole the name of a parameter or a slice of one, and no number."""
    if text in checkpoint.entries:
        return not _NUMBER.fullmatch(text)
    base, _, index = text.partition("[")
    return base in checkpoint.entries and index.find("]") == len(index) - 1


class _Operands(NamedTuple):
    """Where the names in an expression are looked up."""

    checkpoint: Checkpoint
    open_array: OpenArray

    def find(self, node: Node, text: str) -> Entry:
        if text.startswith("@"):
            return self.open_array(text[1:])
        try:
            matches = resolve(self.checkpoint.entries, text)
        except AddressError as error:
            raise ExpressionError(error.what, node.column, hint=error.hint) from error
        if len(matches) != 1:
            what = f"'{text}' names {len(matches)} parameters, not one"
            raise ExpressionError(what, node.column)
        entry = self.checkpoint.entries[matches[0].name]
        _check_computable(entry)
        return select(entry, matches[0].slices)


def _assigned(entry: Entry, slices: Index, tree: Node, operands: _Operands) -> Storage:
    _check_computable(entry)
    region, old = Region.of(entry, slices), select(entry, slices)
    formula = Formula.of(
        tree, region, lambda node, text: old if node is OLD else operands.find(node, text)
    )
    _check_type(entry, formula.result())
    source = Assigned(entry, region, formula.values, formula.operands.values())
    if source.depth < MAX_DEPTH:
        return Storage.whole(source)
    if source.size > MAX_COMPUTED:
        what = f"'{entry.name}' is changed by more than {MAX_DEPTH} statements on one another"
        raise UsageError(what, hint="write the model in between")
    return Storage.whole(BytesSource(source.read(0, source.size), entry.name))


def _check_computable(entry: Entry) -> None:
    if entry.layout in (PLANNED, "meta"):
        what = f"'{entry.name}' has no values yet, so there is nothing to change"
        raise UsageError(what, hint=(verb("init"), " gives it some"))
    if entry.layout != "strided" or not can_hold(entry.dtype):
        what = entry.dtype.name if entry.layout == "strided" else entry.layout
        what = f"'{entry.name}' is {what}: its values cannot be computed"
        raise UsageError(what, hint=way_to_numbers(entry.dtype))


def _check_type(entry: Entry, result: Any) -> None:
    """Check that a parameter's type can hold what an expression gives, as torch would."""
    if isinstance(result, int | float):
        fits = _holds_number(entry.dtype, result)
    else:
        fits = np.can_cast(result.dtype, value_type(entry.dtype), "same_kind")
    if not fits:
        what = result if isinstance(result, int | float) else f"{result.dtype} values"
        raise UsageError(f"'{entry.name}' of {entry.dtype.name} cannot hold {what}")


def _holds_number(dtype: DType, number: float) -> bool:
    """Whether a type holds a number: one of whole numbers exactly, another within its range."""
    target = value_type(dtype)
    if target.kind in "fc":
        return holds_number(dtype, number)
    if not math.isfinite(number):
        return False
    if target.kind == "b":
        return number in (0, 1)
    limits = np.iinfo(target)
    return number == int(number) and limits.min <= number <= limits.max
