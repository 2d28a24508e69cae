"""A few hundred generated files hold what torch and safetensors say they hold."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from generated import SAFETENSORS, SAVED, TYPED, own_storages, random_state
from nets import MODULES, STATES, conv_net, mlp, training
from oracle import (
    TORCH_WARNINGS,
    assert_same,
    assert_same_safetensors,
    assert_same_tensor,
    assert_same_values,
    shared_views,
)
from safetensors.torch import save_file, save_model
from torch import Tensor, nn
from torch._export.serde.serialize import _TORCH_TO_SERIALIZE_DTYPE
from torch.serialization import get_unsafe_globals_in_checkpoint
from torch.testing._internal.two_tensor import TwoTensor

import paramctl
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.formats.torch.export import SCALAR_TYPES
from paramctl.groups import Groups

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]


class Tagged(torch.Tensor):
    """A tensor that is more than a tensor."""


def save(value: object, path: Path, *, legacy: bool = False) -> Checkpoint:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return paramctl.open(path)


def load(path: Path) -> object:
    loaded: object = torch.load(path, weights_only=False)
    return loaded


def assert_true_overlaps(checkpoint: Checkpoint) -> None:
    """Check that what is said to overlap comes later, shares bytes, and is not tied."""
    places = {name: place for place, name in enumerate(checkpoint)}
    for later, earlier in checkpoint.overlaps.items():
        assert places[earlier] < places[later]
        assert later not in Groups(checkpoint.aliases).others(earlier)
        assert touched(checkpoint[later]) & touched(checkpoint[earlier])


def touched(entry: Entry) -> set[tuple[object, int]]:
    """Return the elements of its storage that an entry's values are."""
    strides = entry.strides or torch.empty(entry.shape, device="meta").stride()
    elements = {entry.offset} if entry.numel else set()
    for size, stride in zip(entry.shape, strides, strict=True):
        elements = {start + step * stride for start in elements for step in range(size)}
    return {(entry.storage, element) for element in elements}


