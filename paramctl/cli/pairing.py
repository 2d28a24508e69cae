"""Which parameters of two models are one, and how they differ; what is to be told meanwhile."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from paramctl.cli.environment import Environment
from paramctl.cli.progress import show_progress
from paramctl.diff.choosing import Models, Names
from paramctl.views.escaping import escape

if TYPE_CHECKING:
    from paramctl.diff.comparison import Comparison
    from paramctl.diff.names import Pair
    from paramctl.diff.values import Tolerance


def pair_up(environment: Environment, models: Models, chosen: Names) -> "list[Pair]":
    """Pair the names of both models that are chosen; say which prefix hides that they are alike.

    Raises:
        ParamctlError: what looks renamed cannot be read.
    """
    from paramctl.diff.names import find_prefix, pair_chosen  # noqa: PLC0415 (loads numpy)

    a, b = models
    if a.entries.keys().isdisjoint(b.entries) and (prefix := find_prefix(a.entries, b.entries)):
        what = "no name is in both models; those of one begin with"
        environment.note(f"{what} '{escape(prefix)}', which --strip-prefix leaves out")
    return pair_chosen(models, chosen)


def compare(
    environment: Environment,
    models: Models,
    pairs: "Sequence[Pair]",
    tolerance: "Tolerance",
    ignored: Collection[str] = (),
) -> "Comparison":
    """Compare what is paired, and what both models say of themselves.

    `ignored` are aspects of parameters, `metadata` and `class`.

    Raises:
        ParamctlError: the values cannot be read.
    """
    from paramctl.diff.comparison import Comparison, compare_parameters  # noqa: PLC0415
    from paramctl.views.metadata import tell_plainly  # noqa: PLC0415 (rarely needed)

    with show_progress(environment) as progress:
        parameters = compare_parameters(models, pairs, tolerance, progress, ignored)
    return Comparison.of(models, parameters, ignored, tell_plainly)
