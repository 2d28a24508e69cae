"""Specs give the modules that a PyTorch script writes: names, shapes, classes, outputs, ties."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from forks import Forks
from safetensors.torch import load_file, load_model
from specs import built, described, forward, with_values_of
from torch import Tensor, nn

import paramctl
from paramctl.models import annotations
from paramctl.models.classes import class_names, describe, parameters_of

SAMPLES = Path(__file__).parents[1] / "sample_models"
sys.path.insert(0, str(SAMPLES))
from make import mlp, rgnet, shared_mlp  # noqa: E402 (beside the samples that they made)

CHAPTER = {"mlp": mlp, "nested": rgnet, "shared": shared_mlp}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Linear: [4, 8]": lambda: nn.Linear(4, 8),
    "Linear: {in_features: 4, out_features: 8, bias: false}": lambda: nn.Linear(4, 8, bias=False),
    "Conv2d: {in_channels: 3, out_channels: 16, kernel_size: 3}": lambda: nn.Conv2d(3, 16, 3),
    "Conv2d: [3, 6, [3, 5], 2, 1, [1, 2], 3]": lambda: nn.Conv2d(3, 6, (3, 5), 2, 1, (1, 2), 3),
    "Conv1d: {in_channels: 3, out_channels: 4, kernel_size: 3, padding: same}": lambda: nn.Conv1d(
        3, 4, 3, padding="same"
    ),
    "ConvTranspose2d: [3, 4, 2]": lambda: nn.ConvTranspose2d(3, 4, 2),
    "BatchNorm2d: 8": lambda: nn.BatchNorm2d(8),
    "BatchNorm1d: {num_features: 8, momentum: null}": lambda: nn.BatchNorm1d(8, momentum=None),
    "LayerNorm: [[4, 8]]": lambda: nn.LayerNorm((4, 8)),
    "LayerNorm: {normalized_shape: 8, eps: 1e-6}": lambda: nn.LayerNorm(8, eps=1e-6),
    "RMSNorm: 8": lambda: nn.RMSNorm(8),
    "GroupNorm: [2, 8]": lambda: nn.GroupNorm(2, 8),
    "Embedding: {num_embeddings: 10, embedding_dim: 4, padding_idx: -1}": lambda: nn.Embedding(
        10, 4, padding_idx=-1
    ),
    "EmbeddingBag: {num_embeddings: 10, embedding_dim: 4, mode: sum}": lambda: nn.EmbeddingBag(
        10, 4, mode="sum"
    ),
    "LSTM: {input_size: 3, hidden_size: 4, num_layers: 2, bidirectional: true}": lambda: nn.LSTM(
        3, 4, 2, bidirectional=True
    ),
    "GRU: [3, 4]": lambda: nn.GRU(3, 4),
    "RNN: {input_size: 3, hidden_size: 4, nonlinearity: relu}": lambda: nn.RNN(
        3, 4, nonlinearity="relu"
    ),
    "MultiheadAttention: [8, 2]": lambda: nn.MultiheadAttention(8, 2),
    "MultiheadAttention: {embed_dim: 8, num_heads: 2, kdim: 8, add_bias_kv: true}": lambda: (
        nn.MultiheadAttention(8, 2, kdim=8, add_bias_kv=True)
    ),
    "TransformerEncoderLayer: {d_model: 8, nhead: 2, activation: gelu}": lambda: (
        nn.TransformerEncoderLayer(8, 2, activation="gelu")
    ),
    "Upsample: {scale_factor: 2, mode: nearest}": lambda: nn.Upsample(
        scale_factor=2, mode="nearest"
    ),
    "Unflatten: [1, [2, 4]]": lambda: nn.Unflatten(1, (2, 4)),
    "AdaptiveAvgPool2d: [[null, 3]]": lambda: nn.AdaptiveAvgPool2d((None, 3)),
    "Dropout: 0.1": lambda: nn.Dropout(0.1),
    "LeakyReLU: 0.2": lambda: nn.LeakyReLU(0.2),
    "GELU: tanh": lambda: nn.GELU("tanh"),
    "PReLU": nn.PReLU,
    "ReLU:": nn.ReLU,
    "ReLU: []": nn.ReLU,
    "ReLU: true": lambda: nn.ReLU(inplace=True),
    "Softmax: {dim: -1}": lambda: nn.Softmax(dim=-1),
    "Identity": nn.Identity,
}


def shapes(module: nn.Module) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(t.shape), t.dtype) for name, t in module.state_dict().items()}


@pytest.mark.parametrize("name", CHAPTER)
def test_the_chapter_s_models_are_those_of_pytorch(name: str) -> None:
    net = CHAPTER[name]()
    model = paramctl.open(SAMPLES / f"{name}.yaml")
    state = net.state_dict(keep_vars=True)
    assert {each: entry.shape for each, entry in model.items()} == {
        each: tuple(tensor.shape) for each, tensor in state.items()
    }
    assert model.types == {
        path: type(each).__name__ for path, each in net.named_modules(remove_duplicate=False)
    }
    first = {id(tensor): each for each, tensor in reversed(state.items())}
    assert model.aliases == {
        each: first[id(tensor)] for each, tensor in state.items() if first[id(tensor)] != each
    }
    assert model.build is not None
    assert str(model.build("meta")) == str(net)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_the_one_that_pytorch_makes(layer: str) -> None:
    module = built(f"layers: [{{{layer}}}]" if ":" in layer else f"layers: [{layer}]")
    net = nn.Sequential(LAYERS[layer]())
    assert str(module) == str(net)
    assert shapes(module) == shapes(net)


@pytest.mark.parametrize("name", class_names())
def test_every_class_says_what_it_is_made_with(name: str) -> None:
    assert describe(name).startswith(f"{name}(")
    hidden = {"device", "dtype", "self", "args", "kwargs"}
    assert not hidden & parameters_of(name).keys()
    for parameter in parameters_of(name).values():
        assert "nothing" not in annotations.describe(parameter.annotation)


def test_what_parameters_there_are_does_not_hang_on_the_batch_of_a_build() -> None:
    module = built("{dtype: bfloat16, layers: [{Linear: [4, 8]}, {BatchNorm1d: 8}]}")
    assert shapes(module)["0.weight"] == ((8, 4), torch.bfloat16)
    assert shapes(module)["1.num_batches_tracked"] == ((), torch.int64)
    assert torch.get_default_dtype() is torch.float32


def test_variables_are_numbers_sums_products_and_quotients() -> None:
    model = described("""
