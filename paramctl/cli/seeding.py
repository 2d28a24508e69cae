"""The option of every verb that draws values: from which seed."""

from typing import Annotated

import typer

from paramctl.errors import UsageError
from paramctl.init.seeds import MAX_SEED


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
