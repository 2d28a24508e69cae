"""The groups of names that share one storage."""

from collections.abc import Mapping, Sequence


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

    def stored(self, name: str) -> str:
        """Return the name that stands for all of its group."""
        return self.members(name)[0]

    def join(self, names: Sequence[str]) -> list[str]:
        """Make one group of those that `names` are in, stored under the first; return it."""
        members = (member for name in names for member in (name, *self.members(name)))
        group = list(dict.fromkeys(members))
        self._members.update(dict.fromkeys(group, group))
        return group

    def part(self, name: str) -> None:
        """Take a name out of its group; if it was the stored one, the next name takes its place."""
        group = self._members.pop(name)
        group.remove(name)
        if len(group) == 1:
            del self._members[group[0]]

    def aliases(self) -> dict[str, str]:
        """Return every name that is not the stored one of its group -> that one."""
        return {name: group[0] for name, group in self._members.items() if name != group[0]}
