"""What is said of the plan of an initialization, before a value is drawn."""

from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import TYPE_CHECKING

from paramctl.checkpoint import PLANNED, Checkpoint
from paramctl.cli.environment import Environment
from paramctl.errors import UsageError
from paramctl.few import list_few
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun

if TYPE_CHECKING:
    from paramctl.edits.draws import Plan

MAX_NAMED = 5  # parameters that a note names
MAX_ALIKE = 2  # that are kept for one reason, beside the first


def refuse_gaps(checkpoint: Checkpoint, plan: "Plan") -> None:
    """Refuse to leave parameters as they are that have no values yet.

    Raises:
        UsageError: there are such; says the rule that is wanted.
    """
    lacking = [name for name in plan.kept if checkpoint[name].layout == PLANNED]
    if not lacking:
        return
    first, *others = lacking
    named = ", ".join(f"'{name}'" for name in others[:MAX_NAMED])
    more = ", ..." if len(others) > MAX_NAMED else ""
    also = f", and one for {named}{more}" if others else ""
    raise UsageError(
        f"{_reason(first, plan.kept[first])}, and it has no values yet",
        hint=f"give it some: {_rule_for(first)}{also}",
    )


def report_plan(environment: Environment, plan: "Plan", *, strict: bool) -> None:
    """Say which rules found nothing and which parameters are left as they are.

    Raises:
        UsageError: there are such, and it is `strict`.
    """
    unused = [str(unused) for unused in plan.unused if unused.rule.is_wanted]
    kept = list(_list_kept(plan))
    wanted = f"; set one with {_rule_for(plan.unruled)}" if plan.unruled else ""
    unused_rules = count_noun(len(unused), "unused rule")
    kept_parameters = count_noun(len(plan.untouched), "kept parameter")
    for what, items, hint in ((unused_rules, unused, ""), (kept_parameters, kept, wanted)):
        if not items:
            continue
        text = f"{what}: {_list(items)}{hint}"
        if strict:
            raise UsageError(text)
        environment.note(escape(text))
    if plan.guessed:
        what = "numbered variables of Keras layers that the file does not name: taken for torch's"
        environment.note(escape(f"{what}, outputs first: {_list(plan.guessed)}"))


def _list(items: Sequence[str]) -> str:
    """Return the first few items in a line, and how many more there are."""
    return list_few(items, MAX_NAMED, separator="; ", last="; and ")


def why_nothing(plan: "Plan") -> str:
    """Return why there is nothing to initialize: a rule that names nothing, or a kept parameter."""
    for unused in plan.unused:
        if unused.why and unused.rule.is_wanted:
            return f"unused rule: {unused}"
    return next(starmap(_reason, plan.kept.items()), "the model is empty")


def _rule_for(name: str) -> str:
    """Return the option that a shell takes for a rule of a parameter."""
    import shlex  # noqa: PLC0415 (where something is kept)

    return shlex.join(["--rule", f"{name}=SCHEME"])


def _list_kept(plan: "Plan") -> Iterator[str]:
    """Yield each reason to keep parameters, with a few of them."""
    alike: dict[str, list[str]] = {}
    for name, why in plan.untouched.items():
        alike.setdefault(why, []).append(name)
    for why, (first, *others) in alike.items():
        named = ", ".join(f"'{name}'" for name in others[:MAX_ALIKE])
        more = f" and {len(others) - MAX_ALIKE:,} more" if len(others) > MAX_ALIKE else ""
        yield _reason(first, why) + (f", likewise {named}{more}" if others else "")


def _reason(name: str, why: str) -> str:
    return f"'{name}': {why}"
