"""`paramctl init`: fill parameters with the values of a scheme."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.cli.devices import Computing
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import Filtering, ModelAndLayers, Reading
from paramctl.cli.plans import refuse_gaps, report_plan, why_nothing
from paramctl.cli.saving import Saving, choose_destination
from paramctl.cli.seeding import Seed, note_seed, pick_fresh
from paramctl.edits import recipes
from paramctl.edits.rules import KEEP, parse_rule, rules_of_rest, rules_of_scheme
from paramctl.errors import NO, UsageError, blaming
from paramctl.formats import open_checkpoint
from paramctl.groups import Groups
from paramctl.init import registry
from paramctl.init.devices import choose_device
from paramctl.layer_types import keep_types
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun

if TYPE_CHECKING:
    from paramctl.edits.draws import Draw, Plan
    from paramctl.edits.rules import Rule

EXAMPLES = """
$ paramctl init sample_models/mlp.pt --scheme xavier --seed 0 --dry-run
sample_models/mlp.pt  ·  torch zip  ·  a state dict
           shape   dtype    values
0                               40
├─ weight  [8, 4]  float32      32  xavier_uniform: std 0.4082, mean 0 (--scheme xavier)
└─ bias    [8]     float32       8  zeros (--bias zeros)
2                                9
├─ weight  [1, 8]  float32       8  xavier_uniform: std 0.4714, mean 0 (--scheme xavier)
└─ bias    [1]     float32       1  zeros (--bias zeros)
to initialize: 49 parameters in 4 tensors, 196 B

$ paramctl init sample_models/mlp.pt -s 'normal(std=0.02)' --seed 0 | paramctl show 2.weight
2.weight  ·  [1, 8] float32  ·  grad: none stored
tensor([[ 0.0022, -0.0155, -0.0147, -0.0132,  0.0010,  0.0053, -0.0106, -0.0275]])

