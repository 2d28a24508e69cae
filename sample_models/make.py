"""Make the sample models beside this file: `python sample_models/make.py`.

Their values are the same each time. The small nets are those of "Dive into Deep Learning",
chapter 6 (https://d2l.ai).
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType as Quantization
from gguf import GGUFWriter
from gguf.quants import quantize
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

HERE = Path(__file__).parent
SEED = 0
WIDTH, VOCABULARY, POSITIONS, HEADS, BLOCKS = 16, 64, 32, 2, 4  # of the small GPT-2
PT = {"format": "pt"}


class FancyMLP(nn.Module):
    """A net of its own class: it has a buffer, and passes one layer twice."""

    rand_weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rand_weight", torch.rand(8, 8))
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Map rows of 8 values to rows of 8 values."""
        hidden = torch.relu(self.linear(x) @ self.rand_weight + 1)
        output: Tensor = self.linear(hidden)
        return output


def mlp() -> nn.Sequential:
    """Return the textbook's multilayer perceptron."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def rgnet() -> nn.Sequential:
    """Return the textbook's regular net: four equal blocks in a block, and a linear layer."""
    blocks = nn.Sequential()
    for i in range(4):
        block = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
        blocks.add_module(f"block {i}", block)
    return nn.Sequential(blocks, nn.Linear(4, 1))


def shared_mlp() -> nn.Sequential:
    """Return a perceptron whose third and fifth layer are one and the same."""
    shared = nn.Linear(8, 8)
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1)
    )


def training_checkpoint() -> dict[str, object]:
    """Return what a training script saves after its first step."""
    net = mlp()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    net(torch.rand(2, 4)).sum().backward()
    optimizer.step()
    return {
        "epoch": 1,
        "model_state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
    }


def gpt2_shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of GPT-2's parameters, at a small width."""
    norm: dict[str, tuple[int, ...]] = {"weight": (WIDTH,), "bias": (WIDTH,)}
    layers: dict[str, dict[str, tuple[int, ...]]] = {
        "ln_1": norm,
        "attn.c_attn": {"weight": (WIDTH, 3 * WIDTH), "bias": (3 * WIDTH,)},
        "attn.c_proj": {"weight": (WIDTH, WIDTH), "bias": (WIDTH,)},
        "ln_2": norm,
        "mlp.c_fc": {"weight": (WIDTH, 4 * WIDTH), "bias": (4 * WIDTH,)},
        "mlp.c_proj": {"weight": (4 * WIDTH, WIDTH), "bias": (WIDTH,)},
    }
    return {
        "wte.weight": (VOCABULARY, WIDTH),
        "wpe.weight": (POSITIONS, WIDTH),
        **{
            f"h.{block}.{layer}.{name}": shape
            for block in range(BLOCKS)
            for layer, shapes in layers.items()
            for name, shape in shapes.items()
        },
        **{f"ln_f.{name}": shape for name, shape in norm.items()},
    }


def gpt2_value(name: str, shape: tuple[int, ...]) -> Tensor:
    """Draw a parameter as GPT-2 does: N(0, 0.02) for weights, the identity for norms."""
    if name.endswith("bias"):
        return torch.zeros(shape)
    return torch.ones(shape) if ".ln_" in f".{name}" else torch.randn(shape) * 0.02


def save_gpt2(folder: Path) -> None:
    """Write a small GPT-2 as Hugging Face's tools do: two shards, their index, the config."""
    folder.mkdir(exist_ok=True)
    state = {name: gpt2_value(name, shape) for name, shape in gpt2_shapes().items()}
    names = list(state)
    weight_map: dict[str, str] = {}
    for shard, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), start=1):
        file = f"model-{shard:05}-of-00002.safetensors"
        save_file({name: state[name] for name in part}, folder / file, PT)
        weight_map |= dict.fromkeys(part, file)
    total_size = sum(tensor.nbytes for tensor in state.values())
    index = {"metadata": {"total_size": total_size}, "weight_map": weight_map}
    write_json(folder / "model.safetensors.index.json", index)
    config = {
        "architectures": ["GPT2Model"],
        "model_type": "gpt2",
        "n_embd": WIDTH,
        "n_head": HEADS,
        "n_layer": BLOCKS,
        "n_positions": POSITIONS,
        "vocab_size": VOCABULARY,
    }
    write_json(folder / "config.json", config)


