"""What the page tells of a model as a whole: what it is, what it says of itself, what was found."""

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from paramctl.check.findings import Checked
from paramctl.checkpoint import Checkpoint
from paramctl.edits.provenance import KEY as DRAWN
from paramctl.edits.provenance import read_draws
from paramctl.formats.folders import LAYOUTS
from paramctl.groups import Groups
from paramctl.layer_types import KEY as TYPES
from paramctl.models.spec import KEY as SPEC
from paramctl.views import checks
from paramctl.views.escaping import escape
from paramctl.views.metadata import read_metadata, tell, text_metadata
from paramctl.views.rows import Row, total
from paramctl.views.summary import header_line
from paramctl.views.units import count_noun, format_bytes

FINDINGS = 1_000  # that are listed
DRAWN_NAMES = 60  # that are tied and drawn, and
TIED = 20  # of them in a group
LINES = 2_000  # of metadata

LISTED = 8  # complaints, and classes that a loader would run

Places = Mapping[str, int]
"""Name -> the place among the parameters."""


def model_facts(checkpoint: Checkpoint, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the model is and what it adds up to: numbers with what they count."""
    totals = total(checkpoint, rows)
    size, what = (totals.logical, "planned") if checkpoint.is_planned else (totals.stored, "stored")
    numbers = [
        _counted(totals.parameters, "parameter"),
        _counted(totals.tensors, "tensor"),
        (format_bytes(size), what),
    ]
    if totals.buffers:
        numbers.append(_counted(totals.buffers, "buffer"))
    if totals.ties:
        numbers.append(_counted(totals.ties, "tie"))
    return {"title": title_of(checkpoint), "header": header_line(checkpoint), "numbers": numbers}


def _counted(count: int, noun: str) -> tuple[str, ...]:
    return tuple(count_noun(count, noun).split(" "))


def title_of(checkpoint: Checkpoint) -> str:
    """Return what the model is called: its file, or its folder where files have one name in all."""
    folder, name = os.path.split(checkpoint.file.rstrip("/"))
    is_general = any(fnmatchcase(name, pattern) for pattern, *more in LAYOUTS if not more)
    return escape((is_general and os.path.basename(folder)) or name or checkpoint.file)


def remarks(checkpoint: Checkpoint) -> list[str]:
    """Return what is to be known of the file itself."""
    said = [*checkpoint.complaints[:LISTED]]
    if checkpoint.foreign:
        listed = ", ".join(checkpoint.foreign[:LISTED])
        said.append(f"names code that loading it would run: {listed}; nothing was run")
    return list(map(escape, said))


def tie_groups(checkpoint: Checkpoint, places: Places) -> dict[str, Any]:
    """Return the places of what is tied, group by group, the stored one first."""
    groups = Groups(checkpoint.aliases)
    drawn: list[list[int]] = []
    room = DRAWN_NAMES
    for stored in dict.fromkeys(checkpoint.aliases.values()):
        others = groups.others(stored)[: min(room, TIED)]
        if not others:
            break
        drawn.append([places[name] for name in (stored, *others)])
        room -= len(others)
    left_out = len(checkpoint.aliases) - (DRAWN_NAMES - room)
    return {"groups": drawn, "left_out": left_out}


def found_facts(checked: Checked, places: Places) -> dict[str, Any]:
    """Return what `check` found, the worst first."""
    return {
        "summary": checks.summary_line(checked),
        "unchecked": list(checks.unchecked_lines(checked)),
        "hints": {
            kind: kind.advise("shell") for kind in dict.fromkeys(f.kind for f in checked.findings)
        },
        "listed": [
            {
                "severity": finding.kind.severity,
                "kind": finding.kind,
                "parameter": places.get(finding.name),
                "name": escape(finding.name) or "''",
                "what": escape(finding.what),
            }
            for finding in checked.findings[:FINDINGS]
        ],
        "left_out": max(0, len(checked.findings) - FINDINGS),
    }


def metadata_facts(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the metadata and the spec as text; what is told elsewhere on the page is left out."""
    aliases = checkpoint.aliases
    metadata = read_metadata(
        {k: v for k, v in checkpoint.metadata.items() if k not in aliases and k != TYPES}
    )
    spec = metadata.pop(SPEC, None)
    metadata.pop(DRAWN, None)
    told = tell(metadata)
    text = "" if told.tensors or not told.value else text_metadata(told.value)
    return {"metadata": _cut(text), "spec": _cut(_spec_text(spec))}


def _spec_text(spec: Any) -> str:
    """Write a spec as people do, in YAML."""
    if not isinstance(spec, dict):
        return ""
    import yaml  # noqa: PLC0415 (few files carry a spec)

    text = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, default_flow_style=None)
    return "\n".join(map(escape, text.splitlines()))


def _cut(text: str) -> str:
    lines = text.splitlines()
    more = len(lines) - LINES
    return "\n".join([*lines[:LINES], *([f"... {more:,} lines more"] if more > 0 else [])])


def drawn_facts(checkpoint: Checkpoint, places: Places) -> dict[str, Any]:
    """Return how parameters were initialized, and for each the place of its record, or None."""
    records = read_draws(checkpoint.metadata)
    of_parameter: list[int | None] = [None] * len(places)
    for number, record in enumerate(records):
        for name in record["parameters"]:
            if name in places:
                of_parameter[places[name]] = number
    return {
        "records": [
            {
                "scheme": escape(record["scheme"]),
                "rule": escape(record["rule"]),
                "seed": str(record["seed"]),
                "count": count_noun(len(record["parameters"]), "parameter"),
                "parameters": [places[n] for n in record["parameters"][:LISTED] if n in places],
            }
            for record in records
        ],
        "of_parameter": of_parameter if records else [],
    }
