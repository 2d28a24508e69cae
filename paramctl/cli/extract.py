"""`paramctl extract`: a part of a model as a model of its own."""

from paramctl.cli.casting import Dtype, cast_to
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.notes import note_overflows, notes_on_spec
from paramctl.cli.options import Filtering, ModelAndLayers, Reading
from paramctl.cli.saving import Saving, choose_destination
from paramctl.edits.selection import extract
from paramctl.errors import blaming
from paramctl.views.selections import show_whole

EXAMPLES = """
$ paramctl extract sample_models/gpt2 h.0.mlp | paramctl ls
<stdin>  ·  safetensors
           shape     dtype    values     size
c_fc                           1,088  4.35 kB
├─ bias    [64]      float32      64    256 B
└─ weight  [16, 64]  float32   1,024  4.10 kB
c_proj                         1,040  4.16 kB
├─ bias    [16]      float32      16     64 B
└─ weight  [64, 16]  float32   1,024  4.10 kB
2,128 parameters in 4 tensors, 8.51 kB

$ paramctl extract sample_models/gpt2 wte 'h.*.ln_1' | paramctl ls
<stdin>  ·  safetensors
                  shape     dtype    values     size
h.[0-3].ln_1  x4                        128    512 B
├─ bias           [16]      float32      16     64 B
└─ weight         [16]      float32      16     64 B
wte.weight        [64, 16]  float32   1,024  4.10 kB
1,152 parameters in 9 tensors, 4.61 kB
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
    """Make a layer a model of its own, or some parameters."""
    checkpoint, addresses = open_model(environment, arguments, reading, to_write=True)
    destination = choose_destination(environment, saving, checkpoint)
    with blaming(checkpoint.file):
        part = cast_to(extract(checkpoint, addresses, filtering.classes), dtype)
        notes = notes_on_spec(checkpoint, part)
        destination.save(part, lambda: show_whole(part, "extract"), notes)
    if dtype:
        note_overflows(environment, part, dtype)
