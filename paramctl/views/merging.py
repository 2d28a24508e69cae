"""A union of models, as people and programs read it: what comes from which, and what collided."""

from collections.abc import Iterator

from paramctl.checkpoint import Checkpoint
from paramctl.edits.merging import find_differing_keys
from paramctl.edits.origins import Origins
from paramctl.few import list_few
from paramctl.groups import Groups
from paramctl.models import spec
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.rows import total
from paramctl.views.summary import total_line
from paramctl.views.units import count_noun

MAX_NAMED = 5  # ties and keys that a note names


def show_union(merged: Checkpoint, origins: Origins) -> Changes:
    """Return all parameters of the union, and from which model each comes."""
    files = [model.file for model in origins.models]
    notes = {name: f"of {files[place]}" for name, place in origins.places.items()}
    for name, others in _given_up(origins):
        notes[name] += f", not {', '.join(files[place] for place in others)}"
    rows = rows_with_notes(merged, notes)
    return Changes(rows, f"to merge: {total_line(total(merged, rows))}", _lines(merged, origins))


def notes_on(merged: Checkpoint, origins: Origins) -> Iterator[str]:
    """Yield what is to be known of names, ties and metadata that the models do not agree on."""
    if origins.equal:
        yield f"{count_noun(len(origins.equal), 'name')} in several models, the same in each"
    elif origins.shared:
        count = count_noun(len(origins.shared), "name")
        yield f"{count} in several models: that of the {origins.prefer} one is taken"
    if cut := _cut_ties(merged, origins):
        yield f"no longer tied: {list_few(cut, MAX_NAMED)}"
    if keys := find_differing_keys(origins):
        what = f"metadata that differs, the {origins.prefer} model's is kept"
        yield f"{what}: {list_few(keys, MAX_NAMED)}"
    if spec.KEY not in merged.metadata and any(spec.KEY in m.metadata for m in origins.models):
        yield "no model's spec describes the whole: it is left out"


def _given_up(origins: Origins) -> Iterator[tuple[str, list[int]]]:
    """Yield the names that collided, and the places of the models that are not taken there."""
    for name, places in origins.shared.items():
        if name not in origins.equal:
            yield name, [place for place in places if place != origins.places[name]]


def _cut_ties(merged: Checkpoint, origins: Origins) -> list[str]:
    groups = Groups(merged.aliases)
    return [
        f"'{alias}' and '{stored}'"
        for model in origins.models
        for alias, stored in model.aliases.items()
        if alias not in groups.members(stored)
    ]


def _lines(merged: Checkpoint, origins: Origins) -> Iterator[str]:
    """Yield name, file, shape, dtype and the files that are not taken between tabs."""
    files = [model.file for model in origins.models]
    given_up = dict(_given_up(origins))
    for name, entry in merged.items():
        others = ", ".join(files[place] for place in given_up.get(name, ()))
        file = files[origins.places[name]]
        cells = (name, file, str(list(entry.shape)), entry.dtype.name, others or "-")
        yield "\t".join(map(escape, cells))
