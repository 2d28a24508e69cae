"""The option of every verb that draws values: from which seed."""

from collections.abc import Iterable
from typing import Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.errors import UsageError
from paramctl.init.distributions import Distribution
from paramctl.init.seeds import MAX_SEED, fresh_seed


def check_seed(seed: int | None) -> int | None:
    """Return a seed that fits.

    Raises:
        UsageError: it does not.
    """
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise UsageError(f"--seed {seed} is no whole number from 0 to 2^64 - 1")
    return seed


Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        callback=check_seed,
        help="The same seed gives the same values; else a fresh one.",
        show_default=False,
    ),
]


def pick_fresh(seed: int | None, distributions: Iterable[Distribution]) -> int | None:
    """Return a fresh seed; None where one is given, or where none is needed."""
    is_random = any(distribution.draws for distribution in distributions)
    return fresh_seed() if is_random and seed is None else None


def note_seed(environment: Environment, fresh: int | None) -> None:
    """Say which seed was picked, if one was."""
    if fresh is not None:
        environment.note(f"seed {fresh}")
