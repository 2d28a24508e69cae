"""`paramctl set`: change values."""

from typing import TYPE_CHECKING

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import Filtering, ModelAndStatements, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.errors import UsageError, blaming
from paramctl.views.changes import Changes, rows_with_notes
from paramctl.views.escaping import escape
from paramctl.views.rows import total
from paramctl.views.summary import total_line

if TYPE_CHECKING:
    from paramctl.edits.assignment import Statement

EXAMPLES = """
$ paramctl set sample_models/mlp.pt '2.weight += 1' '2.weight[0,0] = 42' | paramctl show 2.weight
2.weight  ·  [1, 8] float32  ·  grad: none stored
tensor([[42.0000,  0.8187,  1.0598,  0.6699,  0.7445,  0.8177,  1.2231,  1.2073]])

$ paramctl set sample_models/mlp.pt '**.bias = 0' --dry-run
sample_models/mlp.pt  ·  torch zip  ·  a state dict
        shape  dtype    values
0.bias  [8]    float32       8  **.bias = 0
2.bias  [1]    float32       1  **.bias = 0
to change: 9 parameters in 2 tensors, 36 B
"""


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    saving: Saving,
    arguments: ModelAndStatements = None,
) -> None:
    """Change values by statements, carried out in order: '0.weight += 1' '*.bias = 0'."""
    checkpoint, texts = open_model(
        environment, arguments, reading, is_own=lambda text: "=" in text, to_write=True
    )
    if not texts:
        raise UsageError("no statement", hint="such as '0.weight += 1'")
    destination = choose_destination(environment, saving, checkpoint)
    from paramctl.edits.assignment import assign, parse_statement  # noqa: PLC0415 (loads numpy)
    from paramctl.formats.npy import read_npy  # noqa: PLC0415 (loads numpy)

    statements = [parse_statement(text)._replace(types=filtering.classes) for text in texts]
    edited = checkpoint
    with blaming(checkpoint.file):
        for statement in statements:
            edited = assign(edited, statement, read_npy)
        notes = [
            f"'{name}' and '{checkpoint.overlaps[name]}' share bytes no more"
            for name in sorted(checkpoint.overlaps.keys() - edited.overlaps.keys())
        ]
        destination.save(edited, lambda: show_assignments(edited, statements), notes)


def show_assignments(checkpoint: Checkpoint, statements: "list[Statement]") -> Changes:
    """Return the parameters that statements change, and by which of them."""
    from paramctl.edits.assignment import find_matches  # noqa: PLC0415 (loads numpy)

    found: dict[str, list[str]] = {}
    for statement in statements:
        for match in find_matches(checkpoint, statement):
            found.setdefault(match.name, []).append(statement.text)
    notes = {name: "; ".join(found[name]) for name in checkpoint if name in found}
    rows = rows_with_notes(checkpoint, notes)
    lines = (
        "\t".join(map(escape, (row.name, str(list(row.shape or ())), row.dtype, text)))
        for row in rows
        for text in found[row.name]
    )
    return Changes(rows, f"to change: {total_line(total(checkpoint, rows))}", lines)
