"""Make the models that are listed: `python inputs.py FOLDER`. A program, as it loads torch."""

import json
import sys
from pathlib import Path

import torch
from gguf import GGUFWriter
from safetensors.torch import save_file

COUNTS = (4, 300, 100_000)
TERABYTE = 10**12
VOCABULARY = 256_000
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


def make_vocabulary(path: Path) -> None:
    """Write a GGUF file of 300 small tensors with the vocabulary of a large model."""
    writer = GGUFWriter(path, "llama")
    writer.add_token_list([f"token{place}" for place in range(VOCABULARY)])
    writer.add_token_scores([-float(place) for place in range(VOCABULARY)])
    writer.add_token_types([1] * VOCABULARY)
    writer.add_token_merges([f"to {place}" for place in range(VOCABULARY)])
    for name, tensor in make_state(300).items():
        writer.add_tensor(name, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_inputs(folder: Path) -> None:
    """Write each model in both formats, and one each that is large in its own way."""
    for count in COUNTS:
        state = make_state(count)
        save_file(state, folder / f"{count}.safetensors", {"format": "pt"})
        torch.save(state, folder / f"{count}.pt")
    make_sparse(folder / "terabyte.safetensors")
    make_vocabulary(folder / "vocabulary.gguf")


if __name__ == "__main__":
    make_inputs(Path(sys.argv[1]))
