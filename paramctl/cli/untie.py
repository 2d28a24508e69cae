"""`paramctl untie`: give tied parameters values of their own."""

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import Filtering, ModelAndLayers, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.tying import untie
from paramctl.errors import blaming
from paramctl.views.ties import show_cut

EXAMPLES = """
$ paramctl untie sample_models/shared.pt 4.bias --dry-run
sample_models/shared.pt  ·  torch zip  ·  a state dict
        shape  dtype    values
4.bias  [8]    float32       8  no longer = 2.bias
to untie: 1 name, 32 B more

$ paramctl untie sample_models/shared.pt | paramctl set - '4.bias = 0' | paramctl show '2.bias[:3]'
2.bias[:3]  ·  [3] of [8] float32  ·  grad: none stored
tensor([ 0.1941, -0.0446,  0.0135])
"""


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    saving: Saving,
    arguments: ModelAndLayers = None,
) -> None:
    """Give tied parameters, all or those named, values of their own."""
    checkpoint, addresses = open_model(environment, arguments, reading, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    with blaming(checkpoint.file):
        parted = untie(checkpoint, addresses, filtering.classes)
        destination.save(parted, lambda: show_cut(checkpoint, parted))
