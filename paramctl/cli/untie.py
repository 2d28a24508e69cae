"""`paramctl untie`: give tied parameters values of their own."""

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import ModelAndLayers, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.tying import untie
from paramctl.errors import blaming
from paramctl.views.ties import show_cut

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
    destination = choose_destination(environment, saving, checkpoint)
    with blaming(checkpoint.file):
        parted = untie(checkpoint, addresses)
        destination.save(parted, lambda: show_cut(checkpoint, parted))
