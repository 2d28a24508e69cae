"""Which parameters of two models are compared, with which of the other, and how they differ."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.progress import show_progress
from paramctl.errors import UsageError, blaming
from paramctl.layer_types import keep_types
from paramctl.views.escaping import escape

if TYPE_CHECKING:
    from paramctl.diff.comparison import Comparison
    from paramctl.diff.names import Pair
    from paramctl.diff.values import Tolerance

Models = tuple[Checkpoint, Checkpoint]
Names = tuple[set[str], set[str]]
"""Some of the names in each."""


def choose(models: Models, addresses: Sequence[str], classes: Sequence[str]) -> Names:
    """Return the names in A and in B that the addresses and classes choose.

    Raises:
        UsageError: one of them chooses nothing in either.
    """
    chosen = set(models[0]), set(models[1])
    if addresses:
        from paramctl.addresses import resolve_all  # noqa: PLC0415 (rarely needed)

        def resolve(address: str) -> Names:
            return _in_either(models, lambda model: resolve_all(model.entries, [address]))

        named = [resolve(address) for address in addresses]
        chosen = set().union(*(a for a, _ in named)), set().union(*(b for _, b in named))
    if classes:
        of_class = _in_either(models, lambda model: keep_types(model, list(model), classes))
        either = of_class[0] | of_class[1]
        chosen = chosen[0] & either, chosen[1] & either
    return chosen


def _in_either(models: Models, find: Callable[[Checkpoint], list[str]]) -> Names:
    """Return what is found in each of the models.

    Raises:
        UsageError: there is nothing in either.
    """
    found: list[set[str]] = []
    errors: list[UsageError] = []
    for model in models:
        try:
            with blaming(model.file):
                found.append(set(find(model)))
        except UsageError as error:
            errors.append(error)
            found.append(set())
    if len(errors) == len(models):
        raise errors[0]
    return found[0], found[1]


def pair_up(environment: Environment, models: Models, chosen: Names) -> "list[Pair]":
    """Pair the names of both models, and keep those that are chosen.

    Raises:
        ParamctlError: what looks renamed cannot be read.
    """
    from paramctl.diff.names import find_renamed, pair_names  # noqa: PLC0415 (loads numpy)

    def is_chosen(pair: "Pair") -> bool:
        return pair.a in chosen[0] or pair.b in chosen[1]

    pairs = pair_names(models[0].entries, models[1].entries)
    if not any(pair.a == pair.b for pair in pairs):
        _hint_prefix(environment, models)
    pairs = find_renamed(pairs, *models, set(filter(is_chosen, pairs)))
    return list(filter(is_chosen, pairs))


def _hint_prefix(environment: Environment, models: Models) -> None:
    from paramctl.diff.names import find_prefix  # noqa: PLC0415 (loads numpy)

    if prefix := find_prefix(models[0].entries, models[1].entries):
        what = "no name is in both models; those of one begin with"
        environment.note(f"{what} '{escape(prefix)}', which --strip-prefix leaves out")


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
    from paramctl.diff.facts import compare_classes, compare_metadata  # noqa: PLC0415

    a, b = models
    with show_progress(environment) as progress:
        parameters = compare_parameters(models, pairs, tolerance, progress, ignored)
    says = "metadata" not in ignored and not a.is_planned and not b.is_planned
    return Comparison(
        a,
        b,
        parameters,
        compare_metadata(_metadata(a), _metadata(b)) if says else [],
        compare_classes(a.types, b.types) if "class" not in ignored else [],
    )


def _metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    from paramctl.diff.facts import own_metadata  # noqa: PLC0415 (loads numpy)
    from paramctl.views.metadata import read_metadata, tell  # noqa: PLC0415 (the same)

    told: dict[str, Any] = tell(read_metadata(own_metadata(checkpoint))).value
    return told
