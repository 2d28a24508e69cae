"""What a check found, as people and programs read it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from json import dumps
from typing import Any

from paramctl.check.findings import Checked, Finding
from paramctl.check.kinds import Severity
from paramctl.few import list_few
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun, format_bytes

MAX_UNCHECKED = 3  # names that a line tells of


def tsv_lines(checked: Checked) -> Iterator[str]:
    """Yield kind, name, severity, what, count, total and first between tabs.

    Of what could not be checked the kind is `unchecked`, and what is why.
    """
    for finding in checked.findings:
        cells = (
            finding.kind,
            finding.name,
            finding.kind.severity,
            finding.what,
            *("" if number is None else str(number) for number in finding[3:5]),
            "" if finding.first is None else str(list(finding.first)),
        )
        yield _line(cells)
    for name, why in checked.unchecked.items():
        yield _line(("unchecked", name, "", why, "", "", ""))


def json_text(file: str, checked: Checked) -> str:
    """Return one JSON object: what was checked, what could not be, and the findings."""
    document = {
        "file": file,
        "tensors": checked.tensors,
        "bytes": checked.nbytes,
        "unchecked": dict(checked.unchecked),
        "findings": [_facts(finding) for finding in checked.findings],
    }
    return dumps(document, indent=2)


def summary_line(checked: Checked) -> str:
    """Say what a check came to."""
    counts = Counter(finding.kind.severity for finding in checked.findings)
    told = [count_noun(counts[each], each) for each in Severity if counts[each]]
    what = f"{count_noun(checked.tensors, 'tensor')} checked, {format_bytes(checked.nbytes)}"
    text = f"{', '.join(told) or 'nothing found'}; {what}"
    if not checked.unchecked:
        return text
    reasons = ", ".join(dict.fromkeys(checked.unchecked.values()))
    return f"{text}; {len(checked.unchecked):,} not checked: {escape(reasons)}"


def hint_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield what to do about the kinds that were found, each thing once."""
    kinds = dict.fromkeys(finding.kind for finding in findings)
    hints = {kind: hint for kind in kinds if (hint := kind.advise("shell"))}
    for hint in dict.fromkeys(hints.values()):
        yield f"{', '.join(kind for kind in hints if hints[kind] == hint)}: {hint}"


def unchecked_lines(checked: Checked) -> Iterator[str]:
    """Yield a line for each reason why something could not be checked."""
    reasons: dict[str, list[str]] = {}
    for name, why in checked.unchecked.items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        listed = list_few([f"'{name}'" for name in names], MAX_UNCHECKED)
        yield escape(f"not checked, {why}: {listed}")


def _line(cells: Iterable[str]) -> str:
    return "\t".join(escape(cell) or "-" for cell in cells)


def _facts(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "severity": finding.kind.severity,
        "name": finding.name,
        "what": finding.what,
        "count": finding.affected,
        "total": finding.total,
        "first": None if finding.first is None else list(finding.first),
        "hint": finding.kind.advise("shell") or None,
    }
