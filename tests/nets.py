"""Nets and other values that people save: every kind of layer, of tensor and of checkpoint."""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn


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
    "transformer": lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
    "encoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2
    ),
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
    "nested": lambda: nn.ModuleDict({"block 0": mlp(), "block 1": conv_net()}),
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
