"""Recipes by name: on real parameter names they give what is published, and leave nothing out."""

from pathlib import Path

import pytest
import torch
from architectures import ARCHITECTURES, Expected
from program import paramctl

from paramctl.checkpoint import Checkpoint
from paramctl.edits.initialization import plan
from paramctl.edits.recipes import FOLDER, load_recipe, names
from paramctl.formats import open_checkpoint

PREFIXES = ["", "model.", "module.", "_orig_mod.module."]
TIES = [
    ("transformer.wte.weight", "lm_head.weight"),
    ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    ("cls.predictions.bias", "cls.predictions.decoder.bias"),
    ("shared.weight", "encoder.embed_tokens.weight"),
    ("shared.weight", "decoder.embed_tokens.weight"),
]


def save(architecture: str, path: Path, prefix: str = "") -> list[Expected]:
    """Save a model's state dict, tied as its library ties it; return what is expected of it."""
    parameters = list(ARCHITECTURES[architecture][1]())
    state = {
        each.name: torch.zeros(each.shape, dtype=getattr(torch, each.dtype)) for each in parameters
    }
    for stored, alias in TIES:
        if stored in state and alias in state:
            state[alias] = state[stored]
    torch.save({prefix + name: tensor for name, tensor in state.items()}, path)
    return [each._replace(name=prefix + each.name) for each in parameters]


def planned(checkpoint: Checkpoint, recipe: str) -> dict[str, tuple[float | None, float | None]]:
    """Return mean and std of every parameter, None for what is kept."""
    result = plan(checkpoint, load_recipe(recipe, checkpoint))
    found: dict[str, tuple[float | None, float | None]] = dict.fromkeys(result.kept, (None, None))
    for draw in result.draws:
        for name in draw.names:
            found[name] = (draw.distribution.mean, draw.distribution.std)
    return found


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_has_the_published_mean_and_std(
    architecture: str, prefix: str, tmp_path: Path
) -> None:
    expected = save(architecture, tmp_path / "model.pt", prefix)
    checkpoint = open_checkpoint(str(tmp_path / "model.pt"))
    found = planned(checkpoint, ARCHITECTURES[architecture][0])
    assert found.keys() == {each.name for each in expected}
    for each in expected:
        if each.mean is None or each.std is None:
            assert found[each.name] == (None, None), each
        else:
            assert found[each.name] == pytest.approx((each.mean, each.std), rel=1e-6), each


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_has_a_rule(architecture: str, tmp_path: Path) -> None:
    save(architecture, tmp_path / "model.pt")
    checkpoint = open_checkpoint(str(tmp_path / "model.pt"))
    rules = load_recipe(ARCHITECTURES[architecture][0], checkpoint)
    assert not plan(checkpoint, rules).untouched


@pytest.mark.parametrize("architecture", ["gpt2", "t5", "resnet18"])
def test_the_values_written_agree_with_what_is_published(architecture: str, tmp_path: Path) -> None:
    save(architecture, tmp_path / "model.pt")
    recipe = ARCHITECTURES[architecture][0]
    options = ("--seed", "0", "--strict", "-o", tmp_path / "new.safetensors", "--verify")
    run = paramctl("init", tmp_path / "model.pt", "--recipe", recipe, *options)
    assert run.code == 0, run.err
    assert "mean and std are as in theory" in run.err
    assert "unused" not in run.err
    assert "kept" not in run.err


def test_each_recipe_is_tested_and_names_its_source() -> None:
    assert names() == ["bert", "deepnet", "gpt2", "llama", "resnet", "t5", "vit"]
    assert names() == sorted({recipe for recipe, _ in ARCHITECTURES.values()})
    for name in names():
        text = (FOLDER / f"{name}.yaml").read_text()
        assert "\nsource: " in text
        assert "arXiv" in text or "github.com" in text


def test_a_rule_before_a_recipe_comes_first(tmp_path: Path) -> None:
    save("gpt2", tmp_path / "model.pt")
    rule = ("--rule", "wpe.weight=normal(std=0.01)")
    run = paramctl("init", tmp_path / "model.pt", *rule, "--recipe", "gpt2", "--dry-run")
    lines = {line.split("\t")[0]: line.split("\t")[4:6] for line in run.out.splitlines()}
    assert lines["wpe.weight"] == ["0.01", "wpe.weight=normal(std=0.01)"]
    assert lines["wte.weight"] == ["0.02", "gpt2: **.weight"]
    assert lines["h.0.attn.bias"][-1] == "a rule keeps it"


def test_a_recipe_that_is_not_there_gets_the_names_of_those_that_are(tmp_path: Path) -> None:
    save("gpt2", tmp_path / "model.pt")
    run = paramctl("init", tmp_path / "model.pt", "--recipe", "nope", "--dry-run")
    assert run.code == 2
    assert run.err == f"paramctl: no recipe 'nope'; there are {', '.join(names())}\n"
    run = paramctl("init", tmp_path / "model.pt", "--recipe", "resnet18", "--dry-run")
    assert run.err == "paramctl: no recipe 'resnet18'; closest: resnet, deepnet\n"


def test_a_recipe_for_another_architecture_says_what_is_not_there(tmp_path: Path) -> None:
    torch.save({"0.weight": torch.zeros(2, 2)}, tmp_path / "model.pt")
    run = paramctl("init", tmp_path / "model.pt", "--recipe", "gpt2", "--dry-run")
    assert run.code == 2
    assert f"{tmp_path / 'model.pt'}: the recipe gpt2 is for models of other names; " in run.err
    assert run.err.endswith("; n_layer = 0\n")
    run = paramctl("init", tmp_path / "model.pt", "--recipe", "t5", "--dry-run")
    assert run.code == 2
    assert "no parameter or layer '**.SelfAttention.q.weight' (line " in run.err
