"""Make `dcp`, a folder of torch.distributed.checkpoint that four processes wrote.

Run: python tests/files/make_dcp.py
"""

import os
import shutil
import sys
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from torch import multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Placement, Replicate, Shard, distribute_tensor

FOLDER = Path("tests/files/dcp")
RANKS = 4
PLACED: dict[str, list[Placement]] = {
    "rows.weight": [Shard(0), Shard(0)],
    "columns.weight": [Replicate(), Shard(1)],
    "both.weight": [Shard(0), Shard(1)],
    "both.bias": [Replicate(), Shard(0)],
    "norm.weight": [Replicate(), Replicate()],
}
SHAPES = {
    "rows.weight": (7, 3),
    "columns.weight": (3, 5),
    "both.weight": (4, 2, 6),
    "both.bias": (3,),
    "norm.weight": (4,),
}


def values(name: str) -> torch.Tensor:
    """Return a parameter's values: all whole numbers from the length of its name on."""
    shape = torch.Size(SHAPES[name])
    dtype = torch.bfloat16 if name.endswith("bias") else torch.float32
    return torch.arange(len(name), len(name) + shape.numel(), dtype=dtype).reshape(shape)


def _write(rank: int) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29563"}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=RANKS)
    mesh = init_device_mesh("cpu", (2, 2))
    model = {name: distribute_tensor(values(name), mesh, PLACED[name]) for name in SHAPES}
    dcp.save({"model": model, "step": 40}, checkpoint_id=FOLDER)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(multiprocessing.spawn(_write, nprocs=RANKS))
