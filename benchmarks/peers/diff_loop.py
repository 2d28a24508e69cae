"""Compare two models: `python diff_loop.py A B`."""

import sys

import torch
from safetensors.torch import load_file
from torch.nn.functional import cosine_similarity

a, b = load_file(sys.argv[1]), load_file(sys.argv[2])
for name in a:
    old, new = a[name].float(), b[name].float()
    apart = (old - new).abs()
    print(
        name,
        float(apart.max()),
        float((apart / new.abs()).nan_to_num(0.0).max()),
        float(apart.norm() / new.norm()),
        float(cosine_similarity(old.flatten(), new.flatten(), dim=0)),
        float((old == new).float().mean()),
        torch.allclose(old, new),
    )
