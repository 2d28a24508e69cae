"""Folders as Hugging Face's libraries write them."""

import json
from pathlib import Path

import pytest
from safetensors_rows import F32, one

from paramctl import open as open_model


def test_aliases_stand_in_the_index_of_a_sharded_model(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(one(F32))
    index = {"metadata": {"total_size": 4, "head": "w"}, "weight_map": {"w": "a.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    checkpoint = open_model(tmp_path)
    assert (list(checkpoint), checkpoint.aliases) == (["w", "head"], {"head": "w"})
    assert checkpoint.metadata == {"total_size": 4, "head": "w"}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin", "x.safetensors"], "model.safetensors"),
        (["pytorch_model.bin", "optimizer.pt"], "pytorch_model.bin"),
        (
            ["diffusion_pytorch_model.safetensors", "config.json"],
            "diffusion_pytorch_model.safetensors",
        ),
        (["epoch=3.ckpt", "notes.txt"], "epoch=3.ckpt"),
        (["net.pt2", "weights.npz"], "net.pt2"),
        (["weights.npz", "config.json"], "weights.npz"),
        (["weights.hdf5"], "weights.hdf5"),
    ],
)
def test_the_model_of_a_folder_is_found_by_its_name(
    names: list[str], chosen: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(one(F32) if name == chosen else b"something else")
    assert open_model(tmp_path).file == str(tmp_path / chosen)
