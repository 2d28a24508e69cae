"""Make the models that are listed: `python inputs.py FOLDER`. A program, as it loads torch."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

COUNTS = (4, 300, 100_000)
TERABYTE = 10**12
PARTS = ("q", "k", "v", "o")


def make_state(count: int) -> dict[str, torch.Tensor]:
    """Return a state dict of `count` small tensors, in layers of four."""
    return {
        f"layers.{place // 4}.attention.{PARTS[place % 4]}.weight": torch.zeros(4, 4)
        for place in range(count)
    }


def make_sparse(path: Path) -> None:
    """Write a safetensors file of a terabyte that takes a block of the disk: the rest is a hole."""
    quarter = TERABYTE // len(PARTS)
    header = json.dumps(
        {
            part: {
                "dtype": "U8",
                "shape": [quarter],
                "data_offsets": [place * quarter, (place + 1) * quarter],
            }
            for place, part in enumerate(PARTS)
        }
    ).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + TERABYTE)


def make_inputs(folder: Path) -> None:
    """Write each model in both formats."""
    for count in COUNTS:
        state = make_state(count)
        save_file(state, folder / f"{count}.safetensors", {"format": "pt"})
        torch.save(state, folder / f"{count}.pt")
    make_sparse(folder / "terabyte.safetensors")


if __name__ == "__main__":
    make_inputs(Path(sys.argv[1]))