vars:
  d: 64
  ff: ${4 * d}
  half: ${d / 2}
layers:
  - Linear: [${d}, ${ff + 1}]
  - Linear: {in_features: ${ff + 1}, out_features: "${half}"}
  - Dropout: ${1 / 4}
""")
    assert [entry.shape for entry in model.values()] == [(257, 64), (257,), (32, 257), (32,)]


def test_json_is_a_spec_too() -> None:
    spec = {"vars": {"d": 4}, "layers": [{"Linear": ["${d}", 8]}, {"LayerNorm": {
        "normalized_shape": 8, "eps": 1e-12}}, {"ReLU": None, "name": "act"}]}  # fmt: skip
    for text in (json.dumps(spec), json.dumps(spec, indent="\t")):
        net = built(text)
        assert str(net[1]) == str(nn.LayerNorm(8, eps=1e-12))  # type: ignore[index]
        assert [name for name, _ in net.named_children()] == ["0", "1", "act"]


@pytest.mark.parametrize("name", ["mlp", "nested", "shared", "cnn", "gpt"])
def test_a_spec_that_was_carried_is_the_same_spec(name: str) -> None:
    model = paramctl.open(SAMPLES / f"{name}.yaml")
    again = described(model.metadata["paramctl.spec"])
    assert again.entries == model.entries
    assert (again.aliases, again.types) == (model.aliases, model.types)
    assert again.metadata == model.metadata
    assert model.build
    assert again.build
    assert str(again.build("meta")) == str(model.build("meta"))


# What torch.nn has not


def test_a_residual_adds_what_comes_in() -> None:
    net = built("layers: [{residual: [{Linear: [4, 4]}, ReLU]}]")
    x = torch.randn(3, 4)
    linear = net.get_submodule("0.0")
    assert torch.equal(forward(net, x), x + torch.relu(forward(linear, x)))


def test_a_shortcut_is_what_a_residual_s_input_passes() -> None:
    net = built("layers: [{residual: [{Linear: [4, 6]}], shortcut: [{Linear: [4, 6]}]}]")
    x = torch.randn(3, 4)
    inner, shortcut = net.get_submodule("0.0"), net.get_submodule("0.shortcut")
    assert torch.equal(forward(net, x), forward(shortcut, x) + forward(inner, x))


@pytest.mark.parametrize(
    ("options", "join"),
    [
        ("", lambda a, b: a + b),
        ("join: add, ", lambda a, b: a + b),
        ("join: concatenate, ", lambda a, b: torch.cat([a, b], 1)),
        ("join: concatenate, dim: 0, ", lambda a, b: torch.cat([a, b], 0)),
    ],
)
def test_parallel_layers_are_joined(options: str, join: Callable[[Tensor, Tensor], Tensor]) -> None:
    net = built(f"layers: [{{{options}parallel: [{{Linear: [4, 6]}}, {{Linear: [4, 6]}}]}}]")
    x = torch.randn(3, 4)
    one, other = (net.get_submodule(f"0.{place}") for place in "01")
    assert torch.equal(forward(net, x), join(forward(one, x), forward(other, x)))


def test_positions_are_numbers_from_0() -> None:
    net = built("layers: [{positions: [{Embedding: [9, 4]}]}]")
    weight = net.get_submodule("0.0").get_parameter("weight")
    assert torch.equal(forward(net, torch.full((2, 5), 7)), weight[:5])


@pytest.mark.parametrize("is_causal", [False, True])
def test_attention_is_of_what_comes_in_with_itself(*, is_causal: bool) -> None:
    causal = str(is_causal).lower()
    net = built(
        "layers: [{MultiheadAttention: {embed_dim: 8, num_heads: 2, batch_first: true,"
        f" is_causal: {causal}}}}}]"
    )
    plain = with_values_of(nn.MultiheadAttention(8, 2, batch_first=True), net.get_submodule("0"))
    x = torch.randn(3, 5, 8)
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1) if is_causal else None
    expected, _ = plain(x, x, x, need_weights=False, attn_mask=mask)
    assert torch.allclose(forward(net, x), expected, atol=1e-6)


def test_a_causal_encoder_layer_looks_at_nothing_behind() -> None:
    net = built(
        "layers: [{TransformerEncoderLayer: {d_model: 8, nhead: 2, batch_first: true,"
        " is_causal: true}}]"
    )
    plain = nn.TransformerEncoderLayer(8, 2, batch_first=True)
    with_values_of(plain, net.get_submodule("0"))
    x = torch.randn(3, 5, 8)
    with torch.no_grad():
        expected = plain(x, nn.Transformer.generate_square_subsequent_mask(5))
    assert torch.allclose(forward(net, x), expected, atol=1e-6)


def test_a_recurrent_layer_gives_every_step() -> None:
    net = built("layers: [{LSTM: {input_size: 3, hidden_size: 4}}]")
    plain = with_values_of(nn.LSTM(3, 4), net.get_submodule("0"))
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        assert torch.equal(forward(net, x), plain(x)[0])


def test_the_small_gpt_is_the_one_that_is_written_out_in_pytorch() -> None:
    net = built((SAMPLES / "gpt.yaml").read_text())
    get = net.state_dict().__getitem__
    tokens = torch.randint(65, (2, 8))
    x = F.embedding(tokens, get("embedding.tokens.weight"))
    x = x + get("embedding.places.0.weight")[:8]
    for block in range(4):
        at = f"blocks.{block}.attention"
        y = F.layer_norm(x, [32], get(f"{at}.0.weight"), get(f"{at}.0.bias"))
        qkv = F.linear(y, get(f"{at}.1.in_proj_weight"), get(f"{at}.1.in_proj_bias"))
        q, k, v = (part.view(2, 8, 4, 8).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.transpose(1, 2).reshape(2, 8, 32)
        x = x + F.linear(y, get(f"{at}.1.out_proj.weight"), get(f"{at}.1.out_proj.bias"))
        at = f"blocks.{block}.mlp"
        y = F.layer_norm(x, [32], get(f"{at}.0.weight"), get(f"{at}.0.bias"))
        y = F.gelu(F.linear(y, get(f"{at}.1.weight"), get(f"{at}.1.bias")))
        x = x + F.linear(y, get(f"{at}.3.weight"), get(f"{at}.3.bias"))
    x = F.layer_norm(x, [32], get("norm.weight"), get("norm.bias"))
    expected = F.linear(x, get("head.weight"))
    assert torch.allclose(forward(net, tokens), expected, atol=1e-4)


# Ties


def test_a_definition_is_one_module_wherever_it_stands() -> None:
    model = described("""
