"""Recipes in files: what they can say, and what is refused, at which line and column."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from program import paramctl
from states import checkpoint_of

from paramctl.checkpoint import Checkpoint
from paramctl.edits.draws import Draw
from paramctl.edits.initialization import plan
from paramctl.edits.recipes import load_recipe
from paramctl.edits.recipes.recipe import read_rules
from paramctl.errors import FileError, LimitError, UsageError
from paramctl.init.stacked import Stacked

SHAPES = {"wte": (50, 16), "h.0.attn": (48, 16), "h.1.attn": (48, 16), "0": (2, 2)}


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    state = {f"{layer}.weight": torch.zeros(shape) for layer, shape in SHAPES.items()}
    return checkpoint_of(state | {"0.bias": torch.zeros(2)})


def draws(model: Checkpoint, recipe: str) -> Mapping[str, Draw]:
    rules = read_rules(recipe.encode(), "test", model)
    return {name: draw for draw in plan(model, rules).draws for name in draw.names}


def std_of(model: Checkpoint, variables: str, std: str) -> float | None:
    recipe = f"vars:\n  {variables}\nrules:\n- wte.weight: normal(std={std})\n"
    return draws(model, recipe)["wte.weight"].distribution.std


def error_of(model: Checkpoint, recipe: str | bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read_rules(recipe if isinstance(recipe, bytes) else recipe.encode(), "test", model)
    return str(caught.value)


def test_the_first_rule_that_matches_counts(model: Checkpoint) -> None:
    found = draws(model, 'rules:\n- wte: ones\n- "h.*": keep\n- 0: zeros\n- "**.weight": xavier\n')
    assert {name: str(draw.rule.scheme) for name, draw in found.items()} == {
        "wte.weight": "ones",
        "0.weight": "zeros",
    }
    assert {draw.rule.text for draw in found.values()} == {"test: wte", "test: 0"}


def test_variables_are_numbers_that_the_model_tells(model: Checkpoint) -> None:
    assert std_of(model, 'n: count("h.*")', "n") == 2
    assert std_of(model, 'n: count("**.attn.weight")\n  m: 3 * n + 1', "m") == 7
    assert std_of(model, 'n: count("q.*")', "n + 1") == 1
    assert std_of(model, 'd: size("wte.weight", 1)', "1 / d") == 1 / 16
    assert std_of(model, 'd: size("h.*.attn.weight", 0) - -2', "d") == 50
    assert std_of(model, 'd: sqrt(-size("wte.weight", 0) + 66)', "d") == 4
    assert std_of(model, 'd: max(count("h.*"), pi)', "d") == math.pi


def test_an_index_that_a_model_has_not_is_no_mistake(model: Checkpoint) -> None:
    found = draws(model, "rules:\n- '[0]': ones\n- '[7]': zeros\n- 'q.[0-3]': zeros\n")
    assert found.keys() == {"0.weight"}


def test_variables_may_be_weights_and_parameters_of_any_scheme(model: Checkpoint) -> None:
    recipe = """
