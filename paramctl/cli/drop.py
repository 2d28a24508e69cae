"""`paramctl drop`: leave parameters out."""

from paramctl.cli.casting import Dtype, add_casts, cast_to
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.notes import note_overflows, notes_on_spec
from paramctl.cli.options import Filtering, ModelAndLayers, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.selection import drop
from paramctl.errors import blaming
from paramctl.views.selections import show_dropped

EXAMPLES = """
$ paramctl drop sample_models/rgnet.pt '0.block [1-3]' --dry-run
sample_models/rgnet.pt  ·  torch zip  ·  a state dict
                   shape   dtype    values
0.block [1-3]  x3                      228
├─ 0                                    40
│  ├─ weight       [8, 4]  float32      32
│  └─ bias         [8]     float32       8
└─ 2                                    36
   ├─ weight       [4, 8]  float32      32
   └─ bias         [4]     float32       4
to drop: 12 of 18 names, 912 B less

$ paramctl drop sample_models/shared.pt 2 | paramctl ls
<stdin>  ·  safetensors
           shape   dtype    values   size
0                               40  160 B
├─ bias    [8]     float32       8   32 B
└─ weight  [8, 4]  float32      32  128 B
4                               72  288 B
├─ bias    [8]     float32       8   32 B
└─ weight  [8, 8]  float32      64  256 B
6                                9   36 B
├─ bias    [1]     float32       1    4 B
└─ weight  [1, 8]  float32       8   32 B
121 parameters in 6 tensors, 484 B
"""


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    saving: Saving,
    arguments: ModelAndLayers = None,
    *,
    dtype: Dtype = "",
) -> None:
    """Leave layers or parameters out of a model."""
    checkpoint, addresses = open_model(environment, arguments, reading, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    with blaming(checkpoint.file):
        left = drop(checkpoint, addresses, filtering.classes)
        notes = notes_on_spec(checkpoint, left)
        written = cast_to(left, dtype)
        destination.save(
            written, lambda: add_casts(show_dropped(checkpoint, left), left, written), notes
        )
    if dtype:
        note_overflows(environment, written, dtype)
