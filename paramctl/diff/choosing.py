"""Which parameters of two models are compared."""

from collections.abc import Callable, Sequence

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError, blaming
from paramctl.layer_types import keep_types

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
