"""Hostile recipes: each is refused with its place in the file, and nothing is run or written."""

from pathlib import Path

import pytest
import torch
import yaml
from hostile import PRINTABLE_LINE, Row, assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from program import paramctl
from states import checkpoint_of

from paramctl.documents import MAX_DEPTH, read_document
from paramctl.edits.initialization import plan
from paramctl.edits.recipes import MAX_SIZE, load_recipe
from paramctl.edits.recipes.recipe import MAX_NODES, read_rules
from paramctl.errors import ParamctlError, UsageError
from paramctl.views.escaping import escape

SIGNS = " \n\t-?:,[]{}&*!|>'\"%@`#~<ab1.\0\x85\u2028\ufeff\ud7ff"
AS_A_USER = ("G01", "G05", "G06", "G08-tab", "G17", "large", "entities")

HOSTILE = [
    Row("G01", b"rules: !!python/object/apply:os.getcwd []", 2, "a tag, which is not allowed"),
    Row("G01-key", b"!!python/name:os.getcwd : []", 2, "(line 1, column 1)"),
    Row("G02", b"rules: []\nvars: {a: 1,\n  a: 2}", 2, "'a' comes twice (line 3, column 3)"),
    Row("G04", b"rules: &a [*a]", 2, "a tag, which is not allowed (line 1, column 8)"),
    Row("G05", b"rules: [" + b"{<<: *a}," * 5_000 + b"]", 2, "an alias, which is not allowed"),
    Row("G06", b"rules: " + b"[" * 20_000, 2, "nested more than 64 deep (line 1, column 71)"),
    Row("G06-block", b"- " * 20_000, 2, "nested more than 64 deep"),
    Row("G06-map", b"{a: " * 10_000, 2, "nested more than 64 deep"),
    Row("G06-key", b"? " * 20_000, 2, "nested more than 64 deep"),
    Row("G08-empty", b"", 2, "an empty file"),
    Row("G08-comment", b"# nothing\n", 2, "an empty file"),
    Row("G08-two", b"rules: []\n---\nrules: []\n", 2, "but found another document (line 2, column"),
    Row("G08-tab", b"rules:\n\t- a: zeros", 2, "that cannot start any token (line 2, column 1)"),
    Row("G08-nul", b"rules:\n- a: \0zeros", 2, "a character that YAML forbids (line 2, column 6)"),
    Row("G08-bom", b"\xef\xbb\xbfrules: []", 2, "a byte order mark (line 1, column 1)"),
    Row("G08-latin", b"rules:\n- a: z\xe9ros", 2, "no UTF-8 (line 2)"),
    Row("G08-utf16", "rules: []".encode("utf-16"), 2, "no UTF-8 (line 1)"),
    Row("G09-list", b"- rules", 2, "a recipe is no mapping (line 1, column 1)"),
    Row("G09-scalar", b"42", 2, "a recipe is no mapping (line 1, column 1)"),
    Row("G10-unhashable", b"{[a]: b}", 2, "a key is no text (line 1, column 2)"),
    Row("G10-null", b"~: []", 2, "a recipe has no '~' (line 1, column 1)"),
    Row("G10-int", b"1: []", 2, "a recipe has no '1' (line 1, column 1)"),
    Row("G10-date", b"rules: 2020-13-45", 2, "rules is no list (line 1, column 8)"),
    Row("G10-zone", b"2020-01-01 00:00:00 -99:00: []", 2, "a recipe has no '2020-01-01"),
    Row("G12", b"rules: [{wte: normal(std=-.inf)}]", 2, "(line 1, column 27)"),
    Row("G13", b"ruls: []", 2, "closest: rules"),
    Row(
        "G14",
        b"rules: [{wte.weight: zeros, split: 4611686018427387904}]",
        2,
        "cannot be split into",
    ),
    Row("G17", rb'rules: [{"a\n\e[31m\0": zeros, b: ones}]', 2, r"'a\n\x1b[31m\x00', 'b'"),
    Row("G18", b"include: ../x.yaml\nrules: []", 2, "a recipe has no 'include' (line 1, column 1)"),
    Row("star", b"rules:\n- **.weight: zeros", 2, "what begins with * needs quotes"),
    Row("alias", b"rules:\n- *x : zeros", 2, "what begins with * needs quotes"),
    Row("surrogate", rb'rules: [{"\ud800": zeros, b: ones}]', 2, "a rule with more than one"),
    Row("large", b"#" * (MAX_SIZE + 1), 5, "a recipe of more than 65,536 bytes"),
    Row("deep-value", b"rules:\n- a: " + b"(" * 60_000, 2, "nested more than 50 deep"),
    Row("long", b"rules:\n- a: " + b"1+" * 30_000 + b"x", 2, "expected a scheme"),
    Row("entities", b"rules: [" + b"a," * 32_000 + b"]", 2, "more than 2,000 keys and values"),
]


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: row.id)
def test_a_hostile_recipe_is_refused(row: Row, tmp_path: Path) -> None:
    model = checkpoint_of({"wte.weight": torch.zeros(50, 16)})
    with pytest.raises(ParamctlError) as caught:
        plan(model, load_recipe(str(row.write(tmp_path)), model))
    message = caught.value.render(escape, "shell")
    assert caught.value.exit_code == row.code
    assert row.message in message
    assert PRINTABLE_LINE.fullmatch(f"{message}\n")


@pytest.mark.parametrize("row", [row for row in HOSTILE if row.id in AS_A_USER], ids=lambda r: r.id)
def test_a_refused_recipe_writes_nothing(row: Row, tmp_path: Path) -> None:
    torch.save({"wte.weight": torch.zeros(50, 16)}, tmp_path / "model.pt")
    output = tmp_path / "new.safetensors"
    recipe = row.write(tmp_path)
    run = paramctl("init", tmp_path / "model.pt", "--recipe", recipe, "-o", output)
    assert_refused(run, row)
    assert not output.exists()


@given(
    st.text(st.sampled_from(" \n\t-?:,[]{}&*!|>'\"%@`#~<ab1.\0\x85\u2028\ufeff\ud7ff"), max_size=40)
)
@settings(max_examples=300)
def test_any_text_is_a_recipe_or_an_error_of_the_user_s(text: str) -> None:
    model = checkpoint_of({"wte.weight": torch.zeros(50, 16)})
    for recipe in (text, f"rules:\n- {text}", f"vars:\n  {text}\nrules: []"):
        try:
            read_rules(recipe.encode(), "test", model)
        except ParamctlError as error:
            assert error.exit_code == 2  # noqa: PT017 (not every text is wrong)


def test_a_depth_that_is_allowed_is_read() -> None:
    nested = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert isinstance(read_document(nested.encode(), MAX_NODES), yaml.SequenceNode)
    with pytest.raises(UsageError, match="nested more than 64 deep"):
        read_document(f"[{nested}]".encode(), MAX_NODES)


def test_a_python_file_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('run')\n")
    (tmp_path / "recipe.yaml").write_text("rules:\n- 0: 'evil.py:f'\n")
    torch.save({"0.weight": torch.zeros(2, 2)}, tmp_path / "model.pt")
    run = paramctl("init", "model.pt", "--recipe", "recipe.yaml", "--dry-run", cwd=tmp_path)
    assert run.code == 2
    assert run.err.startswith("paramctl: recipe.yaml: a recipe runs no Python file (line 2, col")
