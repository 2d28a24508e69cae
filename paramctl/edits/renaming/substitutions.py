"""A substitution: what in a name is replaced by what, and the names that none fits."""

import re
from collections.abc import Collection
from typing import NamedTuple

from paramctl.errors import NoMatchError, find_closest, tell_some
from paramctl.layers import build_layers
from paramctl.walks import closest_pool


class Substitution(NamedTuple):
    """What is replaced by what, in a name `times` times, 0 for each match; `sought` is its text."""

    pattern: re.Pattern[str]
    replacement: str
    sought: str
    times: int = 1


def fits_nothing(text: str, sought: str, names: Collection[str]) -> NoMatchError:
    """Return what to say of a rule that fits no name, with the closest to what it looks for."""
    close = find_closest(sought, closest_pool(build_layers(names)))
    hint = f"closest: {', '.join(close)}" if close else tell_some(names)
    return NoMatchError(f"'{text}' fits no name", hint=hint)
