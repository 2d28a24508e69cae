"""Initialize a model by torch.nn.init, tensor by tensor: `python nn_init.py IN OUT [xavier]`."""

import sys

import torch
from durable import sync
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open(sys.argv[1], "pt") as file:
    shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
state = {}
for name, shape in shapes.items():
    tensor = state[name] = torch.empty(shape, dtype=torch.bfloat16)
    if name.endswith("bias"):
        torch.nn.init.zeros_(tensor)
    elif tensor.dim() == 1:
        torch.nn.init.ones_(tensor)
    elif "xavier" in sys.argv:
        torch.nn.init.xavier_uniform_(tensor)
    else:
        torch.nn.init.normal_(tensor, std=0.02)
save_file(state, sys.argv[2], {"format": "pt"})
sync(sys.argv[2])
