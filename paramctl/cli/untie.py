"""`paramctl untie`: give tied parameters values of their own."""

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import ModelAndLayers, Reading
from paramctl.cli.saving import Saving, save_edit
from paramctl.edits.tying import untie
from paramctl.errors import blaming
from paramctl.views.ties import text_lines

EXAMPLES = """
$ paramctl untie sample_models/shared.pt 4.bias --dry-run
"""


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: ModelAndLayers = None,
) -> None:
    """Give tied parameters, all or those named, values of their own."""
    checkpoint, addresses = open_model(environment, arguments, reading)
    with blaming(checkpoint.file):
        parted = untie(checkpoint, addresses)
        save_edit(environment, saving, parted, lambda: environment.write_lines(text_lines(parted)))
