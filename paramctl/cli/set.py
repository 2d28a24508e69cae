"""`paramctl set`: change values."""

from typing import TYPE_CHECKING

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import ModelAndStatements, Reading
from paramctl.cli.saving import Saving, save_edit
from paramctl.errors import UsageError, blaming
from paramctl.views.escaping import escape

if TYPE_CHECKING:
    from paramctl.edits.assignment import Statement

EXAMPLES = """
$ paramctl set sample_models/mlp.pt '2.weight += 1' '2.weight[0,0] = 42' | paramctl show 2.weight
"""


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: ModelAndStatements = None,
) -> None:
    """Change values by statements, carried out in order: '0.weight += 1' '*.bias = 0'."""
    checkpoint, texts = open_model(environment, arguments, reading)
    if not texts:
        raise UsageError("no statement", hint="such as '0.weight += 1'")
    from paramctl.edits.assignment import assign, parse_statement  # noqa: PLC0415 (loads numpy)
    from paramctl.formats.npy import read_npy  # noqa: PLC0415 (loads numpy)

    changes = []
    with blaming(checkpoint.file):
        for statement in map(parse_statement, texts):
            changes += list_changes(checkpoint, statement)
            checkpoint = assign(checkpoint, statement, read_npy)
        save_edit(environment, saving, checkpoint, lambda: environment.write_lines(changes))


def list_changes(checkpoint: Checkpoint, statement: "Statement") -> list[str]:
    """Return a line for each parameter that a statement changes."""
    from paramctl.edits.assignment import find_matches  # noqa: PLC0415 (loads numpy)

    entries = (checkpoint[match.name] for match in find_matches(checkpoint, statement))
    return [
        f"{escape(entry.name)}  {list(entry.shape)} {entry.dtype.name}  {escape(statement.text)}"
        for entry in entries
    ]
