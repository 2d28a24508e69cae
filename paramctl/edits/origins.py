"""From which of several models each parameter of their union comes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.doors import Spelling, option
from paramctl.errors import UsageError
from paramctl.few import list_few

Prefer = Literal["first", "last"]
MAX_NAMED = 5  # colliding names that the error lists


class Origins(NamedTuple):
    """From which of the models each parameter of the union comes, by their places.

    `shared` are the names that several models have -> where; those in `equal` are the same in all.
    """

    models: tuple[Checkpoint, ...]
    places: dict[str, int]
    shared: dict[str, list[int]]
    equal: frozenset[str]
    prefer: Prefer

    def is_of(self, name: str, place: int) -> bool:
        """Whether the union has, under a name, what the model at a place has."""
        return self.places[name] == place or name in self.equal


def find_origins(models: Sequence[Checkpoint], prefer: Prefer | None = None) -> Origins:
    """Find for each name of any of the models which of them gives it.

    A name that is in several of them is no collision where dtype, shape and bytes are the same.

    Raises:
        UsageError: names collide, and none of the models is preferred; lists them.
        ParamctlError: what has one name in several models cannot be read.
    """
    holders: dict[str, list[int]] = {}
    for place, model in enumerate(models):
        for name in model:
            holders.setdefault(name, []).append(place)
    shared = {name: places for name, places in holders.items() if len(places) > 1}
    equal = frozenset() if prefer else _find_equal(models, shared)
    if not prefer and (colliding := [name for name in shared if name not in equal]):
        raise _collision(models, {name: shared[name] for name in colliding})
    chosen = -1 if prefer == "last" else 0
    places = {name: places[chosen] for name, places in holders.items()}
    return Origins(tuple(models), places, shared, equal, prefer or "first")


def _find_equal(
    models: Sequence[Checkpoint], shared: Mapping[str, Sequence[int]]
) -> frozenset[str]:
    """Return the names under which each of the models has the same."""
    if not shared:
        return frozenset()
    from paramctl.edits.equality import find_same  # noqa: PLC0415 (loads numpy)

    return find_same(
        {name: [models[place].entries[name] for place in places] for name, places in shared.items()}
    )


def _collision(models: Sequence[Checkpoint], colliding: Mapping[str, Iterable[int]]) -> UsageError:
    listed = [
        f"'{name}' ({', '.join(models[place].file for place in places)})"
        for name, places in colliding.items()
    ]
    count = "1 name is" if len(colliding) == 1 else f"{len(colliding):,} names are"
    what = f"{count} in several models with different contents"
    return UsageError(
        f"{what}: {list_few(listed, MAX_NAMED, last=', and ')}",
        hint=(option("prefer", "first"), ", or ", Spelling("last", "'last'"), ", or rename them"),
    )