@pytest.mark.parametrize("seed", range(120))
def test_a_random_state_dict(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "random.pt"
    checkpoint = save(random_state(seed, SAVED), path)
    assert_same(checkpoint, load(path))
    assert checkpoint.foreign == ()


@pytest.mark.parametrize("seed", range(60))
def test_a_random_state_dict_in_the_legacy_format(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "random.pt"
    checkpoint = save(random_state(seed, TYPED), path, legacy=True)
    assert_same(checkpoint, load(path))


@pytest.mark.parametrize("seed", range(60))
def test_a_random_safetensors_file(seed: int, tmp_path: Path) -> None:
    path = str(tmp_path / "random.safetensors")
    metadata = [None, {"format": "pt"}, {"format": "pt", "note": "two\nlines"}][seed % 3]
    save_file(own_storages(random_state(seed, SAFETENSORS)), path, metadata)
    assert_same_safetensors(paramctl.open(path), path)


@pytest.mark.parametrize("seed", range(60))
def test_what_shares_elements_with_what_is_before_it_and_only_that_overlaps(
    seed: int, tmp_path: Path
) -> None:
    checkpoint = save(random_state(seed, ["float32"]), tmp_path / "random.pt")
    assert_true_overlaps(checkpoint)
    views = [name for name in checkpoint if name not in checkpoint.aliases]
    elements = [touched(checkpoint[name]) for name in views]
    assert checkpoint.overlaps.keys() == {
        name for place, name in enumerate(views) if elements[place] & set().union(*elements[:place])
    }


BASE = torch.rand(4, 5, 6)
APART = {
    "every other column": (BASE[0, :, ::2], BASE[0, :, 1::2]),
    "every other of an odd number": (BASE[:, :, 0][:, ::2], BASE[:, :, 0][:, 1::2]),
    "of one row of each": (BASE[:, 0, 1::2], BASE[:, 0, ::2]),
    "permuted": (BASE.permute(2, 0, 1)[1], BASE.permute(2, 0, 1)[0]),
    "blocks": (BASE[:2, :3, :2], BASE[:2, :3, 2:], BASE[:2, 3:], BASE[2:, ::2, 1:3]),
    "parts of complex numbers": ((c := torch.rand(3, dtype=torch.complex64)).real, c.imag),
}


@pytest.mark.parametrize("name", APART)
def test_views_that_share_no_byte_do_not_overlap(name: str, tmp_path: Path) -> None:
    state = {str(place): view for place, view in enumerate(APART[name])}
    checkpoint = save(state, tmp_path / "apart.pt")
    assert len({entry.storage for entry in checkpoint.values()}) == 1
    assert checkpoint.overlaps == {}


def test_every_view_that_overlaps_one_before_it_is_told(tmp_path: Path) -> None:
    base = torch.rand(10)
    state = {"middle": base[2:4], "next": base[3:5], "all": base, "far": base[8:], "same": base}
    checkpoint = save({"other": torch.rand(10), **state}, tmp_path / "overlaps.pt")
    assert checkpoint.overlaps.keys() == {"next", "all", "far"}
    assert checkpoint.aliases == {"same": "all"}
    assert_true_overlaps(checkpoint)


def test_columns_of_one_matrix_do_not_overlap(tmp_path: Path) -> None:
    assert save(STATES["columns"](), tmp_path / "columns.pt").overlaps == {}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_whole_module(name: str, legacy: bool, tmp_path: Path) -> None:  # noqa: FBT001 (a row)
    path = tmp_path / "module.pt"
    net = MODULES[name]()
    checkpoint = save(net, path, legacy=legacy)
    assert_same(checkpoint, load(path))
    assert checkpoint.types == {
        layer: type(part).__name__ for layer, part in net.named_modules(remove_duplicate=False)
    }


def test_a_buffer_that_is_not_saved_is_not_listed_of_a_whole_module(tmp_path: Path) -> None:
    net = MODULES["tied"]()
    assert "mask" in dict(net.named_buffers())
    assert list(save(net, tmp_path / "module.pt")) == list(net.state_dict())


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_state_dict(name: str, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    assert_same(save(MODULES[name]().state_dict(), path), load(path))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_that_safetensors_saves(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / "module.safetensors")
    save_model(MODULES[name](), path)
    assert_same_safetensors(paramctl.open(path), path)


@pytest.mark.parametrize("name", STATES)
def test_an_unusual_state_dict(name: str, tmp_path: Path) -> None:
    path = tmp_path / "unusual.pt"
    assert_same(save(STATES[name](), path), load(path))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("columns", [8, 3])
def test_elements_that_share_a_byte(legacy: bool, columns: int, tmp_path: Path) -> None:  # noqa: FBT001 (a row)
    rows = torch.rand(4, columns), torch.ones(4), torch.zeros(4)
    saved = torch.quantize_per_channel(*rows, 0, torch.quint4x2)
    entry = save({"q": saved}, tmp_path / "q.pt", legacy=legacy)["q"]
    assert (entry.dtype.name, entry.shape) == ("quint4x2", (4, columns))
    assert entry.storage
    assert entry.storage.nbytes == saved.untyped_storage().nbytes()


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
def test_the_packed_parameters_of_a_quantized_module(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    quantize: Any = torch.ao.quantization.quantize_dynamic
    quantized = quantize(net, {nn.Linear}, dtype=torch.qint8)
    checkpoint = save(quantized, tmp_path / "quantized.pt")
    packed = "_packed_params._packed_params"
    expected = {
        f"{place}.{packed}.{part}": tensor
        for place in (0, 2)
        for part, tensor in enumerate((quantized[place].weight(), quantized[place].bias()))
    }
    assert list(checkpoint) == list(expected)
    for name, tensor in expected.items():
        assert_same_tensor(checkpoint[name], tensor)
    assert "torch.ScriptObject" in checkpoint.foreign


@pytest.mark.parametrize("name", MODULES)
def test_all_that_torch_would_not_load_unasked_is_reported(name: str, tmp_path: Path) -> None:
    checkpoint = save({"model": MODULES[name](), "x": argparse.Namespace()}, tmp_path / "x.pt")
    unsafe = set(get_unsafe_globals_in_checkpoint(tmp_path / "x.pt"))
    assert "argparse.Namespace" in unsafe
    assert unsafe <= set(checkpoint.foreign)


@pytest.mark.parametrize("key", ["model_state_dict", "state_dict", "model", "module", "net"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_training_checkpoint(key: str, legacy: bool, tmp_path: Path) -> None:  # noqa: FBT001 (a row)
    path = tmp_path / "training.pt"
    saved = training(key)
    checkpoint = save(saved, path, legacy=legacy)
    loaded = load(path)
    assert isinstance(loaded, dict)
    assert checkpoint.holds == key
    assert checkpoint.others.keys() == saved.keys() - {key}
    assert {k: checkpoint.metadata[k] for k in ("epoch", "losses", "done")} == {
        "epoch": 3,
        "losses": [1.0, 0.5],
        "done": False,
    }
    assert_same(checkpoint, loaded[key])
    for part in ("optimizer", "ema"):
        assert_same(paramctl.open(path, key=part), loaded[part])
    assert_same(paramctl.open(path, everything=True), loaded)


def test_a_state_dict_two_keys_down_is_found(tmp_path: Path) -> None:
    path = tmp_path / "nested.pt"
    state = mlp().state_dict()
    checkpoint = save({"model": {"state_dict": state, "arch": "mlp"}, "step": 1}, path)
    assert checkpoint.holds == "model.state_dict"
    assert_same(checkpoint, state)
    assert_same(paramctl.open(path, key="model.state_dict"), state)


def test_a_whole_module_in_a_training_checkpoint_is_found(tmp_path: Path) -> None:
    path = tmp_path / "nested.pt"
    checkpoint = save({"model": conv_net(), "epoch": 3}, path)
    loaded = load(path)
    assert isinstance(loaded, dict)
    assert checkpoint.others.keys() == {"epoch"}
    assert_same(checkpoint, loaded["model"])


def test_a_tensor_subclass_is_named(tmp_path: Path) -> None:
    checkpoint = save({"t": torch.rand(2, 3).as_subclass(Tagged)}, tmp_path / "subclass.pt")
    entry = checkpoint["t"]
    assert entry.subclass == f"{Tagged.__module__}.Tagged"
    assert (entry.dtype.name, entry.shape) == ("float32", (2, 3))
    assert f"{Tagged.__module__}.Tagged" in checkpoint.foreign


@pytest.mark.parametrize("name", ["mlp", "conv", "lstm", "norms", "nested", "one layer many times"])
def test_a_torchscript_archive(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / "script.pt")
    torch.jit.script(MODULES[name]()).save(path)  # type: ignore[no-untyped-call]
    script = torch.jit.load(path)  # type: ignore[no-untyped-call]
    parameters = dict(script.named_parameters(remove_duplicate=False))
    checkpoint = paramctl.open(path)
    assert list(checkpoint) == list(script.state_dict())
    for entry_name, tensor in script.state_dict().items():
        entry = checkpoint[entry_name]
        assert entry.kind == ("parameter" if entry_name in parameters else "buffer")
        assert entry.shape == tuple(tensor.shape)
        assert_same_values(entry, tensor)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("mlp", torch.rand(2, 4)),
        ("conv", torch.rand(2, 3, 3, 3)),
        ("norms", torch.rand(2, 4, 4)),
        ("tied", torch.tensor([1, 2])),
    ],
)
def test_an_exported_program(name: str, argument: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "exported.pt2"
    torch.export.save(torch.export.export(MODULES[name]().eval(), (argument,)), path)
    checkpoint = paramctl.open(path)
    program = torch.export.load(path)
    tensors = program.state_dict | program.constants
    assert list(checkpoint) == list(tensors)
    assert checkpoint.aliases == shared_views(tensors)
    for entry_name, tensor in tensors.items():
        entry = checkpoint[entry_name]
        assert entry.kind == ("parameter" if isinstance(tensor, nn.Parameter) else "buffer")
        assert entry.shape == tuple(tensor.shape)
        assert_same_values(entry, tensor)


def test_the_codes_of_types_are_those_of_torch_export() -> None:
    codes = {code.value: str(dtype) for dtype, code in _TORCH_TO_SERIALIZE_DTYPE.items()}
    assert {code: f"torch.{name}" for code, name in SCALAR_TYPES.items()} == codes


def export(buffer: Tensor, path: Path) -> Checkpoint:
    net = nn.Linear(2, 1)
    net.register_buffer("buffer", buffer)
    torch.export.save(torch.export.export(net, (torch.rand(2),)), path)
    return paramctl.open(path)


@pytest.mark.parametrize("dtype", [torch.uint32, torch.uint64, torch.float8_e8m0fnu])
def test_an_exported_buffer_of_a_rare_type(dtype: torch.dtype, tmp_path: Path) -> None:
    buffer = torch.arange(24, dtype=torch.uint8).view(dtype)
    assert_same_values(export(buffer, tmp_path / "exported.pt2")["buffer"], buffer)


def test_what_an_exported_program_pickles_is_listed_and_named_as_code(tmp_path: Path) -> None:
    pair = TwoTensor(torch.rand(3, 2), torch.rand(3, 2))  # type: ignore[no-untyped-call]
    checkpoint = export(pair, tmp_path / "exported.pt2")
    entry = checkpoint["buffer"]
    assert (entry.dtype.name, entry.shape, entry.layout) == ("float32", (3, 2), "pickled")
    assert checkpoint.foreign == ("the pickle data/weights/weight_0",)


@pytest.mark.parametrize("seed", range(5))
def test_a_sharded_folder_of_torch_files(seed: int, tmp_path: Path) -> None:
    state = own_storages(random_state(seed + 1000, SAFETENSORS) | {"last": torch.rand(2)})
    shards = {name: f"pytorch_model-{1 + i % 2:05}-of-00002.bin" for i, name in enumerate(state)}
    for shard in set(shards.values()):
        part = {name: tensor for name, tensor in state.items() if shards[name] == shard}
        torch.save(part, tmp_path / shard)
    index = {"metadata": {"total_size": 1}, "weight_map": shards}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert_same(paramctl.open(tmp_path), state)
