"""Make a folder beside this file as three ranks of DeepSpeed's ZeRO-3 write it, and what joins it.

    for rank in 0 1 2; do RANK=$rank python tests/files/make_deepspeed_ranks.py & done; wait

With the packages of make_deepspeed.py. A file beside the folder is what DeepSpeed's own
`zero_to_fp32.py` makes of it.
"""

import os
import sys
from pathlib import Path

os.environ |= {
    "DS_ACCELERATOR": "cpu",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29517",
    "WORLD_SIZE": "3",
    "LOCAL_RANK": os.environ["RANK"],
}

import deepspeed
import torch
from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
from torch import nn

FOLDER = Path(__file__).parent / "deepspeed_zero3_ranks"

sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # it would be compiled
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 3), nn.Linear(3, 1))
net.register_buffer("steps", torch.tensor(7))
net[2].weight.requires_grad = False
net[2].bias = net[0].bias
config = {
    "train_batch_size": 6,
    "zero_optimization": {
        "stage": 3,
        "stage3_param_persistence_threshold": 0,
        "sub_group_size": 4,
    },
    "zero_allow_untested_optimizer": True,
    "zero_force_ds_cpu_optimizer": False,
    "bf16": {"enabled": True},
}
groups = [
    {"params": [*net[0].parameters(), *net[1].parameters()]},
    {"params": [*net[3].parameters()]},
]
optimizer = torch.optim.SGD(groups, lr=0.1)
engine, *_ = deepspeed.initialize(model=net, optimizer=optimizer, config=config)
engine.backward(engine(torch.eye(2, dtype=torch.bfloat16)).square().mean())
engine.step()
engine.save_checkpoint(str(FOLDER), tag="global_step1")
torch.distributed.barrier()
if os.environ["RANK"] == "0":
    joined = get_fp32_state_dict_from_zero_checkpoint(str(FOLDER))
    torch.save({name: tensor.clone() for name, tensor in joined.items()}, FOLDER.with_suffix(".pt"))
    for script in FOLDER.glob("*.py"):
        script.unlink()
