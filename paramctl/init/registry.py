"""All schemes by name: paramctl's own, and those of installed packages."""

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from paramctl.errors import UsageError
from paramctl.expressions.quoting import closest
from paramctl.init.scheme import Scheme
from paramctl.init.schemes import default, plain, scaled, structured
from paramctl.init.users import adopt
from paramctl.user_code import blaming_user

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "paramctl.schemes"
"""The entry-point group in which a package names its schemes."""


def find(name: str) -> Scheme:
    """Return the scheme of this name or alias; packages are looked at only if it is not ours.

    Raises:
        UsageError: there is none; says the closest names.
    """
    if name in _OURS:
        return _OURS[name]
    entries = _entries()
    if name in entries:
        return _load(entries[name])
    raise UsageError(f"no scheme '{name}'", hint=closest(name, [*_OURS, *entries]))


def names() -> list[str]:
    """Return the names and aliases of all schemes; nothing of a package is loaded."""
    from importlib.metadata import entry_points  # noqa: PLC0415 (slow, and seldom needed)

    return [*_OURS, *(entry.name for entry in entry_points(group=GROUP))]


def all_schemes() -> tuple[Scheme, ...]:
    """Return every scheme once: ours by family, then those of packages by name.

    Raises:
        UsageError: one of a package cannot be loaded.
    """
    ours = {scheme.name: scheme for scheme in _OURS.values()}
    return (*ours.values(), *map(_load, _entries().values()))


def _schemes_in(module: ModuleType) -> Iterator[Scheme]:
    return (value for value in vars(module).values() if isinstance(value, Scheme))


_OURS = {
    name: scheme
    for module in (plain, scaled, structured, default)
    for scheme in _schemes_in(module)
    for name in (scheme.name, *scheme.aliases)
}


def _entries() -> "dict[str, EntryPoint]":
    """Return what packages offer, by name; a name that is taken is an error.

    Raises:
        UsageError: two packages, or a package and paramctl, use one name.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 (slow, and seldom needed)

    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP)):
        if entry.name in _OURS or entry.name in found:
            raise UsageError(f"the scheme '{entry.name}' of {entry.value} has a name that is taken")
        found[entry.name] = entry
    return found


def _load(entry: "EntryPoint") -> Scheme:
    with blaming_user(entry.value):
        function = entry.load()
    return adopt(function, entry.name, entry.value)
