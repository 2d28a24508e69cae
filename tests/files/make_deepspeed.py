"""Make a folder beside this file as DeepSpeed writes it: `python tests/files/make_deepspeed.py 3`.

    pip install torch==2.13.0 && DS_BUILD_OPS=0 pip install --no-build-isolation deepspeed==0.19.8

It is kept, since DeepSpeed is too large to be installed for tests. The number is ZeRO's stage. What
joins its files again, `zero_to_fp32.py`, is left out.
"""

import os
import sys
from pathlib import Path

os.environ |= {
    "DS_ACCELERATOR": "cpu",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29511",
    "RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_RANK": "0",
}

import deepspeed
import torch
from torch import nn

FOLDER = Path(__file__).parent / f"deepspeed_zero{sys.argv[1]}"

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
config = {
    "train_batch_size": 2,
    "zero_optimization": {"stage": int(sys.argv[1]), "stage3_param_persistence_threshold": 0},
    "zero_allow_untested_optimizer": True,
    "zero_force_ds_cpu_optimizer": False,
}
optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
engine, *_ = deepspeed.initialize(model=net, optimizer=optimizer, config=config)
engine.backward(engine(torch.ones(2, 2)).square().mean())
engine.step()
engine.save_checkpoint(str(FOLDER), tag="global_step1")
for script in FOLDER.glob("*.py"):
    script.unlink()
