"""What a check found on a terminal: a line a finding, coloured by how bad it is."""

from collections.abc import Iterable

from rich.console import Console
from rich.style import Style

from paramctl.check.findings import Finding
from paramctl.check.kinds import Severity
from paramctl.views.columns import PLAIN, Column, Row
from paramctl.views.escaping import escape
from paramctl.views.tables import print_rows

COLUMNS = {
    "kind": Column("", Style(bold=True), 0),
    "what": Column("", PLAIN, 1, flows=True),
}
STYLES = {
    Severity.ERROR: Style(color="red"),
    Severity.WARNING: Style(color="yellow"),
    Severity.NOTE: Style(color="cyan"),
}


def print_findings(console: Console, findings: Iterable[Finding], width: int | None) -> None:
    """Print the name of each, its kind, and what it is."""
    print_rows(console, [_row(finding) for finding in findings], COLUMNS, width)


def _row(finding: Finding) -> Row:
    cells = {"kind": finding.kind.value, "what": escape(finding.what)}
    return Row("", escape(finding.name) or "''", cells, STYLES[finding.kind.severity])
