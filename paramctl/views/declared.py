"""How a model's files differ from what its config declares, as people and programs read it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from paramctl.checkpoint import Entry
from paramctl.few import list_few
from paramctl.models.declared import Declared
from paramctl.views.escaping import escape
from paramctl.views.rows import Row
from paramctl.views.units import count_noun

MAX_NAMES = 6  # of a line; the rows have them all
BEYOND = "not declared"


def notes_of(found: Declared) -> dict[str, str]:
    """Return what a row says of each parameter that differs."""
    dtypes = {name: f"declared {entry.dtype.name}" for name, (_, entry) in found.dtypes.items()}
    shapes = {name: f"declared {list(entry.shape)}" for name, entry in found.shapes.items()}
    both = {name: f"declared {found.shapes[name].summary}" for name in dtypes if name in shapes}
    wanted = {name: f"declared {entry.summary}" for name, entry in found.missing.items()}
    return dtypes | shapes | both | wanted | dict.fromkeys(found.beyond, BEYOND)


def lines_of(found: Declared, config: str) -> Iterator[str]:
    """Yield a line for each way in which files and config differ, or one if they do not."""
    facts = {
        "missing": found.missing,
        BEYOND: found.beyond,
        "of another shape than declared": found.shapes,
        "of another dtype than declared": _casts(found.dtypes),
        "not stored": [f"{name} (tied to {other})" for name, other in found.tied.items()],
        "named otherwise": _renamings(found.renamed),
    }
    lines = [f"{label}: {list_few([*names], MAX_NAMES)}" for label, names in facts.items() if names]
    yield escape(
        f"{config} declares {found.architecture}" + ("" if lines else ", and all of it is there")
    )
    yield from map(escape, lines)


def with_notes(rows: Iterable[Row], notes: Mapping[str, str]) -> list[Row]:
    """Return the rows, each with its note behind what is unusual of it."""
    return [
        row._replace(note=", ".join(filter(None, (row.note, notes.get(row.name))))) for row in rows
    ]


def _renamings(renamed: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Say in a few words how names differ: by a prefix where that is all."""
    return _counted(_renaming(name, targets) for name, targets in renamed.items())


def _casts(dtypes: Mapping[str, tuple[Entry, Entry]]) -> list[str]:
    return _counted(f"{held.dtype.name} for {entry.dtype.name}" for held, entry in dtypes.values())


def _counted(kinds: Iterable[str]) -> list[str]:
    return [f"{count_noun(count, 'tensor')} {kind}" for kind, count in Counter(kinds).items()]


def _renaming(name: str, targets: tuple[str, ...]) -> str:
    if targets[0].endswith(f".{name}"):
        return f"without '{targets[0].removesuffix(name)}'"
    if name.endswith(f".{targets[0]}"):
        return f"with '{name.removesuffix(targets[0])}' before it"
    return "that transformers renames as it loads them"
