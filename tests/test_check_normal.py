"""What `check` does not tell: what is as it should be in models that people make."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from nets import MODULES, Tied
from safetensors.torch import save_file
from specs import described
from states import checkpoint_of
from test_check import checked, found_in
from test_huggingface import CONFIGS, built
from torch import Tensor, nn

import paramctl as library
from paramctl.check.findings import Finding
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import rules_of_scheme

SAMPLES = Path(__file__).parents[1] / "sample_models"
COPIES = ("encoder",)  # nn.TransformerEncoder copies its layer, values and all
UNKNOWN = ("embeddings",)  # nothing in a state dict says that `word` is an embedding


def found_on_disk(state: Mapping[str, Tensor], folder: Path) -> tuple[Finding, ...]:
    """Check a file that tells neither buffers from parameters nor the classes of layers."""
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model")
    return library.open(folder / "model").check().findings


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", [each for each in MODULES if each not in COPIES + UNKNOWN])
def test_fresh_modules_of_torch(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    assert found_in(MODULES[name]().to(dtype).state_dict()) == ()


def test_layers_that_torch_has_copied_are_told_of() -> None:
    torch.manual_seed(0)
    found = found_in(MODULES["encoder"]().state_dict())
    assert {finding.kind.value for finding in found} == {"duplicate"}


@pytest.mark.parametrize("name", CONFIGS)
def test_fresh_models_of_transformers(name: str, tmp_path: Path) -> None:
    assert found_in(built(CONFIGS[name], tmp_path).state_dict()) == ()


@pytest.mark.parametrize("spec", ["mlp", "cnn", "gpt", "nested", "shared"])
@pytest.mark.parametrize("scheme", ["default", "xavier_uniform", "normal(std=0.02)", "orthogonal"])
def test_fresh_specs(spec: str, scheme: str) -> None:
    checkpoint = described((SAMPLES / f"{spec}.yaml").read_bytes())
    filled = initialize(checkpoint, plan(checkpoint, rules_of_scheme(scheme, [])), 0)
    result = checked(filled)
    assert (result.findings, result.unchecked) == ((), {})
    assert result.tensors


@pytest.mark.parametrize("sample", ["rgnet.pt", "gpt2", "mlp.safetensors", "training.pt"])
def test_samples(sample: str) -> None:
    assert library.open(SAMPLES / sample).check().findings == ()


def test_batch_norms_that_have_seen_batches(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    assert found_on_disk(net.state_dict(), tmp_path) == ()
    net(torch.randn(2, 3, 9, 9))
    assert found_on_disk(net.state_dict(), tmp_path) == ()


@pytest.mark.parametrize(
    "net",
    [
        lambda: nn.LayerNorm([4, 5, 6]),
        lambda: nn.ModuleDict({"ln": nn.LayerNorm([4, 5])}),
        lambda: nn.PReLU(8),
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)),
    ],
)
def test_constants_that_layers_begin_with(net: Callable[[], nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert found_on_disk(net().state_dict(), tmp_path) == ()


def causal(fill: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(6, 6, dtype=dtype).masked_fill(torch.ones(6, 6).triu(1).bool(), fill)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("attn.mask", causal(-torch.inf)),
        ("table", causal(-torch.inf)),
        ("attn.causal_mask", causal(torch.finfo(torch.float32).min)),
        ("attn.bias", torch.ones(1, 1, 6, 6).tril().bool()),
        ("attn.mask", torch.ones(6, 6)),
        ("attn.masked_bias", torch.tensor(torch.finfo(torch.float32).min)),
        ("position_ids", torch.zeros(4, 4, dtype=torch.int64)),
        ("rotary_emb.inv_freq", 1 / 10_000 ** (torch.arange(8) / 8)),
        ("rotary.sin_cached", torch.arange(9.0)[:, None] * torch.ones(4)),
        ("observer.min_val", torch.tensor(torch.inf)),
        ("layer_scale.gamma", torch.full((8,), 1e-6)),
        ("cls_token", torch.zeros(1, 1, 8)),
        ("gate_up_proj_bias", torch.zeros(4, 8)),
        ("logit_scale", torch.tensor(0.0)),
        ("empty.weight", torch.zeros(0, 4)),
    ],
)
def test_tables_and_what_begins_as_one_number(name: str, tensor: Tensor, tmp_path: Path) -> None:
    state = {f"{layer}.{name}": tensor.clone() for layer in range(2)}
    assert found_on_disk(state, tmp_path) == ()


def test_a_positive_infinity_makes_no_mask() -> None:
    (finding,) = found_in({"table": causal(torch.inf)})
    assert finding.kind.value == "inf"
    (finding,) = found_in({"table": torch.full((3, 3), -torch.inf)})
    assert finding.kind.value == "inf"


@pytest.mark.parametrize("name", ["embed_tokens.weight", "wte.weight", "word_embeddings.weight"])
def test_an_embedding_may_have_one_row_of_zeros_for_padding(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weight = nn.Embedding(9, 4, padding_idx=3).weight.detach()
    assert found_on_disk({name: weight}, tmp_path) == ()
    weight[8] = 0
    (finding,) = found_on_disk({name: weight}, tmp_path)
    assert (finding.kind.value, finding.affected, finding.first) == ("dead-rows", 2, (3,))


def test_a_head_that_is_tied_to_an_embedding_may_have_it_too() -> None:
    torch.manual_seed(0)
    net = Tied()
    net.embedding.weight.data[0] = 0
    state = net.state_dict()
    assert found_in({name: state[name] for name in reversed(state)}) == ()


def test_a_class_tells_what_a_name_does_not() -> None:
    checkpoint = described(
        "layers: [{name: word, Embedding: {num_embeddings: 9, embedding_dim: 4}}]"
    )
    filled = initialize(checkpoint, plan(checkpoint, rules_of_scheme("default", [])), 0)
    assert checked(filled).findings == ()


def test_buffers_are_no_weights() -> None:
    net = nn.Module()
    net.register_buffer("weight", torch.zeros(4, 4))
    checkpoint = checkpoint_of(net.state_dict())
    assert [f.kind.value for f in checked(checkpoint).findings] == ["zeros"]
    checkpoint.entries["weight"] = checkpoint.entries["weight"]._replace(kind="buffer")
    assert checked(checkpoint).findings == ()