$ paramctl init sample_models/mlp.pt --rule '2=ones' --rule '**=keep' | paramctl show 2.weight
2.weight  ·  [1, 8] float32  ·  grad: none stored
tensor([[1., 1., 1., 1., 1., 1., 1., 1.]])
"""


def schemes_or_keep() -> list[str]:
    """Return the names that complete an option which a scheme may be left out of."""
    return [KEEP, *registry.names()]


class Choosing(NamedTuple):
    """Which scheme for which parameters."""

    scheme: Annotated[
        str,
        typer.Option(
            "--scheme",
            "-s",
            metavar="SCHEME",
            autocompletion=registry.names,
            help="What to fill with: xavier, 'normal(std=0.02)', my_file.py:my_function.",
            show_default=False,
        ),
    ] = ""
    bias: Annotated[
        str,
        typer.Option(
            "--bias",
            metavar="SCHEME|keep",
            autocompletion=schemes_or_keep,
            help="The same for biases.",
            show_default="zeros",
        ),
    ] = ""
    norm: Annotated[
        str,
        typer.Option(
            "--norm",
            metavar="SCHEME|keep",
            autocompletion=schemes_or_keep,
            help="The same for norms' weights.",
            show_default="ones",
        ),
    ] = ""
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="ADDRESS=SCHEME",
            help="A scheme for some layers or parameters; the first rule that matches counts.",
            show_default=False,
        ),
    ] = None
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            autocompletion=recipes.names,
            help="Rules, after those of --rule: gpt2, llama, ..., or those in a YAML file.",
            show_default=False,
        ),
    ] = ""

    def plan(
        self,
        checkpoint: Checkpoint,
        addresses: list[str],
        classes: Collection[str],
        rules: "list[Rule]",
    ) -> "Plan":
        """Plan what becomes of each parameter; what is not named is not said to be kept.

        Raises:
            UsageError: a scheme does not fit, nothing is left to initialize, or there would be no
                values for what has none yet.
        """
        from paramctl.edits.initialization import plan  # noqa: PLC0415 (loads numpy)

        planned = plan(checkpoint, rules)
        names = keep_types(checkpoint, resolve_all(checkpoint.entries, addresses), classes)
        named = set(map(Groups(checkpoint.aliases).stored, names))
        kept = {name: why for name, why in planned.kept.items() if name in named}
        if not planned.draws:
            raise UsageError("nothing to initialize", hint=why_nothing(planned._replace(kept=kept)))
        refuse_gaps(checkpoint, planned)
        return planned._replace(kept=kept)

    def rules(
        self, checkpoint: Checkpoint, addresses: list[str], classes: tuple[str, ...]
    ) -> "list[Rule]":
        """Read the rules that the options are.

        Raises:
            UsageError: they contradict each other, or a scheme or a recipe does not parse.
        """
        if not (self.scheme or self.rule or self.recipe or checkpoint.is_planned):
            raise UsageError("no scheme", hint="--scheme xavier, or a --rule, or a --recipe")
        rules = [parse_rule(text) for text in self.rule or ()]
        if (addresses or self.bias or self.norm) and not self.scheme:
            what = "addresses, --bias and --norm go with --scheme"
            raise UsageError(what, hint="--scheme xavier, or a --rule for each address")
        rules += self._rules_of_recipe(checkpoint)
        if self.scheme:
            rules += rules_of_scheme(self.scheme, addresses, bias=self.bias, norm=self.norm)
        rules = [rule._replace(types=classes) for rule in rules]
        return rules + rules_of_rest(checkpoint)

    def _rules_of_recipe(self, checkpoint: Checkpoint) -> "list[Rule]":
        if not self.recipe:
            return []
        return recipes.load_recipe(self.recipe, checkpoint)


class Drawing(NamedTuple):
    """From which seed to draw, and what to say of it."""

    seed: Seed = None
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Then compare mean and std with the theory; exit 1 if off."),
    ] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name every parameter as it is initialized.")
    ] = False


def run(
    environment: Environment,
    reading: Reading,
    choosing: Choosing,
    filtering: Filtering,
    drawing: Drawing,
    computing: Computing,
    saving: Saving,
    arguments: ModelAndLayers = None,
    *,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Unused rules and parameters without a rule are errors."),
    ] = False,
) -> None:
    """Fill parameters with the values of a scheme."""
    device = choose_device(computing.device)
    checkpoint, addresses = open_model(environment, arguments, reading, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    rules = choosing.rules(checkpoint, addresses, filtering.classes)
    from paramctl.edits.initialization import initialize  # noqa: PLC0415 (loads numpy)
    from paramctl.views.draws import show_plan  # noqa: PLC0415 (the same)

    with blaming(checkpoint.file):
        if checkpoint.is_planned:
            from paramctl.models.flow import check_spec  # noqa: PLC0415 (loads torch)

            check_spec(checkpoint)
        plan = choosing.plan(checkpoint, addresses, filtering.classes, rules)
        report_plan(environment, plan, strict=strict)
        fresh = pick_fresh(drawing.seed, (draw.distribution for draw in plan.draws))
        announce = (lambda draw: announce_draw(environment, draw)) if drawing.verbose else None
        edited = initialize(checkpoint, plan, fresh or drawing.seed or 0, device, announce)
        destination.save(edited, lambda: show_plan(edited, plan))
        if not destination.is_plan:
            note_seed(environment, fresh)
        if drawing.verify:
            written = "" if destination.is_plan else destination.path
            verify_draws(environment, open_checkpoint(written) if written else edited, plan)


def announce_draw(environment: Environment, draw: "Draw") -> None:
    """Say that a parameter is being initialized."""
    shape = list(draw.entry.shape)
    environment.say(f"init {escape(draw.entry.name)} {shape} {escape(str(draw.rule.scheme))}")


def verify_draws(environment: Environment, checkpoint: Checkpoint, plan: "Plan") -> None:
    """Say how the values compare with the theory, and end with exit code 1 if they do not agree."""
    from paramctl.edits.verification import find_deviations  # noqa: PLC0415 (loads numpy)

    deviations = find_deviations(checkpoint, plan)
    for deviation in deviations:
        environment.say(escape(str(deviation)))
    if deviations:
        raise typer.Exit(NO)
    theories = [draw.distribution for draw in plan.draws]
    compared = sum(None not in (theory.mean, theory.std) for theory in theories)
    environment.note(f"mean and std are as in theory: {count_noun(compared, 'parameter')}")
    if compared < len(theories):
        lacking = count_noun(len(theories) - compared, "parameter")
        environment.note(f"nothing to compare with: {lacking}")