def save_llama_config(folder: Path) -> None:
    """Write the config of a small Llama whose head is its embedding, and no weights."""
    folder.mkdir(exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "dtype": "bfloat16",
        "hidden_size": 64,
        "intermediate_size": 192,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
        "vocab_size": 512,
    }
    write_json(folder / "config.json", config)


def write_json(path: Path, value: object) -> None:
    """Write JSON as Hugging Face's tools do."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def save_exported(path: Path) -> None:
    """Write the perceptron as a `torch.export` archive."""
    torch.export.save(torch.export.export(mlp(), (torch.rand(2, 4),)), path)


def save_traced(path: Path) -> None:
    """Write the perceptron as a TorchScript archive."""
    torch.jit.trace(mlp(), torch.rand(2, 4)).save(str(path))  # type: ignore[no-untyped-call]


def save_npz(path: Path) -> None:
    """Write the perceptron as numpy does."""
    np.savez(path, **{name: tensor.numpy() for name, tensor in mlp().state_dict().items()})


def save_gguf(path: Path) -> None:
    """Write a small Llama as llama.cpp's tools do: weights quantized, norms in float32."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("Small Llama")
    writer.add_block_count(2)
    writer.add_embedding_length(32)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"<{token}>" for token in range(64)])
    for name, shape in llama_shapes().items():
        values = torch.randn(shape).numpy() if len(shape) > 1 else np.ones(shape, np.float32)
        kind = Quantization.Q8_0 if name.startswith("token") else Quantization.Q4_0
        if len(shape) > 1:
            writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_shapes() -> dict[str, tuple[int, ...]]:
    """Return the names that llama.cpp gives a Llama's parameters, and shapes at a small width."""
    block: dict[str, tuple[int, ...]] = {
        "attn_norm": (32,),
        **{f"attn_{part}": (32, 32) for part in ("q", "k", "v", "output")},
        "ffn_norm": (32,),
        "ffn_gate": (64, 32),
        "ffn_up": (64, 32),
        "ffn_down": (32, 64),
    }
    return {
        "token_embd.weight": (64, 32),
        **{f"blk.{i}.{name}.weight": shape for i in range(2) for name, shape in block.items()},
        "output_norm.weight": (32,),
    }


SAMPLES: dict[str, Callable[[Path], object]] = {
    "mlp.pt": lambda path: torch.save(mlp().state_dict(), path),
    "mlp_module.pt": lambda path: torch.save(mlp(), path),
    "mlp.safetensors": lambda path: save_file(mlp().state_dict(), path, PT),
    "mlp.npz": save_npz,
    "rgnet.pt": lambda path: torch.save(rgnet().state_dict(), path),
    "rgnet_module.pt": lambda path: torch.save(rgnet(), path),
    "shared.pt": lambda path: torch.save(shared_mlp().state_dict(), path),
    "shared.safetensors": lambda path: save_model(shared_mlp(), str(path), {**PT}),  # adds to it
    "fancy_module.pt": lambda path: torch.save(FancyMLP(), path),
    "training.pt": lambda path: torch.save(training_checkpoint(), path),
    "llama.gguf": save_gguf,
    "gpt2": save_gpt2,
    "llama_config": save_llama_config,
    "legacy.pt": lambda path: torch.save(
        mlp().state_dict(), path, _use_new_zipfile_serialization=False
    ),
    "mlp_traced.pt": save_traced,
    "mlp_exported.pt2": save_exported,
}

if __name__ == "__main__":
    for name, save in SAMPLES.items():
        torch.manual_seed(SEED)
        save(HERE / name)