define:
  inner: {Linear: [4, 4]}
  outer: {layers: [inner, ReLU, {Linear: [4, 4]}]}
layers:
  - {repeat: 2, name: "block {i}", outer: }
  - inner
""")
    assert model.aliases == {
        "block 1.0.weight": "block 0.0.weight",
        "block 1.0.bias": "block 0.0.bias",
        "block 1.2.weight": "block 0.2.weight",
        "block 1.2.bias": "block 0.2.bias",
        "2.weight": "block 0.0.weight",
        "2.bias": "block 0.0.bias",
    }


def test_tie_makes_parameters_and_layers_one() -> None:
    text = "layers: [{Embedding: [5, 4]}, {Linear: [4, 4]}, {Linear: [4, 4]}, {Linear: [4, 5]}]"
    model = described(f"{text}\ntie: {{3.weight: 0.weight, 1: 2}}")
    assert model.aliases == {
        "3.weight": "0.weight",
        "2.weight": "1.weight",
        "2.bias": "1.bias",
    }


def test_ties_of_ties_are_one() -> None:
    text = "layers: [{Linear: [4, 4]}, {Linear: [4, 4]}, {Linear: [4, 4]}]"
    model = described(f"{text}\ntie: {{2.weight: 1.weight, 1.weight: 0.weight}}")
    assert model.aliases == {"1.weight": "0.weight", "2.weight": "0.weight"}


# From the shell


def test_a_model_drawn_from_a_spec_is_the_one_drawn_in_a_file(forks: Forks, tmp_path: Path) -> None:
    for name in ("mlp.yaml", "mlp.pt"):
        run = forks.run(
            *("init", SAMPLES / name, "--scheme", "default", "--seed", "7"),
            *("-o", tmp_path / f"{name}.safetensors"),
        )
        assert run.code == 0, run.err
    one, other = (load_file(tmp_path / f"{name}.safetensors") for name in ("mlp.yaml", "mlp.pt"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_spec_without_a_scheme_gets_pytorch_s_own(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("init", SAMPLES / "shared.yaml", "--seed", "1", "-o", tmp_path / "x")
    assert run.code == 0, run.err
    net = shared_mlp()
    assert not any(load_model(net, tmp_path / "x"))
    assert net[2].weight is net[4].weight
    bound = 8**-0.5
    largest = float(net.get_parameter("2.weight").detach().abs().max())
    assert 0.7 * bound < largest < bound  # of U(-b, b), 64 values
    assert paramctl.open(tmp_path / "x").aliases == {"4.weight": "2.weight", "4.bias": "2.bias"}


def test_a_rule_for_one_layer_leaves_pytorch_s_own_to_the_others(
    forks: Forks, tmp_path: Path
) -> None:
    run = forks.run(
        *("init", SAMPLES / "mlp.yaml", "--rule", "2=constant(42)", "--seed", "1"),
        *("-o", tmp_path / "x"),
    )
    assert run.code == 0, run.err
    state = load_file(tmp_path / "x")
    assert torch.equal(state["2.weight"], torch.full((1, 8), 42.0))
    assert 0 < float(state["0.weight"].abs().max()) < 0.5


@pytest.mark.parametrize("verb", [("tie", "0", "2"), ("set", "0.weight = 1"), ("untie",)])
def test_what_has_no_values_is_not_written(
    verb: tuple[str, ...], forks: Forks, tmp_path: Path
) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text("layers: [{Linear: [4, 4]}, ReLU, {Linear: [4, 4]}]\ntie: {0.bias: 2.bias}")
    run = forks.run(verb[0], spec, *verb[1:], "-o", tmp_path / "x")
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert "paramctl init gives it some" in run.err
    assert not (tmp_path / "x").exists()


def test_values_that_are_not_there_cannot_be_shown(forks: Forks) -> None:
    run = forks.run("show", SAMPLES / "mlp.yaml", "0.weight[0]")
    assert "it has no values yet, init gives it some" in run.out + run.err


def test_a_listing_of_70_billion_parameters_takes_no_memory_for_them() -> None:
    model = described("""
dtype: bfloat16
vars: {d: 8192, ff: 28672}
layers:
  - Embedding: [128256, ${d}]
  - repeat: 80
    layers:
      - RMSNorm: ${d}
      - Linear: {in_features: ${d}, out_features: ${d + 2048}, bias: false}
      - Linear: {in_features: ${d}, out_features: ${d}, bias: false}
      - RMSNorm: ${d}
      - Linear: {in_features: ${d}, out_features: ${2 * ff}, bias: false}
      - Linear: {in_features: ${ff}, out_features: ${d}, bias: false}
  - RMSNorm: ${d}
  - Linear: {in_features: ${d}, out_features: 128256, bias: false}
""")
    assert sum(entry.numel for entry in model.values()) == 70_553_706_496
    assert all(entry.storage is None for entry in model.values())
    assert model.build is not None
    assert all(tensor.is_meta for tensor in model.build("meta").state_dict().values())
