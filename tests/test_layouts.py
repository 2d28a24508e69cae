"""Which part of a checkpoint is the model: the layouts that tools write, and those of scripts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from nets import conv_net, mlp
from oracle import TORCH_WARNINGS, assert_same
from torch import Tensor, nn

import paramctl

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

Layout = dict[str, object]


def state(net: nn.Module | None = None) -> dict[str, Tensor]:
    return (net or mlp()).state_dict()


def adam() -> dict[str, object]:
    """Return the state of an optimizer that has made a step: twelve tensors."""
    net = mlp()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    net(torch.rand(2, 4)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def lightning() -> Layout:
    return {
        "epoch": 2,
        "global_step": 100,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {f"net.{name}": tensor for name, tensor in state().items()},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 2}}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(1.0)}
        },
        "optimizer_states": [adam()],
        "lr_schedulers": [{"last_epoch": 2, "_last_lr": [0.01]}],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.01, "class_weights": torch.ones(3)},
    }


LAYOUTS: dict[str, tuple[Callable[[], Layout], str, set[str]]] = {
    "Lightning": (lightning, "state_dict", set(lightning()) - {"state_dict"}),
    "timm": (
        lambda: {
            "epoch": 1,
            "arch": "resnet",
            "state_dict": state(),
            "optimizer": adam(),
            "state_dict_ema": state(),
            "amp_scaler": {"scale": 65536.0},
        },
        "state_dict",
        {"epoch", "arch", "optimizer", "state_dict_ema", "amp_scaler"},
    ),
    "DeepSpeed": (
        lambda: {"module": state(), "optimizer": adam(), "lr_scheduler": None, "dp_world_size": 8},
        "module",
        {"optimizer", "lr_scheduler", "dp_world_size"},
    ),
    "fairseq": (
        lambda: {
            "args": None,
            "model": state(),
            "optimizer_history": [{"num_updates": 9}],
            "last_optimizer_state": adam(),
        },
        "model",
        {"args", "optimizer_history", "last_optimizer_state"},
    ),
    "detectron2": (
        lambda: {"model": state(), "optimizer": adam(), "scheduler": {}, "iteration": 9},
        "model",
        {"optimizer", "scheduler", "iteration"},
    ),
    "YOLO": (
        lambda: {"epoch": 1, "model": conv_net(), "ema": conv_net(), "optimizer": adam()},
        "model",
        {"epoch", "ema", "optimizer"},
    ),
    "YOLO's last": (
        lambda: {"epoch": 1, "model": None, "ema": conv_net(), "optimizer": adam()},
        "ema",
        {"epoch", "model", "optimizer"},
    ),
    "a wrapped one": (
        lambda: {"checkpoint": {"model": state(), "optimizer": adam()}, "version": 2},
        "checkpoint.model",
        {"version", "checkpoint.optimizer"},
    ),
    "a name of its own": (
        lambda: {"policy": state(), "optimizer": adam(), "step": torch.tensor(7)},
        "policy",
        {"optimizer", "step"},
    ),
}
"""The layout, the key of the model, and what else the first line tells."""

PARTS: dict[str, tuple[Callable[[], Layout], set[str]]] = {
    "a GAN": (
        lambda: {"G": state(), "D": state(), "g_optim": adam(), "d_optim": adam(), "it": 3},
        {"g_optim", "d_optim", "it"},
    ),
    "another GAN": (
        lambda: {"netG": state(), "netD": state(), "optimizerG": adam(), "D_optimizer": adam()},
        {"optimizerG", "D_optimizer"},
    ),
    "StyleGAN": (
        lambda: {"g": state(), "d": state(), "g_ema": state(), "g_optim": adam()},
        {"g_ema", "g_optim"},
    ),
    "StyleGAN's average": (lambda: {"g_ema": state(), "latent_avg": torch.rand(4)}, set()),
    "encoder and decoder": (
        lambda: {
            "encoder": state(),
            "decoder": state(conv_net()),
            "optimizer": adam(),
            "rng_state": torch.get_rng_state(),
            "epoch": 3,
        },
        {"optimizer", "rng_state", "epoch"},
    ),
    "parameters beside the optimizer": (lambda: {**state(), "optimizer": adam()}, {"optimizer"}),
    "an optimizer alone": (lambda: {"optimizer": adam()}, set()),
    "layers in layers": (lambda: {"encoder": state(), "decoder": state()}, set()),
    "one layer": (lambda: {"block": state()}, set()),
    "wrapped parts": (lambda: {"first": {"encoder": state(), "decoder": state()}}, set()),
}
"""The layout, whose own keys are the layers of the model, and those of them that are left out."""

FLAT: dict[str, Callable[[], Layout]] = {
    "model.": lambda: {f"model.{name}": tensor for name, tensor in state().items()},
    "optimizer.": lambda: {f"optimizer.{name}": tensor for name, tensor in state().items()},
    "words": lambda: {"amp": torch.rand(2), "ema": torch.rand(2), "w": torch.rand(2)},
    "words beside values": lambda: {"opt.w": torch.rand(2), "_extra_state": {"a": 1}},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_model_is_found_under_its_key(name: str, tmp_path: Path) -> None:
    make, key, others = LAYOUTS[name]
    torch.save(make(), tmp_path / "m.pt")
    checkpoint = paramctl.open(tmp_path / "m.pt")
    assert checkpoint.holds.split(", ")[0] == key
    assert checkpoint.others.keys() == others
    loaded = torch.load(tmp_path / "m.pt", weights_only=False)
    for step in key.split("."):
        loaded = loaded[step]
    assert_same(checkpoint, loaded)


@pytest.mark.parametrize("name", PARTS)
def test_a_model_of_several_parts_is_all_that_training_does_not_keep(
    name: str, tmp_path: Path
) -> None:
    make, others = PARTS[name]
    torch.save(make(), tmp_path / "m.pt")
    checkpoint = paramctl.open(tmp_path / "m.pt")
    assert checkpoint.holds == "a state dict"
    assert checkpoint.others.keys() == others
    loaded = torch.load(tmp_path / "m.pt")
    assert_same(checkpoint, {key: part for key, part in loaded.items() if key not in others})
    assert_same(paramctl.open(tmp_path / "m.pt", everything=True), loaded)


@pytest.mark.parametrize("name", FLAT)
def test_a_state_dict_is_a_model_whatever_its_names(name: str, tmp_path: Path) -> None:
    made = FLAT[name]()
    torch.save(made, tmp_path / "m.pt")
    assert_same(paramctl.open(tmp_path / "m.pt"), made)


def test_parts_of_a_wrapped_checkpoint_are_left_out_too(tmp_path: Path) -> None:
    wrapped = {"ckpt": {"encoder": state(), "decoder": state(), "optimizer": adam(), "epoch": 1}}
    torch.save(wrapped, tmp_path / "m.pt")
    checkpoint = paramctl.open(tmp_path / "m.pt")
    assert checkpoint.holds == "ckpt"
    assert checkpoint.others == {"ckpt.optimizer": "12 tensors", "ckpt.epoch": "1"}
    assert_same(checkpoint, {key: wrapped["ckpt"][key] for key in ("encoder", "decoder")})
    assert_same(paramctl.open(tmp_path / "m.pt", key="ckpt"), wrapped["ckpt"])
