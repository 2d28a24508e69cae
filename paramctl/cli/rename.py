"""`paramctl rename`: give parameters other names."""

from typing import Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.notes import notes_on_spec
from paramctl.cli.options import MODEL_HELP, Reading, complete_addresses
from paramctl.cli.saving import Saving, choose_destination
from paramctl.cli.time_limit import time_limit
from paramctl.edits.renaming import Step, rename
from paramctl.edits.renaming.language import is_rule, parse_rule
from paramctl.edits.renaming.maps import read_map
from paramctl.errors import UsageError, blaming
from paramctl.views.renames import show_renamed

EXAMPLES = """
$ paramctl rename sample_models/gpt2 'h.{i}.attn -> layers.{i}.attention' 's/^ln_f/norm/' --dry-run
sample_models/gpt2/model.safetensors.index.json  ·  sharded safetensors  ·  2 files
h.[0-3].attn.c_attn.bias  x4    → layers.[0-3].attention.c_attn.bias
h.[0-3].attn.c_attn.weight  x4  → layers.[0-3].attention.c_attn.weight
h.[0-3].attn.c_proj.bias  x4    → layers.[0-3].attention.c_proj.bias
h.[0-3].attn.c_proj.weight  x4  → layers.[0-3].attention.c_proj.weight
ln_f.bias                       → norm.bias
ln_f.weight                     → norm.weight
to rename: 18 of 52 names

$ paramctl rename sample_models/mlp.pt '0 <-> 2' | paramctl rename 's/^/model./' | paramctl ls
<stdin>  ·  safetensors
              shape   dtype    values   size
model                              49  196 B
├─ 0                                9   36 B
│  ├─ bias    [1]     float32       1    4 B
│  └─ weight  [1, 8]  float32       8   32 B
└─ 2                               40  160 B
   ├─ bias    [8]     float32       8   32 B
   └─ weight  [8, 4]  float32      32  128 B
49 parameters in 4 tensors, 196 B
"""


def run(
    environment: Environment,
    reading: Reading,
    saving: Saving,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] RULE...",
            help=f"{MODEL_HELP}; then rules: 's/^module\\.//', 'OLD -> NEW', 'OLD <-> NEW'.",
            autocompletion=complete_addresses,
            show_default=False,
        ),
    ] = None,
    *,
    map_file: Annotated[
        str,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Old and new names, a line each with a tab between, as a dry run prints them.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Rename layers and parameters by rules, each given what the one before left."""
    checkpoint, texts = open_model(environment, arguments, reading, is_own=is_rule, to_write=True)
    if not texts and not map_file:
        raise UsageError("no rule", hint="such as 'OLD -> NEW', 'module ->' or 's/^h/layers/'")
    destination = choose_destination(environment, saving, checkpoint)
    steps: list[Step] = [read_map(map_file)] if map_file else []
    steps += map(parse_rule, texts)
    with blaming(checkpoint.file):
        with time_limit():
            renamed = rename(checkpoint, steps)
        notes = notes_on_spec(checkpoint, renamed)
        destination.save(renamed, lambda: show_renamed(checkpoint, renamed), notes)
