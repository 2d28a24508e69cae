"""Change a model: `python load_edit_save.py IN OUT tie|double|rename|drop|merge OTHER`."""

import re
import sys

from durable import sync
from safetensors.torch import load_file, save_file

state = load_file(sys.argv[1])
metadata = {"format": "pt"}
if "tie" in sys.argv:
    del state["head.weight"]
    metadata["head.weight"] = "wte.weight"
elif "rename" in sys.argv:
    state = {re.sub(r"^h\.(\d+)\.attn", r"layers.\1.attention", k): v for k, v in state.items()}
elif "drop" in sys.argv:
    state = {k: v for k, v in state.items() if not re.match(r"h\.(1[2-9]|2[0-3])\.", k)}
elif "merge" in sys.argv:
    state |= load_file(sys.argv[4])
else:
    state["wte.weight"] *= 2
save_file(state, sys.argv[2], metadata)
sync(sys.argv[2])
