"""Rules: which scheme is for which parameters."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError
from paramctl.expressions.evaluation import CONSTANTS
from paramctl.init.language import BoundScheme, parse_scheme
from paramctl.init.roles import Role
from paramctl.init.targets import Layout

KEEP = "keep"
NEW = "default"  # the scheme of what has no values yet and no other rule: PyTorch's own
WEIGHTS = frozenset({Role.WEIGHT, Role.EMBEDDING})
WEIGHTS_OF_LAYERS = WEIGHTS | {Role.NORM_WEIGHT}
STATISTICS = frozenset({Role.RUNNING_MEAN, Role.RUNNING_VAR, Role.BATCHES})


class Rule(NamedTuple):
    """A scheme for the parameters that an address names; without a scheme they keep their values.

    Where the address names a layer, or is "" for the whole model, those below it that have one of
    the `roles` are meant. `text` is how the user knows the rule. The scheme sees a weight in
    `layout`, with `fans` instead of its own, and as so many matrices as `split` says. Where
    `is_optional`, the address may name nothing; `is_wanted` tells whether the user, who wrote the
    rule, is to know if it has no use. Where there are `types`, only what is in, or below, layers of
    these classes is meant.
    """

    text: str
    address: str
    scheme: BoundScheme | None
    roles: frozenset[Role]
    layout: Layout = ""
    fans: tuple[int, int] | None = None
    split: int = 1
    is_optional: bool = False
    is_wanted: bool = True
    types: tuple[str, ...] = ()


def parse_rule(text: str) -> Rule:
    """Read `address=scheme`; of a layer, its weights are meant.

    Raises:
        UsageError: it does not parse.
    """
    address, sign, scheme = text.partition("=")
    if not sign or not address.strip() or not scheme.strip():
        raise UsageError(f"'{text}' is no rule", hint="write address=scheme: '*.bias=zeros'")
    bound = parse_or_keep(scheme)
    return Rule(text, address.strip(), bound, WEIGHTS_OF_LAYERS, is_optional=True)


def parse_or_keep(scheme: str, numbers: Mapping[str, float] = CONSTANTS) -> BoundScheme | None:
    """Read a scheme, or `keep`, which is None; `numbers` have names in it.

    Raises:
        UsageError: it does not parse.
    """
    return None if scheme.strip() == KEEP else parse_scheme(scheme, numbers)


def rules_of_scheme(
    scheme: str, addresses: Sequence[str], *, bias: str = "", norm: str = ""
) -> list[Rule]:
    """Return the rules of one scheme for a model's or some layers' weights.

    Biases become zeros, the weights of norms ones, or what `bias` and `norm` say; statistics of
    batch norms what they begin with. The scheme `default` knows of all of them by itself.
    """
    own = scheme.strip() == NEW
    bias, norm = bias or (NEW if own else "zeros"), norm or (NEW if own else "ones")
    rules = [
        ("--scheme", scheme, WEIGHTS),
        ("--bias", bias, frozenset({Role.BIAS})),
        ("--norm", norm, frozenset({Role.NORM_WEIGHT})),
        ("statistics", NEW, STATISTICS),
    ]
    if own:
        rules.append(("--scheme", scheme, frozenset({Role.UNKNOWN})))
    return [
        Rule(f"{option} {text}", address, parse_or_keep(text), roles, is_wanted=roles is WEIGHTS)
        for option, text, roles in rules
        for address in addresses or [""]  # a parameter's own comes before `--bias` of its layer
    ]


def rules_of_rest(checkpoint: Checkpoint) -> list[Rule]:
    """Return the rules for what has no values yet, where no other rule is for it."""
    rules = rules_of_scheme(NEW, []) if checkpoint.is_planned else []
    return [rule._replace(is_wanted=False) for rule in rules]
