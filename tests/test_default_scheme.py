"""The default scheme does what PyTorch's layers do; roles tell what a parameter is for."""

from collections.abc import Callable, Mapping

import pytest
import torch
from recorder import Recorder
from torch import nn

from paramctl.errors import TargetError
from paramctl.init.distributions import Constant, Distribution, Normal, Uniform
from paramctl.init.language import parse_scheme
from paramctl.init.roles import USUAL, Kind, Role, kind_of, role_of
from paramctl.init.targets import Target

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(7, 5),
    "conv1d": lambda: nn.Conv1d(3, 8, 5),
    "conv2d": lambda: nn.Conv2d(3, 8, (5, 2)),
    "conv3d": lambda: nn.Conv3d(2, 4, 3),
    "grouped": lambda: nn.Conv2d(6, 8, 3, groups=2),
    "transposed": lambda: nn.ConvTranspose2d(6, 8, 3),
    "transposed and grouped": lambda: nn.ConvTranspose1d(6, 8, 3, groups=2),
    "embedding": lambda: nn.Embedding(11, 4),
    "embedding bag": lambda: nn.EmbeddingBag(11, 4),
    "layer norm": lambda: nn.LayerNorm((4, )),
    "layer norm of pictures": lambda: nn.LayerNorm((4, 3)),
    "rms norm": lambda: nn.RMSNorm(4),
    "group norm": lambda: nn.GroupNorm(2, 4),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "instance norm": lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "lstm that projects": lambda: nn.LSTM(3, 4, proj_size=2),
    "gru": lambda: nn.GRU(3, 4),
    "rnn": lambda: nn.RNN(3, 4),
    "lstm cell": lambda: nn.LSTMCell(3, 4),
    "attention": lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True),
    "attention of other sizes": lambda: nn.MultiheadAttention(8, 2, kdim=4, vdim=6),
    "bilinear": lambda: nn.Bilinear(3, 4, 5),
    "prelu": lambda: nn.PReLU(3),
}  # fmt: skip
TOLD_BY_NAME = {
    "linear": "fc1",
    "conv1d": "conv",
    "conv2d": "features.0",
    "conv3d": "2",
    "grouped": "conv",
    "transposed": "up",
    "transposed and grouped": "up",
    "embedding": "transformer.wte",
    "embedding bag": "tok_embeddings",
    "layer norm": "h.0.ln_1",
    "rms norm": "input_layernorm",
    "group norm": "block.1",
    "batch norm": "downsample.1",
    "lstm": "lstm",
    "lstm that projects": "lstm",
    "gru": "0",
    "rnn": "rnn",
    "lstm cell": "cell",
}


def targets_of(layer: nn.Module, name: str, *, typed: bool) -> Mapping[str, Target]:
    """Return a target for every tensor in a layer's state, its own submodules' included."""
    found = {}
    for prefix, module in layer.named_modules(prefix=name):
        state = {**dict(module.named_parameters(recurse=False)),
                 **dict(module.named_buffers(recurse=False))}  # fmt: skip
        shapes = {leaf: tuple(tensor.shape) for leaf, tensor in state.items()}
        for leaf, tensor in state.items():
            full = f"{prefix}.{leaf}"
            dtype = str(tensor.dtype).removeprefix("torch.")
            kind = type(module).__name__ if typed else ""
            found[full] = Target(full, shapes[leaf], dtype, kind, siblings=shapes)
    return found


