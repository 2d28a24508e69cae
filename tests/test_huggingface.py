"""Hugging Face configs: what transformers itself builds from them is the oracle."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from forks import Forks
from program import paramctl
from transformers import PreTrainedModel

import paramctl as library
from paramctl.checkpoint import PLANNED
from paramctl.errors import LimitError, MalformedError, ParamctlError, UnsafeError, UsageError
from paramctl.models.huggingface import MAX_COUNT

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 64,
}
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **SMALL}
TIED = {**LLAMA, "tie_word_embeddings": True}
GPT2 = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "n_embd": 16,
    "n_head": 2,
    "n_layer": 2,
    "vocab_size": 64,
}
BERT = {"architectures": ["BertForMaskedLM"], "model_type": "bert", **SMALL}
T5 = {
    "architectures": ["T5ForConditionalGeneration"],
    "model_type": "t5",
    "d_model": 16,
    "d_kv": 8,
    "num_layers": 2,
    "num_heads": 2,
    "d_ff": 32,
    "vocab_size": 64,
}
VIT = {
    "architectures": ["ViTForImageClassification"],
    "model_type": "vit",
    **SMALL,
    "image_size": 16,
    "patch_size": 4,
}
CONFIGS = {
    "gpt2": GPT2,
    "llama": {**LLAMA, "dtype": "bfloat16"},
    "llama tied": {**TIED, "torch_dtype": "float16"},
    "bert": BERT,
    "t5": T5,
    "vit": VIT,
    "no architecture": {key: value for key, value in GPT2.items() if key != "architectures"},
}


def write(folder: Path, config: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def built(config: dict[str, Any], folder: Path) -> PreTrainedModel:
    """Return the model that transformers makes of a config, with values of its own."""
    write(folder, config)
    made = transformers.AutoConfig.from_pretrained(folder)
    names = config.get("architectures")
    torch.manual_seed(0)
    model = (
        getattr(transformers, names[0])._from_config(made)
        if names
        else transformers.AutoModel.from_config(made)
    )
    assert isinstance(model, PreTrainedModel)
    return model


def ties_of(model: PreTrainedModel) -> set[frozenset[str]]:
    """Return the groups of names whose tensors share their memory."""
    groups: dict[int, set[str]] = {}
    for name, tensor in model.state_dict().items():
        groups.setdefault(tensor.data_ptr(), set()).add(name)
    return {frozenset(names) for names in groups.values() if len(names) > 1}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_listed_as_transformers_builds_it(name: str, tmp_path: Path) -> None:
    model = built(CONFIGS[name], tmp_path)
    checkpoint = library.open(tmp_path / "config.json")
    assert {n: (e.shape, f"torch.{e.dtype.name}") for n, e in checkpoint.items()} == {
        n: (tuple(t.shape), str(t.dtype)) for n, t in model.state_dict().items()
    }
    assert list(checkpoint) == list(model.state_dict())
    assert {e.layout for e in checkpoint.values()} == {PLANNED}
    groups: dict[str, set[str]] = {}
    for alias, stored in checkpoint.aliases.items():
        groups.setdefault(stored, {stored}).add(alias)
    assert {frozenset(group) for group in groups.values()} == ties_of(model)
    assert checkpoint.types == {
        path: type(each).__name__ for path, each in model.named_modules(remove_duplicate=False)
    }
    assert checkpoint.build is not None
    assert str(checkpoint.build("meta")) == str(model)


def test_a_folder_without_weights_is_its_config(tmp_path: Path) -> None:
    write(tmp_path, TIED)
    (tmp_path / "tokenizer.json").write_text("{}")
    checkpoint = library.open(tmp_path)
    assert checkpoint.file == str(tmp_path / "config.json")
    assert checkpoint.aliases == {"lm_head.weight": "model.embed_tokens.weight"}


def test_a_folder_with_weights_is_its_weights(tmp_path: Path) -> None:
    built(TIED, tmp_path).save_pretrained(tmp_path)
    assert library.open(tmp_path).format == "safetensors"


def test_a_config_is_told_by_its_content_and_transformers_says_nothing() -> None:
    """Its special tokens are outside of this vocabulary, of which transformers would warn."""
    text = json.dumps({"layers": 3, **GPT2}, indent=2)
    run = paramctl("ls", "-", "--format", "json", stdin=text.encode())
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out)["format"] == "Hugging Face config"


def test_a_model_of_70_billion_parameters_takes_no_memory(tmp_path: Path) -> None:
    large = {
        **LLAMA,
        "hidden_size": 8192,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "intermediate_size": 28672,
        "vocab_size": 128256,
        "dtype": "bfloat16",
    }
    run = paramctl("ls", write(tmp_path, large), "--format", "json")
    assert run.code == 0, run.err
    listing = json.loads(run.out)
    assert listing["parameters"] == 70_553_706_496
    assert listing["bytes"] == 2 * 70_553_706_496
    assert run.megabytes < 1_000  # the libraries; the smallest weight of a layer takes 16 MB


def assert_loads(folder: Path, config: dict[str, Any]) -> None:
    """Assert that transformers loads a folder's model whole, with the values that are stored."""
    architecture = getattr(transformers, config["architectures"][0])
    model, info = architecture.from_pretrained(folder, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert ties_of(model) == ties_of(built(config, folder))
    loaded = model.state_dict()
    for name, entry in library.open(folder).items():
        assert entry.storage is not None
        stored = entry.storage.source.read(entry.storage.offset, entry.nbytes)
        assert loaded[name].contiguous().view(torch.uint8).numpy().tobytes() == stored


@pytest.mark.parametrize("name", ["gpt2", "llama", "llama tied", "bert", "t5", "vit"])
def test_what_init_makes_of_a_config_loads_in_transformers(name: str, tmp_path: Path) -> None:
    model = library.open(write(tmp_path, CONFIGS[name])).init("default", seed=0)
    own = [each for each, entry in model.items() if entry.layout == PLANNED]  # of no torch layer
    model = model.init("normal(std=0.02)", *own, seed=0) if own else model
    model.save(tmp_path / "model.safetensors")
    assert_loads(tmp_path, CONFIGS[name])


def test_a_recipe_fills_a_config(transformers_forks: Forks, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    recipe = ("--recipe", "llama", "--seed", "0")
    run = transformers_forks.run("init", write(tmp_path, TIED), *recipe, "-o", target)
    assert run.code == 0, run.err
    assert_loads(tmp_path, TIED)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({**LLAMA, "architectures": ["LlamaForCausalML"]}, UsageError, "closest: LlamaForCausalLM"),
        ({**LLAMA, "architectures": ["os"]}, UsageError, "no architecture 'os'"),
        ({**LLAMA, "architectures": ["LlamaConfig"]}, UsageError, "no architecture 'LlamaConfig'"),
        ({**LLAMA, "architectures": ["AutoModel"]}, UsageError, "no architecture 'AutoModel'"),
        ({**LLAMA, "architectures": [3]}, UsageError, "no architecture '3'"),
        ({**LLAMA, "architectures": "x"}, UsageError, "its architectures are no list"),
        ({**LLAMA, "model_type": ["llama"]}, UsageError, "its model_type is no text"),
        ({"model_type": "lama"}, UsageError, "no architecture 'lama'; closest: llama"),
        ({**LLAMA, "model_type": "gpt2"}, UsageError, "is of model_type 'llama', not 'gpt2'"),
        ({**LLAMA, "hidden_size": "wide"}, UsageError, "transformers cannot build this"),
        ({**LLAMA, "hidden_size": -1}, UsageError, "transformers cannot build this"),
        ({**LLAMA, "hidden_size": 2**62}, ParamctlError, ""),
        ({**LLAMA, "num_hidden_layers": MAX_COUNT + 1}, LimitError, "'num_hidden_layers'"),
        ({**LLAMA, "num_labels": 10**12}, LimitError, "'num_labels' of 1,000,000,000,000"),
        ({**LLAMA, "note": "x" * (1 << 22)}, LimitError, "a config of more than"),
    ],
)
def test_a_config_that_is_wrong_is_an_error(
    config: object, error: type[ParamctlError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        library.open(write(tmp_path, config))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.exit_code in (2, 5)


def test_more_modules_than_any_model_has_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paramctl.models.huggingface.MAX_PARTS", 1_000)
    with pytest.raises(LimitError, match="more than 1,000 modules and parameters"):
        library.open(write(tmp_path, {**LLAMA, "num_hidden_layers": 100_000}))


@pytest.mark.parametrize(
    "text",
    [
        '{"model_type": "gpt2", "model_type": "bert"}',
        '{"model_type": NaN}',
        '{"model_type": "gpt2"',
    ],
)
def test_a_config_that_is_no_json_is_malformed(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(MalformedError):
        library.open(tmp_path)


EVIL = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\nclass M: ...\n"
AUTO_MAP = {"AutoModel": "evil.M", "AutoConfig": "evil.M", "AutoModelForCausalLM": "evil.M"}


def test_code_of_a_folder_s_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(EVIL)
    own = {"architectures": ["EvilModel"], "model_type": "evil", "auto_map": AUTO_MAP}
    with pytest.raises(UnsafeError, match="'EvilModel' is no architecture of transformers but"):
        library.open(write(tmp_path, own))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("config", [LLAMA, {"model_type": "llama", **SMALL}])
def test_an_architecture_of_transformers_is_its_own_whatever_auto_map_says(
    config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "evil.py").write_text(EVIL)
    checkpoint = library.open(write(tmp_path, {**config, "auto_map": AUTO_MAP}))
    assert "embed_tokens.weight" in {name.removeprefix("model.") for name in checkpoint}
    assert not (tmp_path / "ran").exists()


def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    detr = {
        "architectures": ["DetrForObjectDetection"],
        "model_type": "detr",
        "use_timm_backbone": False,
        "backbone": "microsoft/resnet-50",
        "use_pretrained_backbone": True,
    }
    with pytest.raises(UsageError, match="transformers cannot build this"):
        library.open(write(tmp_path, detr))


def test_attention_code_is_not_fetched_either(tmp_path: Path) -> None:
    fetching = {**TIED, "attn_implementation": "kernels-community/flash-attn"}
    assert list(library.open(write(tmp_path, fetching))) == list(
        library.open(write(tmp_path, TIED))
    )


def test_without_transformers_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError) as caught:
        library.open(write(tmp_path, TIED))
    assert str(caught.value) == (
        f"{tmp_path / 'config.json'}: a Hugging Face config needs transformers; "
        "pip install 'paramctl[hf]'"
    )