vars: {p: 1/4, g: sqrt(2)}
rules:
- wte: 'mixture(p: zeros, 1 - p: normal(std=g))'
- 0: orthogonal(gain=g)
"""
    found = {name: str(draw.rule.scheme) for name, draw in draws(model, recipe).items()}
    assert found == {
        "wte.weight": "mixture(0.25: zeros, 0.75: normal(std=1.4142135623730951))",
        "0.weight": "orthogonal(gain=1.4142135623730951)",
    }


def test_fans_layout_and_split_are_those_of_the_rule(model: Checkpoint) -> None:
    scheme = 'rules:\n- h.0.attn.weight: kaiming_normal(nonlinearity="linear")\n'
    for options, fan_in in {
        "": 16,
        "  layout: out_in\n": 16,
        "  layout: in_out\n": 48,
        "  fan: [9, 4]\n": 9,
    }.items():
        found = draws(model, scheme + options)["h.0.attn.weight"].distribution
        assert found.std == pytest.approx(fan_in**-0.5), options
    split = draws(model, "vars: {n: 3}\nrules:\n- h.0.attn.weight: xavier\n  split: n\n")
    assert split["h.0.attn.weight"].distribution.std == pytest.approx((2 / 32) ** 0.5)
    parts = draws(model, "rules:\n- split: 3\n  h.0.attn.weight: orthogonal\n")
    distribution = parts["h.0.attn.weight"].distribution
    assert isinstance(distribution, Stacked)
    assert (distribution.count, distribution.shape, distribution.axis) == (3, (16, 16), 0)


def test_json_is_read_too(model: Checkpoint) -> None:
    rule = {"h.*.attn": 'xavier_uniform(gain="relu")', "layout": "in_out", "fan": ["d", 2]}
    recipe = {"source": "me", "vars": {"d": 'size("wte.weight", 1)'}, "rules": [rule]}
    for indent in (None, 2):
        found = draws(model, json.dumps(recipe, indent=indent))
        assert found["h.1.attn.weight"].rule.fans == (16, 2)


def test_what_looks_like_something_else_is_text() -> None:
    names = ["no.weight", "1.50.weight", "2020-13-45.weight", "0x1F.weight", "null.weight"]
    model = checkpoint_of({name: torch.zeros(2) for name in names})
    recipe = "rules:\n- no: ones\n- 1.50: ones\n- 2020-13-45: ones\n- 0x1F: ones\n- null: ones\n"
    rules = read_rules(recipe.encode(), "test", model)
    assert [rule.address for rule in rules] == [name.removesuffix(".weight") for name in names]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("", "an empty file"),
        ("[]", "a recipe is no mapping (line 1, column 1)"),
        ("text", "a recipe is no mapping (line 1, column 1)"),
        ("source: me", "a recipe without rules (line 1, column 1)"),
        ("rules: {}", "rules is no list (line 1, column 8)"),
        ("rules: [xavier]", "a rule is no mapping (line 1, column 9)"),
        ("source: [a]\nrules: []", "the source is no text (line 1, column 9)"),
        ("rules: []\nvars: [n]", "vars is no mapping (line 2, column 7)"),
        ("rulse: []", "a recipe has no 'rulse' (line 1, column 1); closest: rules"),
        ("rules:\n- {}", "a rule for nothing (line 2, column 3)"),
        ("rules:\n- split: 3", "a rule for nothing (line 2, column 3)"),
        (
            "rules:\n- a: zeros\n  spilt: 3",
            "'a', 'spilt' (line 2, column 3); its options are fan, layout, split",
        ),
        ("rules:\n- a: zeros\n  a: ones", "'a' comes twice (line 3, column 3)"),
        ("rules: []\nrules: []", "'rules' comes twice (line 2, column 1)"),
        ("rules:\n- a:", "a scheme is no text (line 2, column 5)"),
        ("rules:\n- '': zeros", "a key is no text (line 2, column 3)"),
        ("rules:\n- [a]: zeros", "a key is no text (line 2, column 3)"),
        ("rules:\n- {a: b}: zeros", "a key is no text (line 2, column 3)"),
        ("rules:\n- a: {scheme: zeros}", "a scheme is no text (line 2, column 6)"),
        ("rules:\n- a: .nan", "'.nan': '.nan' is neither a number nor a name (line 2, column 6)"),
        (
            "rules:\n- a: normal(std=.inf)",
            "'normal(std=.inf)': '.inf' is neither a number nor a name (line 2, column 17)",
        ),
        ("rules:\n- a: zeroes", "'zeroes': no scheme 'zeroes' (line 2, column 6); closest: zeros"),
        (
            'rules:\n- a: "normal(std=n)"',
            "'normal(std=n)': no number is called 'n' (line 2, column 18); there are pi, e",
        ),
        (
            "vars: {n_layer: 0}\nrules:\n- a: normal(std=1/n_layer)",
            "'/' has no value here: float division by zero (line 3, column 18); n_layer = 0",
        ),
        (
            "rules:\n- a: >\n    normal(std=n)",
            "'normal(std=n)': no number is called 'n' (line 2, column 6); there are pi, e",
        ),
        ("rules:\n- a: mixture(1: zeros)", "(line 2, column 15); what holds ': ' needs quotes"),
        ("rules:\n- a: zeros\n  layout: io", "no layout 'io' (line 3, column 11)"),
        ("rules:\n- a: zeros\n  fan: 3", "fan is no list (line 3, column 8)"),
        ("rules:\n- a: zeros\n  fan: [3]", "fan is no pair (line 3, column 8)"),
        ("rules:\n- a: zeros\n  fan: [3, 0]", "a fan is a whole number above 0 (line 3, column"),
        ("rules:\n- a: zeros\n  split: 0", "split is a whole number above 0 (line 3, column 10)"),
        ("rules:\n- a: zeros\n  split: -1", "split is a whole number above 0"),
        ("rules:\n- a: zeros\n  split: 2.5", "split is a whole number above 0"),
        ("rules:\n- a: zeros\n  split: true", "no number is called 'true'"),
        ("rules:\n- a: zeros\n  split: '\"8\"'", "expected a number, found"),
        ("vars: {2020-13-45: 1}\nrules: []", "'2020-13-45' cannot name a variable"),
        ("vars: {pi: 1}\nrules: []", "'pi' cannot name a variable (line 1, column 12)"),
        ("vars: {count: 1}\nrules: []", "'count' cannot name a variable"),
        ("vars: {n: m}\nrules: []", "no number is called 'm' (line 1, column 11)"),
        ("vars: {n: n}\nrules: []", "no number is called 'n' (line 1, column 11)"),
        ("vars: {n: count(h)}\nrules: []", "no arguments for 'count' (line 1, column 11)"),
        ('vars:\n  n: count("h.[")\nrules: []', "a bracket without its other half"),
        ("vars: {n: 'size(\"h\", 0)'}\nrules: []", "'h' is no parameter (line 1, column 12)"),
        ("vars: {n: 'size(\"q\", 0)'}\nrules: []", "no parameter or layer 'q' (line 1, column 11)"),
        ("vars: {n: 'size(\"0.bias\", 1)'}\nrules: []", "'0.bias' has no dimension 1"),
        ("vars: {n: 'size(\"0.bias\", -1)'}\nrules: []", "'0.bias' has no dimension -1"),
        ("vars: {n: 'size(\"0.bias\", 1/2)'}\nrules: []", "'0.bias' has no dimension 0.5"),
        ("vars: {n: 'size(\"**.weight\", 1)'}\nrules: []", "'**.weight' has several sizes: 2, 16"),
        ("rules:\n- 'h.[': zeros", "a bracket without its other half (line 2, column 3)"),
        ("rules:\n- 'wte.weight[0]': zeros", "is a slice (line 2, column 3)"),
        ("rules:\n- a: evil.py:f", "a recipe runs no Python file (line 2, column 6)"),
        ("rules:\n- a: ' ../evil.py:f()'", "a recipe runs no Python file (line 2, column 6)"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(recipe: str, message: str, model: Checkpoint) -> None:
    assert message in error_of(model, recipe)


def test_unused_rules_and_untouched_parameters_of_a_file_are_told(tmp_path: Path) -> None:
    torch.save({f"{name}.weight": torch.zeros(2, 2) for name in "abc"}, tmp_path / "model.pt")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("rules:\n- a: zeros\n- a.weight: ones\n- q: ones\n- b: keep\n")
    run = paramctl("init", tmp_path / "model.pt", "--recipe", recipe, "--seed", "0", "--dry-run")
    assert run.code == 0
    why = "no parameter or layer 'q'; closest: a, b, c"
    assert run.err.splitlines() == [
        f"paramctl: 2 unused rules: recipe.yaml: a.weight; recipe.yaml: q ({why})",
        (
            "paramctl: 1 kept parameter: 'c.weight': no rule is for it; "
            "set one with --rule c.weight=SCHEME"
        ),
    ]
    strict = paramctl("init", tmp_path / "model.pt", "--recipe", recipe, "--strict", "--dry-run")
    assert strict.code == 2
    assert "2 unused rules: recipe.yaml: a.weight; recipe.yaml: q (" in strict.err
    recipe.write_text("rules:\n- a: zeros\n- b: keep\n")
    strict = paramctl("init", tmp_path / "model.pt", "--recipe", recipe, "--strict", "--dry-run")
    assert strict.code == 2
    assert "1 kept parameter: 'c.weight': no rule is for it" in strict.err
    recipe.write_text("rules:\n- a: zeros\n- b: keep\n- '*': keep\n")
    strict = paramctl("init", tmp_path / "model.pt", "--recipe", recipe, "--strict", "--dry-run")
    assert strict.code == 0


def test_a_rule_on_the_command_line_names_something(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(2, 2)}, tmp_path / "model.pt")
    run = paramctl("init", tmp_path / "model.pt", "--rule", "q=zeros", "--dry-run")
    assert run.code == 2
    assert "no parameter or layer 'q'" in run.err


def test_a_file_that_cannot_be_read_is_told(model: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        load_recipe(str(tmp_path / "recipe.yaml"), model)
    with pytest.raises(FileError, match="Is a directory"):
        load_recipe(str(tmp_path), model)
    with pytest.raises(LimitError):
        load_recipe("/dev/zero", model)


def test_only_a_recipe_loads_yaml(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(2, 2)}, tmp_path / "model.pt")
    arguments = ("init", tmp_path / "model.pt", "--dry-run", "--rule", "a=zeros")
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    assert "| yaml" not in paramctl(*arguments, env=env).err
    assert "yaml" in paramctl(*arguments, "--recipe", "llama", env=env).err
