"""Names changed by rules and maps: the language, and what of a model follows its names."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from safetensors_rows import header, tensor
from states import checkpoint_of

import paramctl
from paramctl import Model, writer
from paramctl.checkpoint import Checkpoint
from paramctl.cli.time_limit import time_limit
from paramctl.edits.naming import with_names
from paramctl.edits.provenance import KEY as INIT
from paramctl.edits.renaming import rename
from paramctl.edits.renaming.language import is_rule, parse_rule
from paramctl.edits.renaming.maps import Map, read_map
from paramctl.errors import ExpressionError, LimitError, NoMatchError, UsageError
from paramctl.formats import read_checkpoint
from paramctl.layer_types import KEY as TYPES
from paramctl.models.spec import KEY as SPEC
from paramctl.sources import BytesSource

SAMPLES = Path(__file__).parents[1] / "sample_models"


def written(checkpoint: Checkpoint) -> bytes:
    pieces: list[bytes] = []
    writer.stream(checkpoint, pieces.append)
    return b"".join(pieces)


def reread(checkpoint: Checkpoint) -> Checkpoint:
    return read_checkpoint(BytesSource(written(checkpoint), "again"))


# The language


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        (r"s/^module\.//", "module.a.module.b", "a.module.b"),
        ("s/a/x/", "aaa", "xaa"),
        ("s/a/x/g", "aaa", "xxx"),
        ("s/A/x/", "aA", "ax"),
        ("s/A/x/i", "aA", "xA"),
        ("s/A/x/gi", "aA", "xx"),
        ("s|a/b|a.b|", "a/b.w", "a.b.w"),
        (r"s/a\/b/c\/d/", "a/b", "c/d"),
        (r"s|a\|b|c\|d|", "a|b", "c|d"),
        (r"s,(\w+)\.(\w+),\2.\1,", "a.b.c", "b.a.c"),
        (r"s/h\.(?P<n>[0-9]+)/layer\g<n>/", "x.h.12.w", "x.layer12.w"),
        (r"s/$/.weight/", "w", "w.weight"),
        (r"s/\.weight$//", "a.weight", "a"),
        ("s/a -> b/c/", "a -> b", "c"),
        ("encoder -> backbone", "encoder.0.w", "backbone.0.w"),
        ("encoder -> backbone", "encoder", "backbone"),
        ("encoder -> backbone", "encoder2.w", None),
        ("encoder -> backbone", "a.encoder.w", None),
        ("encoder->backbone", "encoder.w", "backbone.w"),
        ("  encoder   ->   backbone ", "encoder.w", "backbone.w"),
        ("0.block 1 -> b", "0.block 1.w", "b.w"),
        ("a.b -> c", "a.b.w", "c.w"),
        ("a.b -> c", "aXb.w", None),
        ("module ->", "module.a.module.b", "a.module.b"),
        ("h.{i} -> x.{i}.y", "h.w.z", "x.w.y.z"),
        ("h.{i} -> x", "h.", None),
        ("h.{i}.attn -> l.{i}.at", "h.3.attn.w", "l.3.at.w"),
        ("h.{i}.attn -> l.{i}.at", "h.3.x.attn.w", None),
        ("h.{i}.attn -> l.{i}.at", "h.3.attn2.w", None),
        ("block{i} -> blocks.{i}", "block12.w", "blocks.12.w"),
        ("block{i} -> blocks.{i}", "blocks.w", None),
        ("block{i}x -> {i}", "block12xy.w", None),
        ("{a}.{b}.w -> {b}.{a}.w", "x.y.w", "y.x.w"),
        ("{a}.{a} -> {a}", "x.x.w", "x.w"),
        ("{a}.{a} -> {a}", "x.y.w", None),
        (r"a -> b\1", "a.w", r"b\1.w"),
        ("a+ -> b", "a+.w", "b.w"),
        ("a+ -> b", "aa.w", None),
        ("a\n -> b", "a.w", "b.w"),
        ("a <-> b", "a.w", "b.w"),
        ("a <-> b", "b.w", "a.w"),
        ("h.{i} <-> g.{i}.x", "g.1.x.w", "h.1.w"),
    ],
)
def test_a_rule_rewrites_a_name(rule: str, old: str, new: str | None) -> None:
    assert is_rule(rule)
    names = [old, "a.v", "b.v", "h.7.v", "g.7.x.v"] if "<->" in rule else [old]
    if new is None:
        with pytest.raises(NoMatchError):
            parse_rule(rule).apply(names)
    else:
        assert parse_rule(rule).apply(names)[0] == new


@pytest.mark.parametrize(
    ("rule", "column", "what"),
    [
        ("a", 1, "no rule"),
        ("s", 1, "no rule"),
        ("s/", 3, "the closing '/' is missing"),
        ("s/a/b", 6, "the closing '/' is missing"),
        (r"s/a\/b/c", 9, "the closing '/' is missing"),
        ("s//b/", 3, "an empty expression"),
        ("s/a/b/x", 7, "'x' is no flag"),
        ("s/a/b/gg", 8, "'g' is given twice"),
        ("s/a/b/g ", 8, "' ' is no flag"),
        ("s/a(/b/", 4, "missing ), unterminated subpattern"),
        ("s/a/b/c/", 7, "'c' is no flag"),
        ("s/*/b/", 3, "nothing to repeat"),
        ("s/a{9999999999}/b/", 3, "an expression that is too large"),
        ("s/" + "(" * 5000 + ")" * 5000 + "/b/", 3, "an expression that is too large"),
        (r"s/a/\1/", 6, "invalid group reference 1"),
        (r"s/a/\g<x>/", 5, "unknown group name 'x'"),
        (r"s/a/b\y/", 6, r"bad escape \y"),
        ("a -> b -> c", 8, "a second '->'"),
        ("a <-> b -> c", 9, "a second '->'"),
        ("-> b", 1, "a name is missing"),
        ("a <->", 6, "a name is missing"),
        ("a. -> b", 2, "an empty part beside a dot"),
        ("a -> .b", 6, "an empty part beside a dot"),
        ("a -> b..c", 7, "an empty part beside a dot"),
        ("h.{} -> b", 3, "'{}' is no name of a part"),
        ("h.{0} -> b", 3, "'{0}' is no name of a part"),
        ("h.{i -> b", 3, "'{' in a name"),
        ("h.* -> b", 3, "'*' in a name"),
        ("h.{a}{b} -> b", 6, "two parts with nothing between"),
        ("h.{i} -> b.{j}", 12, "'{j}' is not in the old name"),
        ("h.{i} <-> b", 3, "'{i}' is not in the old name"),
        ("a -> *", 6, "'*' in a name"),
    ],
)
def test_a_rule_that_does_not_parse_is_told_with_its_column(
    rule: str, column: int, what: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_rule(rule)
    assert caught.value.what.endswith(f": {what}")
    assert (caught.value.column + 1, caught.value.text) == (column, rule)


@pytest.mark.parametrize("text", ["model.safetensors", "a/b", "s", "set.w", "s.a.b.c", "sub-1"])
def test_what_may_be_a_file_or_a_name_is_no_rule(text: str) -> None:
    assert not is_rule(text)


@given(st.text(st.sampled_from("s/|.{}a<->\\()*+ g"), max_size=14), st.text("a.b/", max_size=9))
def test_any_rule_parses_or_says_where_not(rule: str, name: str) -> None:
    try:
        parse_rule(rule).apply([name])
    except (ExpressionError, NoMatchError) as error:
        assert error.what  # noqa: PT017 (it may as well be none)


def test_what_never_ends_is_given_up() -> None:
    rule = parse_rule("s/(a+)+$/x/")
    with (
        pytest.raises(LimitError, match=r"renaming takes longer than 0\.1 s"),
        time_limit(0.1),
    ):
        rule.apply(["a" * 60 + "!"])


# Rules one after another


def model_of(*names: str) -> Checkpoint:
    return checkpoint_of({name: torch.full((1,), float(i)) for i, name in enumerate(names)})


def renamed(checkpoint: Checkpoint, *rules: str) -> list[str]:
    return list(rename(checkpoint, map(parse_rule, rules)))


def test_a_rule_is_given_what_the_one_before_left() -> None:
    model = model_of("module.h.0.w", "module.h.1.w", "module.b")
    assert renamed(model, "module ->", "h.{i} -> l.{i}", "s/^l/m/") == ["m.0.w", "m.1.w", "b"]
    with pytest.raises(UsageError, match=r"'a\.w', 'b\.w' would become 'a\.w'"):
        renamed(model_of("a.w", "b.w"), "a -> b", "b -> a")


def test_an_exchange_is_one_rule_or_one_map() -> None:
    model = model_of("a.w", "b.w", "ab.w")
    assert renamed(model, "a <-> b") == ["b.w", "a.w", "ab.w"]
    assert list(rename(model, [Map({"a": "b", "b": "a"})])) == ["b.w", "a.w", "ab.w"]


def test_the_longest_name_of_a_map_counts() -> None:
    model = model_of("a.w", "a.b", "a.c.w", "aa.w")
    names = Map({"a": "x", "a.b": "y.b", "a.c.w": "w"})
    assert list(rename(model, [names])) == ["x.w", "y.b", "w", "aa.w"]
    with pytest.raises(NoMatchError, match="'aa' renames nothing: longer names of the map"):
        rename(model, [Map({"aa": "x", "aa.w": "y"})])


def test_an_empty_name_in_a_map_takes_a_layer_off() -> None:
    model = model_of("a.w", "a.b.w", "aa.w")
    assert list(rename(model, [Map({"a": ""})])) == ["w", "b.w", "aa.w"]
    with pytest.raises(UsageError, match=r"nothing would be left of the name 'a\.w'"):
        rename(model, [Map({"a.w": ""})])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("h.{i}.atn -> x", "'h.{i}.atn -> x' fits no name; closest: h.0.attn, h.1.attn"),
        (r"s/^h\.0\.atnn/x/", "fits no name; closest: h.0.attn, "),
        ("zzzz -> x", "'zzzz -> x' fits no name; names are h.0.attn.w, h.1.attn.w, wte.w"),
        ("wte <-> wpe", "'wte <-> wpe' fits no name; closest: wte, wte.w"),
    ],
)
def test_a_rule_that_fits_no_name_is_an_error(rule: str, message: str) -> None:
    with pytest.raises(NoMatchError) as caught:
        renamed(model_of("h.0.attn.w", "h.1.attn.w", "wte.w"), rule)
    assert message in str(caught.value)


def test_names_that_become_one_are_listed() -> None:
    model = model_of(*(f"{layer}.{part}" for layer in range(9) for part in "wbxyz"))
    with pytest.raises(UsageError) as caught:
        renamed(model, "{layer} -> all")
    assert str(caught.value) == (
        "'0.w', '1.w', '2.w' and 6 more would become 'all.w'; "
        "'0.b', '1.b', '2.b' and 6 more would become 'all.b'; "
        "'0.x', '1.x', '2.x' and 6 more would become 'all.x'; "
        "and 2 more such; each needs a name of its own"
    )


@pytest.mark.parametrize("rule", ["s/^a.*//", "a.{i} ->"])
def test_no_name_becomes_empty(rule: str) -> None:
    what = r"nothing would be left of the name 'a\.w'; drop\(\) leaves parameters out"
    with pytest.raises(UsageError, match=what):
        renamed(model_of("a.w", "a.v", "b"), rule)


# Maps in files


def test_a_map_is_read_as_a_dry_run_prints_it(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("a\\tb\tx\\\\y\r\n\nc\td\n")
    model = model_of("a\tb.w", "c")
    with pytest.raises(UsageError, match="no pair of an old and a new name"):
        read_map(str(tmp_path / "map"))
    (tmp_path / "map").write_text("a\\tb\tx\\\\y\r\nc\td\n")
    assert list(rename(model, [read_map(str(tmp_path / "map"))])) == ["x\\y.w", "d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a b\n", r"no pair of an old and a new name with a tab between \(line 1\)"),
        (b"a\tb\na\tb\tc\n", r"\(line 2\)"),
        (b"a\t\n", r"\(line 1\)"),
        (b"a\tb\na\tc\n", r"'a' is there twice \(line 2\)"),
        (b"", "no names"),
        (b"\xff\tb\n", "no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_map_is_told(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "map").write_bytes(text)
    with pytest.raises(UsageError, match=message):
        read_map(str(tmp_path / "map"))


# What follows the names


NAMES = st.lists(st.from_regex(r"\A[a-c](\.[a-c0-2]){0,3}\Z"), unique=True, min_size=1, max_size=8)


@st.composite
def models(draw: st.DrawFn) -> Checkpoint:
    """Models as they are read from files: with ties, metadata, classes, and what was drawn."""
    names = draw(NAMES)
    stored = draw(st.integers(1, len(names)))
    entries = ",".join(
        f"{json.dumps(name)}:{tensor('U8', '[1]', place, place + 1)}"
        for place, name in enumerate(names[:stored])
    )
    metadata = {name: draw(st.sampled_from(names[:stored])) for name in names[stored:]}
    drawn = sorted(draw(st.sets(st.sampled_from(names))))
    metadata |= {"author": "N. N.", "note": "none"}
    if drawn:
        record = {"scheme": "ones", "rule": "*=ones", "seed": 0, "parameters": drawn}
        metadata[INIT] = json.dumps([record])
    text = f'{{"__metadata__":{json.dumps(metadata)},{entries}}}'
    return read_checkpoint(BytesSource(header(text, bytes(range(stored))), "model"))


@settings(max_examples=50)
@given(models(), st.data())
def test_other_names_and_back_is_the_same_file(model: Checkpoint, data: st.DataObject) -> None:
    names = data.draw(st.permutations([*model]))
    fresh = data.draw(st.booleans())
    new = [f"new.{name}" if fresh else name for name in names]
    there = dict(zip(model, new, strict=True))
    back = {new: old for old, new in there.items()}
    moved = rename(model, [Map(there)])
    assert list(moved) == list(there.values())
    assert [entry._replace(name="") for entry in moved.values()] == [
        entry._replace(name="") for entry in model.values()
    ]
    assert moved.aliases == {there[alias]: there[name] for alias, name in model.aliases.items()}
    assert reread(moved).aliases == moved.aliases
    assert written(rename(moved, [Map(back)])) == written(model)


Renaming = Callable[[str], str]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["s/^/transformer./"], lambda name: f"transformer.{name}"),
        (["s/[0-9]/#/g"], lambda name: re.sub("[0-9]", "#", name)),
        (["h.{i} -> {i}.h"], lambda name: re.sub(r"^h\.(\d)\.", r"\1.h.", name)),
        (
            ["h.0 <-> h.1", "wte.weight -> tokens"],
            lambda name: (
                {"wte.weight": "tokens"}.get(name, "")
                or re.sub(r"^h\.([01])\.", lambda m: f"h.{1 - int(m[1])}.", name)
            ),
        ),
    ],
)
def test_values_are_those_of_a_dictionary_with_other_keys(
    rules: list[str], expected: Renaming, tmp_path: Path
) -> None:
    old = paramctl.open(SAMPLES / "gpt2")
    old.save(tmp_path / "old")
    try:
        old.rename(*rules).save(tmp_path / "new")
    except UsageError as error:
        assert "would become" in str(error)  # noqa: PT017 (one of the rules)
        assert len({expected(name) for name in old}) < len(old)
        return
    state = {expected(name): value for name, value in load_file(tmp_path / "old").items()}
    save_file(state, tmp_path / "theirs", {"format": "pt"})
    assert (tmp_path / "new").read_bytes() == (tmp_path / "theirs").read_bytes()


KNOWN = {"": "Net", "0": "Linear", "2": "Block", "2.0": "Conv", "2.1": "Norm"}


def typed(types: Mapping[str, str], *names: str) -> Checkpoint:
    model = model_of(*names)
    model.types = dict(types)
    return model


@pytest.mark.parametrize(
    ("rules", "types"),
    [
        (["0 -> fc"], KNOWN | {"fc": "Linear", "0": ""}),
        (["s/^/m./"], {f"m.{layer}".rstrip("."): name for layer, name in KNOWN.items()}),
        (["2.1.g -> 2.1.weight"], KNOWN),
        (["2.0 -> 2.conv"], KNOWN | {"2.conv": "Conv", "2.0": ""}),
        (["2.0 -> 3.0"], KNOWN | {"3.0": "Conv", "2.0": "", "2": ""}),
        (["0.w -> 1.w"], KNOWN | {"0": ""}),
        (["0.b -> 2.0.b"], KNOWN | {"0": "", "": ""}),
        (["2 -> m.o"], {"0": "Linear", "m.o": "Block", "m.o.0": "Conv", "m.o.1": "Norm"}),
        (["0 <-> 2.1"], {"2.1": "Linear", "2.0": "Conv", "0": "Norm"}),
    ],
)
def test_the_class_of_a_layer_follows_to_where_all_of_it_goes(
    rules: list[str], types: dict[str, str]
) -> None:
    moved = rename(typed(KNOWN, "0.w", "0.b", "2.0.w", "2.1.g"), map(parse_rule, rules))
    assert moved.types == {layer: name for layer, name in types.items() if name}
    assert json.loads(reread(moved).metadata[TYPES]) == moved.types


def test_two_layers_of_other_classes_that_become_one_have_none() -> None:
    model = typed({"0": "Linear", "1": "Norm", "2": "Linear"}, "0.w", "1.g", "2.w")
    assert rename(model, [Map({"0": "a", "1": "a"})]).types == {"2": "Linear"}


def test_a_spec_is_left_out_where_names_are_others_and_kept_where_not() -> None:
    model = paramctl.open(SAMPLES / "shared.yaml").init("xavier", seed=0)
    assert SPEC in model.rename("s/2/2/").metadata
    assert model.rename("s/2/2/").build is not None
    moved = model.rename("2 -> two")
    assert (SPEC in moved.metadata, moved.build) == (False, None)
    assert moved.types["two"] == "Linear"
    assert set(moved.aliases.items()) == {("4.weight", "two.weight"), ("4.bias", "two.bias")}
    record = json.loads(moved.metadata[INIT])[0]
    assert (record["seed"], "two.weight" in str(moved.metadata[INIT])) == (0, True)


def test_what_a_tie_was_called_is_not_left_in_the_metadata() -> None:
    model = paramctl.open(SAMPLES / "shared.safetensors")
    assert "4.weight" in model.metadata
    moved = reread(model.rename("4 -> four"))
    assert moved.metadata == {
        "format": "pt", "four.bias": "2.bias", "four.weight": "2.weight"
    }  # fmt: skip
    assert moved.aliases == {"four.bias": "2.bias", "four.weight": "2.weight"}


def test_views_that_overlap_are_told_by_their_new_names() -> None:
    base = torch.arange(6.0)
    model = checkpoint_of({"a": base[:5], "b": base[:3], "c": base[2:]})
    assert model.overlaps == {"b": "a", "c": "a"}
    moved = rename(model, [Map({"a": "x", "c": "z"})])
    assert moved.overlaps == {"b": "x", "z": "x"}
    assert with_names(model, {"b": "b", "c": "z"}).overlaps == {"z": "b"}


def test_a_model_in_python_takes_rules_and_mappings() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    moved = model.rename("0 -> a", {"2": "b", "a.bias": "a.shift"})
    assert isinstance(moved, Model)
    assert list(moved) == ["a.weight", "a.shift", "b.weight", "b.bias"]
    assert list(model) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_values_are_copied_by_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({f"h.{i}.w": torch.full((1 << 18,), float(i)) for i in range(3)}, tmp_path / "m")
    copied = []
    copy = os.copy_file_range

    def count(*arguments: int) -> int:
        copied.append(copy(*arguments))
        return copied[-1]

    monkeypatch.setattr(os, "copy_file_range", count)
    paramctl.open(tmp_path / "m").rename("h -> layers").drop("layers.1").save(tmp_path / "out")
    assert sum(copied) == 2 << 20
    old, new = load_file(tmp_path / "m"), load_file(tmp_path / "out")
    assert all(torch.equal(new[f"layers.{i}.w"], old[f"h.{i}.w"]) for i in (0, 2))


def test_a_model_without_parameters_has_no_names_to_fit() -> None:
    with pytest.raises(NoMatchError, match="'a -> b' fits no name; the model has no parameters"):
        Model("m", "none", {}).rename("a -> b")
