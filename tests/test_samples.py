"""Every sample model holds what torch and safetensors say it holds."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from oracle import TORCH_WARNINGS, assert_same, assert_same_safetensors, assert_same_values, walk
from safetensors import safe_open
from torch import nn

import paramctl
from paramctl.groups import Groups

SAMPLES = Path(__file__).parents[1] / "sample_models"
STATE_DICTS = ["mlp.pt", "rgnet.pt", "shared.pt", "legacy.pt"]
MODULES = ["mlp_module.pt", "rgnet_module.pt", "fancy_module.pt"]
MLP_NAMES = ["0.weight", "0.bias", "2.weight", "2.bias"]

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]


class FancyMLP(nn.Module):
    """Stands in for the sample's class, which only its script knows."""


@pytest.fixture(autouse=True)
def _fancy_mlp_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "FancyMLP", FancyMLP, raising=False)


def load(name: str) -> object:
    loaded: object = torch.load(SAMPLES / name, weights_only=False)
    return loaded


@pytest.mark.parametrize("name", STATE_DICTS + MODULES)
def test_a_torch_sample_holds_what_torch_loads(name: str) -> None:
    assert_same(paramctl.open(SAMPLES / name), load(name))


@pytest.mark.parametrize("name", ["mlp.safetensors", "shared.safetensors"])
def test_a_safetensors_sample_holds_what_safe_open_reads(name: str) -> None:
    assert_same_safetensors(paramctl.open(SAMPLES / name), str(SAMPLES / name))


def test_a_numpy_sample_holds_what_numpy_loads() -> None:
    loaded = np.load(SAMPLES / "mlp.npz")
    assert list(loaded) == MLP_NAMES
    assert_same(paramctl.open(SAMPLES / "mlp.npz"), {n: torch.tensor(loaded[n]) for n in loaded})


@pytest.mark.parametrize("name", MODULES)
def test_a_whole_module_names_the_types_of_its_layers(name: str) -> None:
    module = load(name)
    assert isinstance(module, nn.Module)
    types = {layer: type(part).__name__ for layer, part in module.named_modules()}
    assert paramctl.open(SAMPLES / name).types == types


def test_a_module_of_an_unknown_class_is_listed_by_its_pickle() -> None:
    checkpoint = paramctl.open(SAMPLES / "fancy_module.pt")
    kinds = {name: entry.kind for name, entry in checkpoint.items()}
    assert kinds == {
        "rand_weight": "buffer",
        "linear.weight": "parameter",
        "linear.bias": "parameter",
    }
    assert "__main__.FancyMLP" in checkpoint.foreign


def test_the_shared_layer_is_tied_in_both_formats() -> None:
    for name in ("shared.pt", "shared.safetensors"):
        checkpoint = paramctl.open(SAMPLES / name)
        assert checkpoint.aliases == {"4.weight": "2.weight", "4.bias": "2.bias"}
        assert Groups(checkpoint.aliases).others("2.weight") == ("4.weight",)
        assert checkpoint.overlaps == {}


def test_the_model_is_found_in_a_training_checkpoint() -> None:
    loaded = load("training.pt")
    assert isinstance(loaded, dict)
    checkpoint = paramctl.open(SAMPLES / "training.pt")
    assert checkpoint.holds == "model_state_dict"
    assert set(checkpoint.others) == {"epoch", "optimizer"}
    assert checkpoint.metadata["epoch"] == 1
    assert_same(checkpoint, loaded["model_state_dict"])


def test_a_key_lists_another_part_of_a_training_checkpoint() -> None:
    loaded = load("training.pt")
    assert isinstance(loaded, dict)
    checkpoint = paramctl.open(SAMPLES / "training.pt", key="optimizer")
    assert "state.0.exp_avg" in checkpoint
    assert_same(checkpoint, loaded["optimizer"])


def test_all_parts_of_a_training_checkpoint_are_listed_under_their_keys() -> None:
    checkpoint = paramctl.open(SAMPLES / "training.pt", everything=True)
    assert_same(checkpoint, load("training.pt"))


@pytest.mark.parametrize("opened", ["gpt2", "gpt2/model.safetensors.index.json"])
def test_a_sharded_folder_holds_what_its_shards_hold(opened: str) -> None:
    index = json.loads((SAMPLES / "gpt2" / "model.safetensors.index.json").read_text())
    checkpoint = paramctl.open(SAMPLES / opened)
    assert list(checkpoint) == list(index["weight_map"])
    assert checkpoint.complaints == ()
    for name, shard in index["weight_map"].items():
        with safe_open(SAMPLES / "gpt2" / shard, "pt") as file:
            tensor = file.get_tensor(name)
        assert checkpoint[name].shape == tuple(tensor.shape)
        assert checkpoint[name].dtype.name == "float32"
        assert_same_values(checkpoint[name], tensor)
    assert sum(entry.nbytes for entry in checkpoint.values()) == index["metadata"]["total_size"]


def test_a_torchscript_sample_holds_what_torch_jit_loads() -> None:
    script = torch.jit.load(SAMPLES / "mlp_traced.pt")  # type: ignore[no-untyped-call]
    checkpoint = paramctl.open(SAMPLES / "mlp_traced.pt")
    assert checkpoint.format == "TorchScript"
    assert list(checkpoint) == MLP_NAMES == list(script.state_dict())
    assert {entry.kind for entry in checkpoint.values()} == {"parameter"}
    for name, tensor in script.state_dict().items():
        assert checkpoint[name].shape == tuple(tensor.shape)
        assert_same_values(checkpoint[name], tensor)


def test_an_exported_sample_holds_what_torch_export_loads() -> None:
    state = torch.export.load(SAMPLES / "mlp_exported.pt2").state_dict
    checkpoint = paramctl.open(SAMPLES / "mlp_exported.pt2")
    assert checkpoint.format == "torch.export"
    assert list(checkpoint) == MLP_NAMES
    assert_same(checkpoint, state)


def test_the_formats_of_one_net_hold_the_same_values() -> None:
    expected = {name: tensor for name, tensor, _ in walk(load("mlp.pt"))}
    for file in ("mlp_module.pt", "mlp.safetensors", "legacy.pt", "mlp_traced.pt"):
        checkpoint = paramctl.open(SAMPLES / file)
        assert sorted(checkpoint) == sorted(expected), file
        for name, entry in checkpoint.items():
            assert_same_values(entry, expected[name].detach())


def test_samples_are_small() -> None:
    assert all(path.stat().st_size < 200_000 for path in SAMPLES.rglob("*") if path.is_file())
