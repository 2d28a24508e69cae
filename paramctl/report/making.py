"""A report from what it is of: everything is read, and put on the page."""

from paramctl.check.checking import check
from paramctl.check.kinds import Kind
from paramctl.checkpoint import Checkpoint
from paramctl.diff.comparison import Comparison, compare_parameters
from paramctl.diff.names import find_renamed, pair_names
from paramctl.diff.values import EXACT
from paramctl.errors import UsageError, blaming
from paramctl.passes import Progress
from paramctl.report.document import make_document
from paramctl.report.page import load_plotly, make_page
from paramctl.report.values import read_values
from paramctl.views.metadata import tell_plainly

SUFFIXES = (".html", ".htm")


def check_name(path: str) -> None:
    """Refuse a name under which no browser would show a page.

    Raises:
        UsageError: it is one.
    """
    if not path.lower().endswith(SUFFIXES):
        raise UsageError("a page is HTML", hint="name it .html", file=path or "''")


def make_report(checkpoint: Checkpoint, other: Checkpoint | None, progress: Progress) -> bytes:
    """Return the page of a model, and of how another one differs.

    Raises:
        UsageError: plotly is not installed.
        ParamctlError: values cannot be read; the class says why.
    """
    plotly = load_plotly()
    with blaming(checkpoint.file):
        comparison = None if other is None else _compare(checkpoint, other, progress)
        others = {
            each.name: each.b
            for each in (comparison.parameters if comparison else ())
            if each.a is not None and each.b is not None and "values" in each.differs
        }
        read = read_values(checkpoint, others, progress)
        aliases, missing = checkpoint.aliases, checkpoint.missing
        names = [n for n in checkpoint if n in missing or aliases.get(n, n) not in read.why]
        checked = check(checkpoint, names, list(Kind), None, progress)
    return make_page(make_document(checkpoint, read, checked, comparison), plotly)


def _compare(a: Checkpoint, b: Checkpoint, progress: Progress) -> Comparison:
    pairs = pair_names(a.entries, b.entries)
    pairs = find_renamed(pairs, a, b, set(pairs))
    parameters = compare_parameters((a, b), pairs, EXACT, progress)
    return Comparison.of((a, b), parameters, (), tell_plainly)