def assert_as_pytorch(layer: nn.Module, recorder: Recorder, name: str, *, typed: bool) -> None:
    scheme = parse_scheme("default")
    state = dict(nn.ModuleDict({"x": layer}).state_dict())
    targets = targets_of(layer, name, typed=typed)
    assert len(targets) == len(state)
    for tensor, target in zip(state.values(), targets.values(), strict=True):
        expected: Distribution | None = recorder.drawn.get(tensor.data_ptr())
        if expected is None:
            assert len(tensor.unique()) == 1
            expected = Constant(tensor.flatten()[0].item())
        assert scheme.distribution(target) == expected, target.name


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_of_a_known_class_is_filled_as_pytorch_does(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    assert_as_pytorch(LAYERS[kind](), recorder, "x", typed=True)


@pytest.mark.parametrize("kind", TOLD_BY_NAME)
def test_a_layer_is_told_from_names_and_shapes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    assert_as_pytorch(LAYERS[kind](), recorder, TOLD_BY_NAME[kind], typed=False)


def test_gpt_2_s_conv1d_is_filled_as_its_authors_did() -> None:
    siblings = {"weight": (16, 48), "bias": (48,)}
    weight = Target("h.0.attn.c_attn.weight", (16, 48), layer="Conv1D", siblings=siblings)
    bias = Target("h.0.attn.c_attn.bias", (48,), layer="Conv1D", siblings=siblings)
    scheme = parse_scheme("default")
    assert scheme.distribution(weight) == Normal(0.0, 0.02)
    assert scheme.distribution(bias) == Constant(0.0)


def test_a_layout_that_somebody_knows_counts() -> None:
    target = Target("c_attn.bias", (48,), layout="in_out", siblings={"weight": (16, 48)})
    assert parse_scheme("default").distribution(target) == Uniform(-0.25, 0.25)


@pytest.mark.parametrize(
    "target",
    [
        Target("cls_token", (1, 1, 8)),
        Target("block.inv_freq", (8,)),
        Target("fc.bias", (8,)),
        Target("act.weight", (8,)),
        Target("fc.weight_g", (8, 1)),
        Target("fc.weight", (8, 8), "int8", "Linear"),
        Target("fc.bias", (8,), layer="Linear"),
        Target("fc.weight", (8,), layer="Linear"),
        Target("lstm.weight_ih_l0", (8, 8)),
        Target("x.weight", (2, 2), layer="Bilinear"),
        Target("x.other", (2,), layer="Bilinear", siblings={"weight": (2, 3, 4)}),
        Target("emb.other", (2, 2), layer="Embedding"),
    ],
)
def test_what_cannot_be_told_is_said(target: Target) -> None:
    with pytest.raises(TargetError, match=f"'{target.name}' of shape .* is not known"):
        parse_scheme("default").distribution(target)


def test_a_layer_without_inputs_has_biases_of_zero() -> None:
    target = Target("fc.bias", (3,), siblings={"weight": (3, 0)})
    assert parse_scheme("default").distribution(target) == Constant(0.0)


@pytest.mark.parametrize(
    ("target", "role"),
    [
        (Target("fc.weight", (8, 4)), Role.WEIGHT),
        (Target("fc.bias", (8,)), Role.BIAS),
        (Target("h.0.ln_1.weight", (8,)), Role.NORM_WEIGHT),
        (Target("ln_f.weight", (8,)), Role.NORM_WEIGHT),
        (Target("model.layers.0.input_layernorm.weight", (8,)), Role.NORM_WEIGHT),
        (Target("encoder.LayerNorm.gamma", (8,)), Role.NORM_WEIGHT),
        (Target("encoder.LayerNorm.beta", (8,)), Role.BIAS),
        (Target("bn1.running_mean", (8,)), Role.RUNNING_MEAN),
        (Target("bn1.running_var", (8,)), Role.RUNNING_VAR),
        (Target("bn1.num_batches_tracked", (), "int64"), Role.BATCHES),
        (Target("1.weight", (8,), siblings={"running_mean": (8,)}), Role.NORM_WEIGHT),
        (Target("1.weight", (8,), layer="BatchNorm2d"), Role.NORM_WEIGHT),
        (Target("1.weight", (8,), layer="LlamaRMSNorm"), Role.NORM_WEIGHT),
        (Target("1.weight", (8,)), Role.UNKNOWN),
        (Target("wte.weight", (8, 4)), Role.EMBEDDING),
        (Target("bert.embeddings.word_embeddings.weight", (8, 4)), Role.EMBEDDING),
        (Target("0.weight", (8, 4), layer="Embedding"), Role.EMBEDDING),
        (Target("embed_out.weight", (8, 4)), Role.WEIGHT),
        (Target("lm_head.weight", (8, 4)), Role.WEIGHT),
        (Target("lstm.weight_ih_l0", (16, 4)), Role.WEIGHT),
        (Target("lstm.bias_ih_l0", (16,)), Role.BIAS),
        (Target("attn.in_proj_weight", (24, 8)), Role.WEIGHT),
        (Target("attn.in_proj_bias", (24,)), Role.BIAS),
        (Target("rand_weight", (8, 8)), Role.WEIGHT),
        (Target("W1", (8, 8)), Role.WEIGHT),
        (Target("b1", (8,)), Role.BIAS),
        (Target("fc.weight_v", (8, 8)), Role.WEIGHT),
        (Target("fc.weight_g", (8, 1)), Role.UNKNOWN),
        (Target("attn.bias", (1, 1, 8, 8)), Role.UNKNOWN),
        (Target("attn.bias", (2, 4), siblings={"kernel": (8, 2, 4)}), Role.BIAS),
        (Target("dense.bias:0", (8,)), Role.BIAS),
        (Target("stem.gamma:0", (8,), siblings={"gamma": (8,), "beta": (8,)}), Role.NORM_WEIGHT),
        (Target("layer_normalization.beta", (8, 8)), Role.BIAS),
        (Target("rms_normalization.scale", (8, 8)), Role.NORM_WEIGHT),
        (Target("ln.weight", (8, 8), layer="LayerNorm"), Role.NORM_WEIGHT),
        (Target("bn.moving_mean", (8,)), Role.RUNNING_MEAN),
        (Target("bn.moving_variance:0", (8,)), Role.RUNNING_VAR),
        (Target("emb.embeddings:0", (8, 4)), Role.EMBEDDING),
        (Target("prelu.alpha", (8, 4)), Role.UNKNOWN),
        (Target("attn.bias", (1, 1, 8, 8), "bool"), Role.UNKNOWN),
        (Target("pos_embed", (1, 8, 8)), Role.UNKNOWN),
        (Target("fc.weight", (8, 8), "int8"), Role.UNKNOWN),
        (Target("fc.weight", (8, 8), "bfloat16"), Role.WEIGHT),
        (Target("window.size", (8,)), Role.UNKNOWN),
    ],
    ids=lambda value: value.name if isinstance(value, Target) else "",
)
def test_roles_are_told_from_names_and_shapes(target: Target, role: Role) -> None:
    assert role_of(target) is role


def test_the_usual_fillings_are_pytorch_s() -> None:
    norm = nn.BatchNorm1d(3)
    for leaf, tensor in norm.state_dict().items():
        shapes = {leaf: tuple(tensor.shape) for leaf, tensor in norm.state_dict().items()}
        dtype = str(tensor.dtype).removeprefix("torch.")
        target = Target(f"0.{leaf}", shapes[leaf], dtype, siblings=shapes)
        assert torch.all(tensor == USUAL[role_of(target)])


def test_a_class_of_the_user_s_own_does_not_hide_what_names_tell() -> None:
    assert kind_of(Target("x.ln.weight", (8,), layer="my.nets.Fancy")) is Kind.NORM
    assert kind_of(Target("x.weight", (8,), layer="torch.nn.LayerNorm")) is Kind.NORM
