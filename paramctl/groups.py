"""The groups of names that share one storage."""

from collections.abc import Mapping


class Groups:
    """The names of every storage; the first of a group is the one that is stored.

    `aliases` are those of a checkpoint: name -> the stored name.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._members: dict[str, list[str]] = {}
        for alias, stored in aliases.items():
            group = self._members.setdefault(stored, [stored])
            group.append(alias)
            self._members[alias] = group

    def members(self, name: str) -> list[str]:
        """Return all names of the group that `name` is in, the stored one first."""
        return self._members.get(name, [name])

    def others(self, name: str) -> tuple[str, ...]:
        """Return the names that `name` is tied to."""
        return tuple(other for other in self.members(name) if other != name)
