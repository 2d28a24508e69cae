"""`paramctl graft`: start a model from the values of another."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.init import Choosing
from paramctl.cli.models import check_stdin, open_named
from paramctl.cli.notes import note_overflows
from paramctl.cli.options import Reading
from paramctl.cli.plans import refuse_gaps, report_plan
from paramctl.cli.saving import Saving, choose_destination
from paramctl.cli.seeding import Seed, note_seed, pick_fresh
from paramctl.cli.time_limit import time_limit
from paramctl.edits.renaming import Step
from paramctl.edits.renaming.language import is_rule, parse_rule
from paramctl.edits.renaming.maps import read_map
from paramctl.errors import UsageError, blaming

if TYPE_CHECKING:
    from paramctl.edits.rules import Rule

EXAMPLES = """
$ paramctl graft sample_models/mlp.pt sample_models/shared.yaml --map '2 -> 6' --dry-run
paramctl: not in sample_models/mlp.pt: '2.weight', '2.bias'
sample_models/shared.yaml  ·  spec
           shape   dtype    values
0                               40
├─ weight  [8, 4]  float32      32  copied
└─ bias    [8]     float32       8  copied
2                               72
├─ weight  [8, 8]  float32      64  not there: default: std 0.2041, mean 0 (--scheme default)
└─ bias    [8]     float32       8  not there: default: std 0.2041, mean 0 (--bias default)
4                                0
├─ weight  [8, 8]  float32      64  = 2.weight
└─ bias    [8]     float32       8  = 2.bias
6                                9
├─ weight  [1, 8]  float32       8  copied from 2.weight
└─ bias    [1]     float32       1  copied from 2.bias
to graft: 4 tensors copied, 2 initialized

$ paramctl graft sample_models/mlp.pt sample_models/shared.pt --dry-run -q | cut -f 1,2
0.weight	copied
0.bias	copied
2.weight	kept
2.bias	kept
4.weight	tied
4.bias	tied
6.weight	kept
6.bias	kept
"""


def run(
    environment: Environment,
    reading: Reading,
    choosing: Choosing,
    saving: Saving,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SRC DST",
            help="The model that has values, and the one that is to have them: a file, a spec or a "
            "factory. One of them may be '-' for standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    renames: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="RULE|FILE",
            help="Rename what is in SRC first, as rename does: 's/^module\\.//', 'OLD -> NEW'.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What does not fit, in either model, is an error.")
    ] = False,
) -> None:
    """Copy into DST what fits of SRC, and initialize what has no values then."""
    names = arguments or []
    if len(names) != 2:
        what = f"{len(names) or 'no'} model{'s are' if len(names) != 1 else ' is'} named"
        raise UsageError(f"{what}, it takes two", hint="SRC has the values, DST the shapes")
    steps = [_read_step(text) for text in renames or ()]
    source, target = _open_both(environment, names, reading)
    destination = choose_destination(environment, saving, target)
    rules = _choose_rules(choosing, target)
    from paramctl.edits.fits import find_fits  # noqa: PLC0415 (loads numpy)
    from paramctl.edits.grafting import graft, plan_rest  # noqa: PLC0415 (the same)
    from paramctl.views.grafting import count_all, list_misfits, show_graft  # noqa: PLC0415

    with blaming(source.file), time_limit():
        fits = find_fits(source, target, steps)
    misfits = list(list_misfits(fits, source.file))
    if strict and misfits:
        raise UsageError("; ".join(misfits), hint="without --strict they are told")
    with blaming(target.file):
        plan = plan_rest(target, fits, rules)
        refuse_gaps(target, plan)
        report_plan(environment, plan._replace(kept={}), strict=strict)
        fresh = pick_fresh(seed, (draw.distribution for draw in plan.draws))
        grafted = graft(target, fits, plan, fresh or seed or 0)
        destination.save(grafted, lambda: show_graft(grafted, fits, plan), misfits)
        if not destination.is_plan:
            environment.note(count_all(fits, plan))
            note_overflows(environment, grafted, "the type of DST")
            note_seed(environment, fresh)


def _read_step(text: str) -> Step:
    """Read a rule of renaming, or the file of a map.

    Raises:
        UsageError: it does not parse.
        FileError: there is no such file, or it cannot be read.
    """
    is_file = os.path.lexists(text) or not is_rule(text)
    return read_map(text) if is_file else parse_rule(text)


def _open_both(
    environment: Environment, names: list[str], reading: Reading
) -> tuple[Checkpoint, Checkpoint]:
    """Open the model that has values, and of the one that is to have them what is usual.

    Raises:
        UsageError: both are standard input, or a spec is wrong.
        ParamctlError: one cannot be read.
    """
    check_stdin(names)
    source = open_named(environment, names[0], reading, to_write=True)
    whole = reading._replace(key="", everything=False)
    target = open_named(environment, names[1], whole, to_write=True)
    if target.is_planned:
        from paramctl.models.flow import check_spec  # noqa: PLC0415 (loads torch)

        with blaming(target.file):
            check_spec(target)
    return source, target


def _choose_rules(choosing: Choosing, target: Checkpoint) -> "list[Rule]":
    """Return the rules for what nothing fits; none where all of it has values, and may keep them.

    Raises:
        UsageError: the options contradict each other, or a scheme or a recipe does not parse.
    """
    is_wanted = target.is_planned or choosing != Choosing()
    return choosing.rules(target, [], ()) if is_wanted else []
