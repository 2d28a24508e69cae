"""The parameters of well-known architectures, with the mean and std that are published for each.

Names and shapes are those of the libraries' state dicts, at small sizes. What is expected follows
from what a layer is, as in the code that is cited in each recipe, not from the layer's name.
"""

from collections.abc import Callable, Iterator, Mapping
from math import sqrt
from typing import NamedTuple

LAYERS, WIDTH, INNER, VOCABULARY, POSITIONS = 3, 16, 64, 50, 20
HEADS, HEAD_WIDTH = 4, 8
STD = 0.02


class Expected(NamedTuple):
    """A parameter, and the theoretical mean and std of its values; None: it is to be kept."""

    name: str
    shape: tuple[int, ...]
    mean: float | None = 0.0
    std: float | None = 0.0
    dtype: str = "float32"


def linear(
    name: str, outputs: int, inputs: int, std: float, *, bias: bool = True, conv1d: bool = False
) -> Iterator[Expected]:
    yield Expected(f"{name}.weight", (inputs, outputs) if conv1d else (outputs, inputs), 0.0, std)
    if bias:
        yield Expected(f"{name}.bias", (outputs,))


def norm(name: str, width: int = WIDTH, *, bias: bool = True) -> Iterator[Expected]:
    yield Expected(f"{name}.weight", (width,), 1.0)
    if bias:
        yield Expected(f"{name}.bias", (width,))


def embedding(name: str, rows: int, std: float, width: int = WIDTH) -> Iterator[Expected]:
    yield Expected(f"{name}.weight", (rows, width), 0.0, std)


def xavier(outputs: int, inputs: int) -> float:
    return sqrt(2 / (outputs + inputs))


def gpt2(*, conv1d: bool = True) -> Iterator[Expected]:
    residual = 0.02 / sqrt(2 * LAYERS)
    yield from embedding("wte", VOCABULARY, STD)
    yield from embedding("wpe", POSITIONS, STD)
    for i in range(LAYERS):
        yield from norm(f"h.{i}.ln_1")
        yield from linear(f"h.{i}.attn.c_attn", 3 * WIDTH, WIDTH, STD, conv1d=conv1d)
        yield from linear(f"h.{i}.attn.c_proj", WIDTH, WIDTH, residual, conv1d=conv1d)
        yield Expected(f"h.{i}.attn.bias", (1, 1, POSITIONS, POSITIONS), None, None)
        yield Expected(f"h.{i}.attn.masked_bias", (), None, None)
        yield from norm(f"h.{i}.ln_2")
        yield from linear(f"h.{i}.mlp.c_fc", INNER, WIDTH, STD, conv1d=conv1d)
        yield from linear(f"h.{i}.mlp.c_proj", WIDTH, INNER, residual, conv1d=conv1d)
    yield from norm("ln_f")


def nano_gpt() -> Iterator[Expected]:
    yield from (each._replace(name=f"transformer.{each.name}") for each in gpt2(conv1d=False))
    yield from linear("lm_head", VOCABULARY, WIDTH, STD, bias=False)


def llama() -> Iterator[Expected]:
    yield from embedding("model.embed_tokens", VOCABULARY, STD)
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        for part, outputs in {"q": WIDTH, "k": 8, "v": 8, "o": WIDTH}.items():
            yield from linear(f"{layer}.self_attn.{part}_proj", outputs, WIDTH, STD, bias=False)
        yield Expected(f"{layer}.self_attn.rotary_emb.inv_freq", (4,), None, None)
        yield from linear(f"{layer}.mlp.gate_proj", INNER, WIDTH, STD, bias=False)
        yield from linear(f"{layer}.mlp.up_proj", INNER, WIDTH, STD, bias=False)
        yield from linear(f"{layer}.mlp.down_proj", WIDTH, INNER, STD, bias=False)
        yield from norm(f"{layer}.input_layernorm", bias=False)
        yield from norm(f"{layer}.post_attention_layernorm", bias=False)
    yield from norm("model.norm", bias=False)
    yield from linear("lm_head", VOCABULARY, WIDTH, STD, bias=False)


