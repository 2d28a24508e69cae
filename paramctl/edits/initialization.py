"""Initialization: what becomes of every parameter, planned before a value is drawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from paramctl.addresses import Resolver
from paramctl.checkpoint import PLAIN, AnyCheckpoint, Checkpoint, Entry, Storage
from paramctl.dtypes import FLOATING
from paramctl.edits.draws import KEPT_BY_RULE, NO_RULE, Draw, Plan, Unused
from paramctl.edits.filled import Filled
from paramctl.edits.keras import KERAS, UNTOLD, is_numbered
from paramctl.edits.provenance import note_draws
from paramctl.edits.rules import STATISTICS, Rule
from paramctl.edits.targets import targets_of
from paramctl.edits.values import with_values
from paramctl.errors import NoMatchError, TargetError
from paramctl.groups import Groups
from paramctl.init.distributions import Constant, Distribution
from paramctl.init.roles import Role, may_be_weight, role_of
from paramctl.init.stacked import Stacked
from paramctl.init.streams import Stream
from paramctl.init.targets import Target
from paramctl.layer_types import keep_types
from paramctl.layers import prefixes
from paramctl.quantized import way_to_numbers

NONE: Mapping[str, str] = MappingProxyType({})
_FILLABLE = (*PLAIN, "meta")  # layouts of tensors that values can be given


def plan(checkpoint: Checkpoint, rules: Sequence[Rule], decided: Mapping[str, str] = NONE) -> Plan:
    """Find the first rule that matches each parameter, and what its scheme makes of it.

    What is `decided` on, by its stored name, is kept, whatever the rules say: for the reason there.

    Raises:
        AddressError: a rule's address does not parse, or it names nothing and must not.
        UsageError: a scheme cannot fill a parameter that was named for it, or there is no layer of
            a rule's types.
    """
    return _Planner(checkpoint, decided).plan(rules)


def initialize(
    checkpoint: AnyCheckpoint,
    plan: Plan,
    seed: int,
    device: str = "cpu",
    announce: Callable[[Draw], None] | None = None,
) -> AnyCheckpoint:
    """Give the parameters of a plan their values, lazily, and note in the metadata which.

    `announce` is called with each draw when the first of its values is computed, in any thread.
    """
    changes = {}
    for draw in plan.draws:
        stream = Stream(seed, min(draw.names), device=device)
        tell = partial(announce, draw) if announce else None
        entry = draw.entry._replace(layout="strided")
        source = Filled(entry, draw.distribution, stream, tell)
        changes[draw.names[0]] = Storage.whole(source)
    return note_draws(with_values(checkpoint, changes), plan.draws, seed)


class _Planner:
    """The parameters of a checkpoint as the targets of rules."""

    def __init__(self, checkpoint: Checkpoint, decided: Mapping[str, str]) -> None:
        self.checkpoint = checkpoint
        self.groups = Groups(checkpoint.aliases)
        self.targets = targets_of(checkpoint)
        self.roles: dict[str, Role] = {}
        self.in_order = sorted(checkpoint)
        self.of_types: dict[tuple[str, ...], list[str]] = {}
        self.resolver = Resolver(checkpoint.entries)
        self.decided: dict[str, Draw | str] = dict(decided)

    def plan(self, rules: Sequence[Rule]) -> Plan:
        unused = [unused for rule in rules if (unused := self._apply(rule))]
        stored = [name for name in self.checkpoint if name not in self.checkpoint.aliases]
        decided = {name: self.decided.get(name) or self._why_kept(name) for name in stored}
        draws = tuple(draw for draw in decided.values() if isinstance(draw, Draw))
        kept = {name: why for name, why in decided.items() if isinstance(why, str)}
        guessed = (draw.entry.name for draw in draws if self._is_guess(draw))
        return Plan(draws, kept, tuple(unused), tuple(guessed))

    def _is_guess(self, draw: Draw) -> bool:
        """Whether another layout would give other values, and neither file nor rule tells which.

        That is so of Keras's variables that have but numbers.
        """
        target, rule = self.targets[draw.entry.name], draw.rule
        if self.checkpoint.format not in KERAS or not is_numbered(draw.entry):
            return False
        if rule.scheme is None or rule.layout or rule.fans:
            return False
        if target.variable not in ("", UNTOLD):
            return False
        try:
            return rule.scheme.distribution(target._replace(variable="kernel")) != draw.distribution
        except TargetError:
            return True

    def _apply(self, rule: Rule) -> Unused | None:
        """Decide on what a rule matches and no rule before did; return it where that is nothing."""
        try:
            nodes = set(self.resolver.nodes(rule.address)) if rule.address else set()
        except NoMatchError as error:
            if rule.is_optional:
                return Unused(rule, str(error))
            raise
        decided = len(self.decided)
        for name, is_named in self._matches(rule, nodes):
            stored = self.groups.stored(name)
            if stored not in self.decided:
                self.decided[stored] = self._decide(rule, name, is_named=is_named)
        return None if len(self.decided) > decided else Unused(rule)

    def _matches(self, rule: Rule, nodes: set[str]) -> Iterator[tuple[str, bool]]:
        """Yield the parameters that a rule is for, and whether its address names each by itself.

        `nodes` are the parameters and layers that its address leads to. The names are sorted: of
        tied ones the rule sees the same one, whichever is stored.
        """
        if rule.types not in self.of_types:
            self.of_types[rule.types] = keep_types(self.checkpoint, self.in_order, rule.types)
        for name in self.of_types[rule.types]:
            is_named = name in nodes
            is_below = not rule.address or not nodes.isdisjoint(prefixes(name))
            if is_named or (is_below and self._role(name) in rule.roles):
                yield name, is_named

    def _decide(self, rule: Rule, name: str, *, is_named: bool) -> Draw | str:
        """Return what becomes of a parameter, or why it is kept."""
        entry = self.checkpoint[name]
        if rule.scheme is None:
            return KEPT_BY_RULE
        try:
            distribution = _distribution(entry, self._target(rule, name), rule)
        except TargetError as error:
            if is_named:
                raise
            return f"it {error.reason}"
        return Draw(entry, tuple(self.groups.members(name)), rule, distribution)

    def _target(self, rule: Rule, name: str) -> Target:
        """Return what the rule's scheme sees of a parameter: of a split one, a part."""
        target = self.targets[name]._replace(layout=rule.layout, fans=rule.fans)
        if rule.split == 1:
            return target
        axis = _split_axis(target)
        size, rest = divmod(target.shape[axis], rule.split) if target.shape else (0, 1)
        if rest:
            raise target.error(f"cannot be split into {rule.split} along dimension {axis}")
        return target._replace(shape=(*target.shape[:axis], size, *target.shape[axis + 1 :]))

    def _role(self, name: str) -> Role:
        """Return what a parameter is for; what has two dimensions and no other role is a weight."""
        role = self.roles.get(name)
        if role is None:
            target, entry = self.targets[name], self.checkpoint[name]
            role = role_of(target)
            if entry.kind == "buffer" and role not in STATISTICS:
                role = Role.UNKNOWN
            elif role is Role.UNKNOWN and may_be_weight(target):
                role = Role.WEIGHT
            self.roles[name] = role
        return role

    def _why_kept(self, stored: str) -> str:
        """Return why there is no decision on a parameter."""
        dtype = self.checkpoint[stored].dtype.name
        return NO_RULE if dtype in FLOATING else f"it is of {dtype}"


def _distribution(entry: Entry, target: Target, rule: Rule) -> Distribution:
    """Return what the rule's scheme makes of a parameter.

    Raises:
        TargetError: it cannot fill it.
    """
    assert rule.scheme is not None  # noqa: S101 (what its caller says, for the type checker)
    if entry.layout not in _FILLABLE:
        raise target.error(f"is {entry.layout}, which cannot be initialized")
    distribution = rule.scheme.distribution(target)
    if entry.dtype.name not in FLOATING and not _is_count(entry, distribution):
        what = f"is of {entry.dtype.name}, which cannot be initialized"
        raise target.error(what, hint=way_to_numbers(entry.dtype))
    if rule.split > 1 and not distribution.is_blockwise:
        return Stacked(distribution, target.shape, rule.split, _split_axis(target))
    return distribution


def _is_count(entry: Entry, distribution: Distribution) -> bool:
    """Whether whole numbers are to become one that they hold: batch norms count their batches."""
    return entry.dtype.name == "int64" and distribution == Constant(0.0)


def _split_axis(target: Target) -> int:
    """Return the dimension of a weight's outputs, along which fused matrices lie side by side."""
    return 1 if target.is_transposed and len(target.shape) > 1 else 0
