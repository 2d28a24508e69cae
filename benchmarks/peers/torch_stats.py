"""What the values of a model come to, with torch: `python torch_stats.py MODEL`."""

import sys

from safetensors import safe_open

with safe_open(sys.argv[1], "pt") as file:
    for name in file.keys():  # noqa: SIM118 (it is no dict)
        values = file.get_tensor(name).float()
        low, high = values.aminmax()
        print(
            name,
            *(values.mean().item(), values.std().item(), low.item(), high.item()),
            *(values.norm().item(), (values == 0).sum().item()),
            *(values.isnan().sum().item(), values.isinf().sum().item()),
        )
