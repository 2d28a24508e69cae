"""List a state dict with torch: `python torch_load_loop.py FILE`."""

import sys

import torch

for name, tensor in torch.load(sys.argv[1], mmap=True).items():
    print(name, list(tensor.shape), tensor.dtype, sep="\t")