def meta_llama() -> Iterator[Expected]:
    yield from embedding("tok_embeddings", VOCABULARY, STD)
    for i in range(LAYERS):
        for part in ("wq", "wk", "wv", "wo"):
            yield from linear(f"layers.{i}.attention.{part}", WIDTH, WIDTH, STD, bias=False)
        yield from linear(f"layers.{i}.feed_forward.w1", INNER, WIDTH, STD, bias=False)
        yield from linear(f"layers.{i}.feed_forward.w2", WIDTH, INNER, STD, bias=False)
        yield from linear(f"layers.{i}.feed_forward.w3", INNER, WIDTH, STD, bias=False)
        yield from norm(f"layers.{i}.attention_norm", bias=False)
        yield from norm(f"layers.{i}.ffn_norm", bias=False)
    yield from norm("norm", bias=False)
    yield from linear("output", VOCABULARY, WIDTH, STD, bias=False)
    yield Expected("rope.freqs", (4,), None, None)


def bert() -> Iterator[Expected]:
    yield Expected("bert.embeddings.position_ids", (1, POSITIONS), None, None, "int64")
    yield from embedding("bert.embeddings.word_embeddings", VOCABULARY, STD)
    yield from embedding("bert.embeddings.position_embeddings", POSITIONS, STD)
    yield from embedding("bert.embeddings.token_type_embeddings", 2, STD)
    yield from norm("bert.embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"bert.encoder.layer.{i}"
        for part in ("query", "key", "value"):
            yield from linear(f"{layer}.attention.self.{part}", WIDTH, WIDTH, STD)
        yield from linear(f"{layer}.attention.output.dense", WIDTH, WIDTH, STD)
        yield Expected(f"{layer}.attention.output.LayerNorm.gamma", (WIDTH,), 1.0)
        yield Expected(f"{layer}.attention.output.LayerNorm.beta", (WIDTH,))
        yield from linear(f"{layer}.intermediate.dense", INNER, WIDTH, STD)
        yield from linear(f"{layer}.output.dense", WIDTH, INNER, STD)
        yield from norm(f"{layer}.output.LayerNorm")
    yield from linear("bert.pooler.dense", WIDTH, WIDTH, STD)
    yield Expected("cls.predictions.bias", (VOCABULARY,))
    yield from linear("cls.predictions.transform.dense", WIDTH, WIDTH, STD)
    yield from norm("cls.predictions.transform.LayerNorm")
    yield from linear("cls.predictions.decoder", VOCABULARY, WIDTH, STD)
    yield from linear("cls.seq_relationship", 2, WIDTH, STD)


def t5_attention(name: str, *, biased: bool) -> Iterator[Expected]:
    inner = HEADS * HEAD_WIDTH
    yield from linear(f"{name}.q", inner, WIDTH, (WIDTH * HEAD_WIDTH) ** -0.5, bias=False)
    yield from linear(f"{name}.k", inner, WIDTH, WIDTH**-0.5, bias=False)
    yield from linear(f"{name}.v", inner, WIDTH, WIDTH**-0.5, bias=False)
    yield from linear(f"{name}.o", WIDTH, inner, inner**-0.5, bias=False)
    if biased:
        yield from embedding(f"{name}.relative_attention_bias", 32, WIDTH**-0.5, HEADS)


def t5(gates: tuple[str, ...] = ("wi",)) -> Iterator[Expected]:
    yield from embedding("shared", VOCABULARY, 1.0)
    for part, attentions in {
        "encoder": ["SelfAttention"],
        "decoder": ["SelfAttention", "EncDecAttention"],
    }.items():
        yield from embedding(f"{part}.embed_tokens", VOCABULARY, 1.0)
        for i in range(LAYERS):
            block = f"{part}.block.{i}.layer"
            for place, attention in enumerate(attentions):
                biased = i == place == 0
                yield from t5_attention(f"{block}.{place}.{attention}", biased=biased)
                yield from norm(f"{block}.{place}.layer_norm", bias=False)
            dense = f"{block}.{len(attentions)}.DenseReluDense"
            for gate in gates:
                yield from linear(f"{dense}.{gate}", INNER, WIDTH, WIDTH**-0.5, bias=False)
            yield from linear(f"{dense}.wo", WIDTH, INNER, INNER**-0.5, bias=False)
            yield from norm(f"{block}.{len(attentions)}.layer_norm", bias=False)
        yield from norm(f"{part}.final_layer_norm", bias=False)
    yield from linear("lm_head", VOCABULARY, WIDTH, 1.0, bias=False)


def vit() -> Iterator[Expected]:
    embeddings = "vit.embeddings"
    yield Expected(f"{embeddings}.cls_token", (1, 1, WIDTH), 0.0, STD)
    yield Expected(f"{embeddings}.mask_token", (1, 1, WIDTH))
    yield Expected(f"{embeddings}.position_embeddings", (1, POSITIONS, WIDTH), 0.0, STD)
    projection = f"{embeddings}.patch_embeddings.projection"
    yield Expected(f"{projection}.weight", (WIDTH, 3, 4, 4), 0.0, STD)
    yield Expected(f"{projection}.bias", (WIDTH,))
    for i in range(LAYERS):
        layer = f"vit.encoder.layer.{i}"
        for part in ("query", "key", "value"):
            yield from linear(f"{layer}.attention.attention.{part}", WIDTH, WIDTH, STD)
        yield from linear(f"{layer}.attention.output.dense", WIDTH, WIDTH, STD)
        yield from linear(f"{layer}.intermediate.dense", INNER, WIDTH, STD)
        yield from linear(f"{layer}.output.dense", WIDTH, INNER, STD)
        yield from norm(f"{layer}.layernorm_before")
        yield from norm(f"{layer}.layernorm_after")
    yield from norm("vit.layernorm")
    yield from linear("classifier", 10, WIDTH, STD)


def timm_vit() -> Iterator[Expected]:
    own = 1 / sqrt(3 * 3 * 4 * 4)  # of nn.Conv2d: U(-b, b) with b = 1 / sqrt(fan_in)
    yield Expected("cls_token", (1, 1, WIDTH), 0.0, 1e-6)
    yield Expected("reg_token", (1, 4, WIDTH), 0.0, 1e-6)
    yield Expected("pos_embed", (1, POSITIONS, WIDTH), 0.0, STD)
    yield Expected("patch_embed.proj.weight", (WIDTH, 3, 4, 4), 0.0, own)
    yield Expected("patch_embed.proj.bias", (WIDTH,), 0.0, own)
    for i in range(LAYERS):
        yield from norm(f"blocks.{i}.norm1")
        yield from linear(f"blocks.{i}.attn.qkv", 3 * WIDTH, WIDTH, STD)
        yield from linear(f"blocks.{i}.attn.proj", WIDTH, WIDTH, STD)
        yield from norm(f"blocks.{i}.norm2")
        yield from linear(f"blocks.{i}.mlp.fc1", INNER, WIDTH, STD)
        yield from linear(f"blocks.{i}.mlp.fc2", WIDTH, INNER, STD)
    yield from norm("norm")
    yield from linear("head", 10, WIDTH, STD)


def convolution(
    name: str, outputs: int, inputs: int, kernel: int, groups: int = 1
) -> Iterator[Expected]:
    shape = (outputs, inputs // groups, kernel, kernel)
    yield Expected(f"{name}.weight", shape, 0.0, sqrt(2 / (outputs * kernel**2)))


def batch_norm(name: str, width: int) -> Iterator[Expected]:
    yield from norm(name, width)
    yield Expected(f"{name}.running_mean", (width,))
    yield Expected(f"{name}.running_var", (width,), 1.0)
    yield Expected(f"{name}.num_batches_tracked", (), dtype="int64")


def stem_and_head(blocks: Iterator[Expected], width: int) -> Iterator[Expected]:
    yield from convolution("conv1", 8, 3, 7)
    yield from batch_norm("bn1", 8)
    yield from blocks
    own = 1 / sqrt(3 * width)  # of nn.Linear: U(-b, b) with b = 1 / sqrt(fan_in)
    yield Expected("fc.weight", (10, width), 0.0, own)
    yield Expected("fc.bias", (10,), 0.0, own)


def resnet18() -> Iterator[Expected]:
    def blocks() -> Iterator[Expected]:
        for stage in range(1, 5):
            width, inputs = 4 * 2**stage, 8 if stage == 1 else 2 * 2**stage
            for i in range(2):
                block = f"layer{stage}.{i}"
                yield from convolution(f"{block}.conv1", width, width if i else inputs, 3)
                yield from batch_norm(f"{block}.bn1", width)
                yield from convolution(f"{block}.conv2", width, width, 3)
                yield from batch_norm(f"{block}.bn2", width)
                if stage > 1 and i == 0:
                    yield from convolution(f"{block}.downsample.0", width, inputs, 1)
                    yield from batch_norm(f"{block}.downsample.1", width)

    return stem_and_head(blocks(), 64)


def resnext() -> Iterator[Expected]:
    def blocks() -> Iterator[Expected]:
        yield from convolution("layer1.0.conv1", 16, 8, 1)
        yield from batch_norm("layer1.0.bn1", 16)
        yield from convolution("layer1.0.conv2", 16, 16, 3, groups=4)
        yield from batch_norm("layer1.0.bn2", 16)
        yield from convolution("layer1.0.conv3", 32, 16, 1)
        yield from batch_norm("layer1.0.bn3", 32)
        yield from convolution("layer1.0.downsample.0", 32, 8, 1)
        yield from batch_norm("layer1.0.downsample.1", 32)

    return stem_and_head(blocks(), 32)


def deepnet_stack(name: str, layers: int, beta: float, *, feed_forward: str) -> Iterator[Expected]:
    """Return a stack of layers as in fairseq; a decoder over an encoder has a second attention."""
    yield from embedding(f"{name}embed_tokens", VOCABULARY, WIDTH**-0.5)
    yield from embedding(f"{name}embed_positions", POSITIONS, WIDTH**-0.5)
    yield from norm(f"{name}layernorm_embedding")
    for i in range(layers):
        layer = f"{name}layers.{i}"
        for attention in ("self_attn", "encoder_attn")[: 1 + (name == "decoder.")]:
            for part, gain in {"q": 1.0, "k": 1.0, "v": beta, "out": beta}.items():
                std = gain * xavier(WIDTH, WIDTH)
                yield from linear(f"{layer}.{attention}.{part}_proj", WIDTH, WIDTH, std)
            yield from norm(f"{layer}.{attention}_layer_norm")
        std = beta * xavier(WIDTH, INNER)
        yield from linear(f"{layer}.{feed_forward}fc1", INNER, WIDTH, std)
        yield from linear(f"{layer}.{feed_forward}fc2", WIDTH, INNER, std)
        yield from norm(f"{layer}.final_layer_norm")


def deepnet() -> Iterator[Expected]:
    n, m = 5, 3
    yield from deepnet_stack("encoder.", n, 0.87 * (n**4 * m) ** (-1 / 16), feed_forward="ffn.")
    yield from deepnet_stack("decoder.", m, (12 * m) ** (-1 / 4), feed_forward="ffn.")
    yield from linear("decoder.output_projection", VOCABULARY, WIDTH, WIDTH**-0.5, bias=False)


ARCHITECTURES: Mapping[str, tuple[str, Callable[[], Iterator[Expected]]]] = {
    "gpt2": ("gpt2", gpt2),
    "nanoGPT": ("gpt2", nano_gpt),
    "llama": ("llama", llama),
    "llama of Meta": ("llama", meta_llama),
    "bert": ("bert", bert),
    "t5": ("t5", t5),
    "t5 1.1": ("t5", lambda: t5(("wi_0", "wi_1"))),
    "vit": ("vit", vit),
    "vit of timm": ("vit", timm_vit),
    "resnet18": ("resnet", resnet18),
    "resnext": ("resnet", resnext),
    "deepnet": ("deepnet", deepnet),
    "deepnet encoder": (
        "deepnet",
        lambda: deepnet_stack("encoder.", 5, (8 * 5) ** (-1 / 4), feed_forward=""),
    ),
    "deepnet stack": (
        "deepnet",
        lambda: deepnet_stack("", 4, (8 * 4) ** (-1 / 4), feed_forward=""),
    ),
}
"""What a model is called here -> the recipe for it and its parameters."""
