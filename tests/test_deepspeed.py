"""The layouts of PyTorch Lightning, as it wrote a file, and of DeepSpeed's folders."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from nets import mlp
from oracle import assert_same

import paramctl
from paramctl.errors import MalformedError, ParamctlError

FILES = Path(__file__).parent / "files"
LIGHTNING = FILES / "lightning.ckpt"
MODEL, OPTIMIZER = "mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"


def test_a_file_of_lightning_is_its_model() -> None:
    model = paramctl.open(LIGHTNING)
    assert_same(model, torch.load(LIGHTNING)["state_dict"])
    assert model.holds == "state_dict"
    assert model.others["optimizer_states"] == "12 tensors"
    assert model.metadata["hyper_parameters"] == {"width": 3, "rate": 0.1}
    assert model.metadata["pytorch-lightning_version"] == "2.6.6"


def test_a_folder_that_deepspeed_wrote_is_the_model_in_it() -> None:
    model = paramctl.open(FILES / "deepspeed_zero1")
    file = FILES / "deepspeed_zero1" / "global_step1" / MODEL
    assert_same(model, torch.load(file, weights_only=False)["module"])
    assert model.metadata["ds_config"]["zero_optimization"]["stage"] == 1


def test_a_folder_of_zero_3_has_the_shapes_of_the_same_model() -> None:
    whole, cut = (paramctl.open(FILES / f"deepspeed_zero{stage}") for stage in (1, 3))
    assert [entry.summary for entry in cut.values()] == [entry.summary for entry in whole.values()]
    assert not cut.missing


def states(module: Mapping[str, object]) -> dict[str, object]:
    """Return what DeepSpeed writes of a model: names and shapes are in groups of parameters."""
    shapes = OrderedDict((name, tensor.shape) for name, tensor in mlp().state_dict().items())
    return {
        "module": OrderedDict(module),
        "buffer_names": [],
        "optimizer": None,
        "param_shapes": [shapes],
        "frozen_param_shapes": {"2.bias": shapes.pop("2.bias")},
        "shared_params": {},
        "dp_world_size": 2,
        "ds_config": {"zero_optimization": {"stage": 3}},
        "ds_version": "0.19.8",
    }


def write_step(folder: Path, *names: str, module: Mapping[str, object]) -> Path:
    """Write a step's files, and name the step in the file beside its folder."""
    (folder / "global_step9").mkdir()
    for name in names:
        torch.save(states(module), folder / "global_step9" / name)
    torch.save({"optimizer_state_dict": {}}, folder / "global_step9" / OPTIMIZER)
    torch.save({}, folder / "rng_state.pth")
    (folder / "latest").write_text("global_step9\n")
    return folder / "global_step9"


def test_a_folder_of_deepspeed_is_the_model_of_its_last_step(tmp_path: Path) -> None:
    step = write_step(tmp_path, MODEL, module=mlp().state_dict())
    (tmp_path / "global_step8").mkdir()
    for folder in (tmp_path, step):
        model = paramctl.open(folder)
        assert_same(model, torch.load(step / MODEL, weights_only=False)["module"])
        assert (model.file, model.holds) == (str(step / MODEL), "module")
        assert not model.complaints
    assert model.metadata["ds_version"] == "0.19.8"


def test_a_model_of_several_ranks_is_an_error_that_names_them(tmp_path: Path) -> None:
    write_step(tmp_path, MODEL, "mp_rank_01_model_states.pt", module=mlp().state_dict())
    with pytest.raises(MalformedError, match=f"{MODEL}, mp_rank_01.*; name one"):
        paramctl.open(tmp_path)


@pytest.mark.parametrize(
    ("latest", "code"),
    [("../other", 4), ("..", 4), ("/other", 4), ("", 4), ("a\0b", 4), ("a\\b", 4), ("gone", 6)],
)
def test_the_last_step_is_a_folder_beside_its_name(latest: str, code: int, tmp_path: Path) -> None:
    write_step(tmp_path, MODEL, module=mlp().state_dict())
    (tmp_path / "latest").write_text(latest)
    with pytest.raises(ParamctlError) as error:
        paramctl.open(tmp_path)
    assert error.value.exit_code == code


@pytest.mark.parametrize(
    "shapes",
    [7, [7], [{}], [{"0.weight": 7}], [{"0.weight": torch.Size([0])}], {"0.weight": (1,)}],
)
def test_shapes_that_are_none_say_nothing(shapes: object, tmp_path: Path) -> None:
    whole = {"module": {"0.weight": torch.zeros(0)}, "param_shapes": shapes}
    torch.save(whole, tmp_path / "x")
    model = paramctl.open(tmp_path / "x")
    assert (model["0.weight"].shape, model.missing) == ((0,), {})
