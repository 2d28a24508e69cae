"""Where a model goes that is exported: a file of bytes that are all computed first."""

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.notes import note_overflows
from paramctl.cli.saving import Saving
from paramctl.cli.weights import OWN_TYPE, with_values
from paramctl.errors import UsageError, blaming
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer.files import check_place, save_bytes


def export_model(
    environment: Environment, saving: Saving, checkpoint: Checkpoint, weights: str, given: str
) -> None:
    """Write a model as ONNX.

    Raises:
        ParamctlError: it cannot be exported, or not be written; the class says why.
    """
    path = saving.output or ""
    if saving._replace(output=None, force=False) != Saving():
        what = "-i, --dry-run, --ties and --max-shard-size are not for what is exported"
        raise UsageError(what, hint="leave them out", file=path)
    check_place(path, force=saving.force)
    with blaming(checkpoint.file):
        if weights:
            checkpoint = with_values(environment, checkpoint, weights)
        from paramctl.export import export_onnx  # noqa: PLC0415 (loads torch)

        data = export_onnx(checkpoint, given)
    note_overflows(environment, checkpoint, OWN_TYPE)
    for note in save_bytes(data, path, force=saving.force):
        environment.note(escape(note))
    environment.note(escape(f"wrote {path}, {format_bytes(len(data))}"))
