"""What an initialization will draw, and what it leaves as it is."""

from collections.abc import Mapping
from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.edits.rules import Rule
from paramctl.init.distributions import Distribution

KEPT_BY_RULE, NO_RULE = "a rule keeps it", "no rule is for it"


class Draw(NamedTuple):
    """A parameter that is initialized: by the rule that matched, all names of its group at once.

    `entry` is under the name that the rule matched.
    """

    entry: Entry
    names: tuple[str, ...]
    rule: Rule
    distribution: Distribution


class Unused(NamedTuple):
    """A rule without a use: its address names nothing, as `why` says, or rules before took all."""

    rule: Rule
    why: str = ""

    def __str__(self) -> str:
        return f"{self.rule.text} ({self.why})" if self.why else self.rule.text


class Plan(NamedTuple):
    """What is initialized, in the model's order; what is kept, and why; the rules without a use.

    `guessed` are those initialized whose values would be others, did not outputs but inputs come
    first, which nobody knows.
    """

    draws: tuple[Draw, ...]
    kept: Mapping[str, str]
    unused: tuple[Unused, ...]
    guessed: tuple[str, ...] = ()

    @property
    def untouched(self) -> Mapping[str, str]:
        """What is kept though no rule says so, and why."""
        return {name: why for name, why in self.kept.items() if why != KEPT_BY_RULE}

    @property
    def unruled(self) -> str:
        """The first that is kept because no rule is for it, "" where there is none."""
        return next((name for name, why in self.kept.items() if why == NO_RULE), "")
