"""Convert a model: `python load_cast_save.py IN OUT [DTYPE]`, OUT a .pt or a safetensors file."""

import sys

import torch
from durable import sync
from safetensors.torch import load_file, save_file

state = load_file(sys.argv[1])
if len(sys.argv) > 3:
    dtype = getattr(torch, sys.argv[3])
    state = {name: tensor.to(dtype) for name, tensor in state.items()}
if sys.argv[2].endswith(".pt"):
    torch.save(state, sys.argv[2])
else:
    save_file(state, sys.argv[2], {"format": "pt"})
sync(sys.argv[2])
