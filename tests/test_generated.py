"""A few hundred generated files hold what torch and safetensors say they hold."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from generated import SAFETENSORS, SAVED, TYPED, own_storages, random_state
from oracle import TORCH_WARNINGS, assert_same, assert_same_safetensors, assert_same_values
from safetensors.torch import save_file, save_model
from torch import Tensor, nn
from torch.serialization import get_unsafe_globals_in_checkpoint

import paramctl
from paramctl.checkpoint import Checkpoint, Entry, ReadOptions

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]


class Tagged(torch.Tensor):
    """A tensor that is more than a tensor."""


class Tied(nn.Module):
    """A language model's usual tie, a buffer that is not saved, and a layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight
        self.first = self.second = nn.Linear(4, 4)
        self.register_buffer("mask", torch.ones(3, 3).tril().bool(), persistent=False)
        self.register_buffer("nothing", None)
        self.frozen = nn.Parameter(torch.rand(2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Do what a tied model does."""
        logits: Tensor = self.head(self.second(self.first(self.embedding(x))))
        return logits


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)
    )


def parameter_with_an_attribute() -> nn.Module:
    net = nn.Linear(2, 2)
    net.weight.tag = "mine"  # type: ignore[attr-defined]
    return net


MODULES: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "conv": conv_net,
    "conv 1d, 3d, transposed": lambda: nn.ModuleList(
        [nn.Conv1d(2, 3, 2), nn.Conv3d(1, 2, 2), nn.ConvTranspose2d(2, 3, 2)]
    ),
    "channels last": lambda: conv_net().to(memory_format=torch.channels_last),  # type: ignore[call-overload]
    "half": lambda: mlp().half(),
    "bfloat16": lambda: conv_net().bfloat16(),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "gru": lambda: nn.GRU(3, 4, batch_first=True),
    "rnn cell": lambda: nn.RNNCell(3, 4),
    "transformer": lambda: nn.Transformer(8, 2, 1, 1, 16),
    "encoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2),
    "attention": lambda: nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True),
    "norms": lambda: nn.Sequential(
        nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.RMSNorm(4), nn.InstanceNorm1d(4, affine=True)
    ),
    "batch norm without affine": lambda: nn.BatchNorm1d(4, affine=False),
    "embeddings": lambda: nn.ModuleDict(
        {"word": nn.Embedding(5, 3, padding_idx=0), "bag": nn.EmbeddingBag(5, 3)}
    ),
    "parameter list": lambda: nn.ParameterList([torch.rand(2), nn.Parameter(torch.rand(3))]),
    "parameter dict": lambda: nn.ParameterDict({"a b": torch.rand(2), "c": torch.rand(())}),
    "nested": lambda: nn.ModuleDict({"block 0": mlp(), "block.1".replace(".", "_"): conv_net()}),
    "tied": Tied,
    "one layer many times": lambda: nn.Sequential(*[nn.Linear(3, 3)] * 4),
    "data parallel": lambda: nn.DataParallel(conv_net()),
    "bilinear": lambda: nn.Bilinear(2, 3, 4),
    "no parameters": lambda: nn.Sequential(nn.ReLU(), nn.Identity()),
    "parameter with an attribute": parameter_with_an_attribute,
}

STATES: dict[str, Callable[[], object]] = {
    "weight norm": lambda: torch.nn.utils.parametrizations.weight_norm(
        nn.Linear(3, 2)
    ).state_dict(),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2)).state_dict(),
    "compiled prefix": lambda: {f"_orig_mod.{k}": v for k, v in mlp().state_dict().items()},
    "sparse coo": lambda: {"s": torch.eye(3).to_sparse(), "d": torch.eye(2)},
    "sparse coo of rows": lambda: {"s": torch.rand(4, 3).to_sparse(1)},
    "sparse csr": lambda: {"s": torch.eye(3).to_sparse_csr()},
    "sparse csc": lambda: {"s": torch.eye(3).to_sparse_csc()},
    "sparse bsr": lambda: {"s": torch.eye(4).to_sparse_bsr((2, 2))},
    "sparse bsc": lambda: {"s": torch.eye(4).to_sparse_bsc((2, 2))},
    "nested tensor": lambda: {"n": torch.nested.nested_tensor([torch.rand(2), torch.rand(3)])},
    "meta tensor": lambda: {"m": torch.empty(3, 4, device="meta"), "d": torch.rand(2)},
    "qint8": lambda: {"q": torch.quantize_per_tensor(torch.rand(2, 3), 0.1, 2, torch.qint8)},
    "quint8": lambda: {"q": torch.quantize_per_tensor(torch.rand(5), 0.1, 2, torch.quint8)},
    "qint32": lambda: {"q": torch.quantize_per_tensor(torch.rand(5), 0.1, 2, torch.qint32)},
    "quantized per channel": lambda: {
        "q": torch.quantize_per_channel(
            torch.rand(2, 3), torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), 0, torch.qint8
        )
    },
    "conjugate": lambda: {"c": torch.randn(3, dtype=torch.complex64).conj()},
    "negative": lambda: {"c": torch.randn(3, dtype=torch.complex128).conj().imag},
    "real part": lambda: {"c": (c := torch.randn(3, dtype=torch.complex64)), "r": c[1:]},
    "columns": lambda: {"q": (m := torch.rand(4, 6))[:, :2], "k": m[:, 2:4], "v": m[:, 4:]},
    "flipped numpy": lambda: {"n": torch.from_numpy(torch.rand(3).numpy()[::-1].copy())},
    "list of tensors": lambda: [torch.rand(2), (torch.rand(1), {"a": torch.rand(3)})],
    "numbered": lambda: {0: torch.rand(2), 1: {2: torch.rand(1)}},
    "one tensor in a dict": lambda: {"": torch.rand(2)},
    "with None": lambda: {"a": None, "b": torch.rand(2), "c": 3, "d": "text", "e": [1.5, None]},
    "optimizer": lambda: training("model")["optimizer"],
}


def training(key: str) -> dict[str, object]:
    """Return what training scripts save, the model under `key`."""
    net = conv_net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(torch.rand(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    return {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, name="x"),
        key: net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
        "ema": {name: tensor.clone() for name, tensor in net.state_dict().items()},
        "rng": torch.get_rng_state(),
        "losses": [1.0, 0.5],
        "best": float("inf"),
        "done": False,
    }


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
        assert later not in checkpoint.tied_to(earlier)
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
def test_overlaps_are_true(seed: int, tmp_path: Path) -> None:
    assert_true_overlaps(save(random_state(seed, ["float32"]), tmp_path / "random.pt"))


def test_every_view_that_overlaps_one_before_it_is_told(tmp_path: Path) -> None:
    base = torch.rand(10)
    state = {"middle": base[2:4], "next": base[3:5], "all": base, "far": base[8:], "same": base}
    checkpoint = save({"other": torch.rand(10), **state}, tmp_path / "overlaps.pt")
    assert checkpoint.overlaps.keys() == {"next", "all", "far"}
    assert checkpoint.aliases == {"same": "all"}
    assert_true_overlaps(checkpoint)


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
        assert_same(paramctl.open(path, ReadOptions(key=part)), loaded[part])
    assert_same(paramctl.open(path, ReadOptions(everything=True)), loaded)


def test_a_state_dict_two_keys_down_is_found(tmp_path: Path) -> None:
    path = tmp_path / "nested.pt"
    state = mlp().state_dict()
    checkpoint = save({"model": {"state_dict": state, "arch": "mlp"}, "step": 1}, path)
    assert checkpoint.holds == "model.state_dict"
    assert_same(checkpoint, state)
    assert_same(paramctl.open(path, ReadOptions(key="model.state_dict")), state)


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
    state = torch.export.load(path).state_dict
    assert sorted(checkpoint) == sorted(state)
    for entry_name, tensor in state.items():
        entry = checkpoint[entry_name]
        assert entry.kind == ("parameter" if isinstance(tensor, nn.Parameter) else "buffer")
        assert entry.shape == tuple(tensor.shape)
        assert_same_values(entry, tensor)


@pytest.mark.parametrize("seed", range(5))
def test_a_sharded_folder_of_torch_files(seed: int, tmp_path: Path) -> None:
    state = own_storages(random_state(seed + 1000, SAVED) | {"last": torch.rand(2)})
    shards = {name: f"pytorch_model-{1 + i % 2:05}-of-00002.bin" for i, name in enumerate(state)}
    for shard in set(shards.values()):
        part = {name: tensor for name, tensor in state.items() if shards[name] == shard}
        torch.save(part, tmp_path / shard)
    index = {"metadata": {"total_size": 1}, "weight_map": shards}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert_same(paramctl.open(tmp_path), state)
