"""Change a model: `python load_edit_save.py IN OUT tie|double|merge OTHER`."""

import sys

from durable import sync
from safetensors.torch import load_file, save_file

state = load_file(sys.argv[1])
metadata = {"format": "pt"}
if "tie" in sys.argv:
    del state["head.weight"]
    metadata["head.weight"] = "wte.weight"
elif "merge" in sys.argv:
    state |= load_file(sys.argv[4])
else:
    state["wte.weight"] *= 2
save_file(state, sys.argv[2], metadata)
sync(sys.argv[2])
