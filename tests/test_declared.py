"""`ls --declared`: what files lack and have beyond their config, by what transformers loads."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import Forks
from safetensors.torch import save_file
from test_huggingface import BERT, GPT2, SMALL, T5, TIED, built
from torch import Tensor

import paramctl as library
from paramctl.errors import UsageError
from paramctl.formats import open_checkpoint
from paramctl.models.declared import Declared, compare
from paramctl.views.declared import lines_of

State = dict[str, Tensor]
GPT2_BASE = {**GPT2, "architectures": ["GPT2Model"]}
MIXTRAL = {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "num_local_experts": 2,
    "num_key_value_heads": 2,
    **SMALL,
}


def without(*names: str) -> Callable[[State], State]:
    return lambda state: {name: t for name, t in state.items() if name not in names}


def plus(**tensors: Tensor) -> Callable[[State], State]:
    return lambda state: state | {name.replace("__", "."): t for name, t in tensors.items()}


def strip(prefix: str) -> Callable[[State], State]:
    return lambda state: {name.removeprefix(prefix): t for name, t in state.items()}


def prefix(text: str) -> Callable[[State], State]:
    return lambda state: {text + name: t for name, t in state.items()}


def old_norms(state: State) -> State:
    return {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): t
        for name, t in state.items()
    }


SPOILS: dict[str, tuple[dict[str, Any], Callable[[State], State]]] = {
    "whole": (TIED, lambda state: state),
    "missing": (TIED, without("model.norm.weight", "model.layers.1.mlp.up_proj.weight")),
    "beyond": (TIED, plus(extra=torch.ones(3), model__layers__9__x=torch.ones(2))),
    "shape": (TIED, plus(model__norm__weight=torch.ones(3))),
    "no embedding": (TIED, without("model.embed_tokens.weight", "lm_head.weight")),
    "tied the other way": (TIED, without("model.embed_tokens.weight")),
    "without prefix": (GPT2, strip("transformer.")),
    "with prefix": (GPT2_BASE, prefix("transformer.")),
    "with prefix and head": (
        GPT2_BASE,
        lambda state: prefix("transformer.")(state) | {"lm_head.weight": torch.ones(64, 16)},
    ),
    "old names": (BERT, old_norms),
    "old names and missing": (
        BERT,
        lambda state: without("bert.embeddings.LayerNorm.gamma")(old_norms(state)),
    ),
    "t5": (T5, without("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")),
    "experts": (MIXTRAL, lambda state: state),
}


def spoil(name: str, folder: Path) -> None:
    """Write a model as transformers does, and again with what is to be wrong with it."""
    config, change = SPOILS[name]
    model = built(config, folder)
    model.save_pretrained(folder)
    state = model.state_dict()
    if config is MIXTRAL:  # as it is saved, an expert is not as it is declared
        return
    aliases = {"lm_head.weight"} if name in ("whole", "missing", "beyond", "shape") else set()
    kept = change({n: t.clone() for n, t in state.items() if n not in aliases})
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def compared(folder: Path) -> Declared:
    return compare(library.open(folder), open_checkpoint(folder / "config.json"))


@pytest.mark.parametrize("name", SPOILS)
def test_it_says_what_transformers_would(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    spoil(name, tmp_path)
    config, _ = SPOILS[name]
    architecture = type(built(config, tmp_path / "again"))
    _, info = architecture.from_pretrained(
        tmp_path, output_loading_info=True, ignore_mismatched_sizes=True
    )
    found = compared(tmp_path)
    assert set(found.missing) == set(info["missing_keys"]) - set(found.tied)
    beyond = {each.removeprefix("transformer.") for each in found.beyond}
    assert beyond == {each.removeprefix("transformer.") for each in info["unexpected_keys"]}
    assert {n: e.shape for n, e in found.shapes.items()} == {
        n: tuple(declared) for n, _, declared in info["mismatched_keys"]
    }
    assert found.is_whole == (not info["missing_keys"] and not info["mismatched_keys"])


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "missing",
            [
                "missing: model.layers.1.mlp.up_proj.weight, model.norm.weight",
                "not stored: lm_head.weight (tied to model.embed_tokens.weight)",
            ],
        ),
        ("tied the other way", ["not stored: model.embed_tokens.weight (tied to lm_head.weight)"]),
        ("without prefix", ["named otherwise: 28 tensors without 'transformer.'"]),
        ("with prefix", ["named otherwise: 28 tensors with 'transformer.' before it"]),
        (
            "no embedding",
            [
                "missing: model.embed_tokens.weight",
                "not stored: lm_head.weight (tied to model.embed_tokens.weight)",
            ],
        ),
        (
            "old names",
            ["named otherwise: 12 tensors that transformers renames as it loads them"],
        ),
    ],
)
def test_differences_are_told_in_a_line_each(name: str, lines: list[str], tmp_path: Path) -> None:
    spoil(name, tmp_path)
    found = compared(tmp_path)
    assert list(lines_of(found, "config.json")) == [
        f"config.json declares {found.architecture}",
        *lines,
    ]


def test_other_dtypes_are_told_where_the_config_has_one(tmp_path: Path) -> None:
    spoil("whole", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    lines = list(lines_of(compared(tmp_path), "config.json"))
    assert lines[1] == "of another dtype than declared: 20 tensors float32 for bfloat16"
    config.pop("dtype")
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert not compared(tmp_path).dtypes


def test_a_listing_in_a_pipe_carries_it(transformers_forks: Forks, tmp_path: Path) -> None:
    spoil("missing", tmp_path)
    run = transformers_forks.run("ls", tmp_path, "--declared")
    assert run.code == 1
    rows = {row[0]: row[1:] for row in (line.split("\t") for line in run.out.splitlines())}
    assert rows["model.norm.weight"][-1] == "missing, declared float32 [16]"
    assert rows["lm_head.weight"][-2] == "model.embed_tokens.weight"
    assert f"paramctl: {tmp_path / 'config.json'} declares LlamaForCausalLM\n" in run.err
    assert "paramctl: missing: model.layers.1.mlp.up_proj.weight, model.norm.weight\n" in run.err


def test_a_whole_model_exits_0(transformers_forks: Forks, tmp_path: Path) -> None:
    spoil("whole", tmp_path)
    run = transformers_forks.run("ls", tmp_path, "--declared", "--format", "table")
    assert (run.code, run.err) == (0, "")
    assert "in 20 tensors, 1 tie counted once" in run.out
    assert run.out.endswith("not stored: lm_head.weight (tied to model.embed_tokens.weight)\n")


def test_what_is_missing_is_not_counted(transformers_forks: Forks, tmp_path: Path) -> None:
    spoil("missing", tmp_path)
    run = transformers_forks.run("ls", tmp_path, "--declared", "--format", "table")
    stored = sum(entry.numel for entry in library.open(tmp_path).values())
    assert f"{stored:,} parameters in 18 tensors, 1 tie counted once" in run.out


def test_quantized_weights_are_not_compared(tmp_path: Path) -> None:
    spoil("whole", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    quantized = config | {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    (tmp_path / "config.json").write_text(json.dumps(quantized))
    with pytest.raises(UsageError, match="the weights are quantized"):
        compared(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["model.safetensors"], "no config.json beside it, so nothing is declared"),
        (["config.json"], "there are no weights beside this config"),
    ],
)
def test_both_files_are_needed(
    names: list[str], message: str, transformers_forks: Forks, tmp_path: Path
) -> None:
    spoil("whole", tmp_path)
    for path in tmp_path.iterdir():
        if path.name not in names:
            path.unlink()
    run = transformers_forks.run("ls", tmp_path, "--declared")
    assert run.code == 2
    assert message in run.err
