"""What DeepSpeed's ZeRO-3 leaves of a model in its file: names and shapes.

The values of its parameters are cut up over the files of all ranks' optimizers. Source:
deepspeed/utils/zero_to_fp32.py of DeepSpeed 0.19.
"""

from math import prod

from paramctl.checkpoint import MISSING, Checkpoint, Entry
from paramctl.dtypes import BY_NAME
from paramctl.formats.pickles import Dict

SHAPES, FROZEN, MODULE = "param_shapes", "frozen_param_shapes", "module"  # keys of the file
REASON = "its values are cut up over the *_optim_states.pt files; zero_to_fp32.py joins them"
COMPLAINT = (
    "ZeRO-3 has cut its parameters up over the *_optim_states.pt files; "
    "'python zero_to_fp32.py . OUT' in the folder above joins them"
)


def add_partitioned(checkpoint: Checkpoint, root: object, part: str) -> None:
    """Give the parameters that are empty in `part` their shapes, as missing ones."""
    parts = root.strings() if isinstance(root, Dict) else {}
    groups = parts.get(SHAPES)
    if part != MODULE or not isinstance(groups, list):
        return
    for group in [*groups, parts.get(FROZEN)]:
        for name, shape in group.strings().items() if isinstance(group, Dict) else ():
            entry = checkpoint.entries.get(name)
            is_empty = entry is None or not entry.numel
            if type(shape) is tuple and prod(shape) and is_empty:
                dtype = entry.dtype if entry else BY_NAME["float32"]
                checkpoint.entries[name] = Entry(name, dtype, shape, None, layout=MISSING)
                checkpoint.missing[name] = REASON
    if checkpoint.missing:
        checkpoint.complaints += (COMPLAINT,)
