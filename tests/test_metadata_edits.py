"""What a file says beside its tensors, set and deleted: nothing else changes, no tie is made up."""

import json
from pathlib import Path

import pytest
from forks import Forks
from hypothesis import given, settings
from hypothesis import strategies as st
from program import paramctl, run_on_terminal, shell
from safetensors import safe_open
from safetensors.torch import load_file

import paramctl as library
from paramctl import writer
from paramctl.checkpoint import Checkpoint
from paramctl.edits.metadata import with_metadata
from paramctl.errors import AddressError, UsageError
from paramctl.formats import read_checkpoint
from paramctl.layer_types import KEY as TYPES
from paramctl.models.spec import KEY as SPEC
from paramctl.sources import BytesSource

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.safetensors", SAMPLES / "shared.safetensors"


def reread(checkpoint: Checkpoint) -> Checkpoint:
    pieces: list[bytes] = []
    writer.stream(checkpoint, pieces.append)
    return read_checkpoint(BytesSource(b"".join(pieces), "again"))


def test_texts_are_set_and_nothing_else_changes(forks: Forks, tmp_path: Path) -> None:
    out = tmp_path / "m"
    run = forks.run("meta", SHARED, "author=A. N. Other", "url=http://x/?a=b", "empty=", "-o", out)
    assert run.code == 0
    with safe_open(out, "pt") as file:
        assert file.metadata() == {
            "author": "A. N. Other",
            "url": "http://x/?a=b",
            "empty": "",
            "format": "pt",
            "4.weight": "2.weight",
            "4.bias": "2.bias",
        }
    new, old = out.read_bytes(), SHARED.read_bytes()
    data = len(old) - 8 - int.from_bytes(old[:8], "little")
    assert new[-data:] == old[-data:]
    assert load_file(out).keys() == load_file(SHARED).keys()


def test_a_key_is_deleted_and_the_bytes_are_as_before(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(MLP.read_bytes())
    assert forks.run("meta", tmp_path / "m", "a.b=1", "note=x", "-i").code == 0
    assert (tmp_path / "m").read_bytes() != MLP.read_bytes()
    assert forks.run("meta", tmp_path / "m", "--delete", "a.b", "--delete", "note", "-i").code == 0
    assert (tmp_path / "m").read_bytes() == MLP.read_bytes()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@settings(max_examples=50)
@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=4), TEXTS)
def test_any_text_comes_back(texts: dict[str, str], more: str) -> None:
    model = library.open(MLP)
    again = reread(with_metadata(model, texts | {"more": more}))
    assert again.metadata == {"format": "pt"} | texts | {"more": more}
    assert dict(again.aliases) == {}
    assert reread(
        with_metadata(again, {}, [*texts.keys() - {"format"}, "more"])
    ).metadata.keys() == {"format"}


@pytest.mark.parametrize(
    ("texts", "deleted", "message"),
    [
        ({"": "x"}, [], "an empty key"),
        ({"note": "2.weight"}, [], "'note=2.weight' would be read as a tie: '2.weight' is a param"),
        ({"note": "4.weight"}, [], "'note=4.weight' would be read as a tie"),
        ({"0.weight": "x"}, [], "'0.weight' is a parameter: a key of its name is read as a tie"),
        ({"4.weight": "0.weight"}, [], "'4.weight' is a parameter: a key of its name"),
        ({"paramctl.spec": "x"}, [], "'paramctl.spec' is paramctl's own; it can be deleted"),
        ({"paramctl.types": "x"}, [], "'paramctl.types' is paramctl's own"),
        ({"paramctl.more": "x"}, [], "'paramctl.more' is paramctl's own"),
        ({}, ["4.weight"], "'4.weight' is a parameter, not metadata; untie() ends ties"),
        ({}, ["format"], "every file has a 'format'; {'format': text} sets another"),
        ({"a": "x"}, ["a"], "'a' is both set and deleted"),
        ({}, ["formt"], "no metadata 'formt'; closest: format"),
        ({}, ["zzz"], "no metadata 'zzz'; model.metadata shows what is there"),
    ],
)
def test_what_would_do_harm_is_refused(
    texts: dict[str, str], deleted: list[str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        library.open(SHARED).with_metadata(texts, deleted)
    assert message in str(caught.value)
    assert isinstance(caught.value, AddressError) == message.startswith("no metadata")


@pytest.mark.parametrize("change", [["total_size=5"], ["--delete", "total_size"]])
@pytest.mark.parametrize(
    "options", [["-n"], ["-o", "{}/m"], ["-o", "{}/m", "--max-shard-size", "9kB"]]
)
def test_what_an_index_counts_is_neither_set_nor_deleted(
    change: list[str], options: list[str], forks: Forks, tmp_path: Path
) -> None:
    options = [option.format(tmp_path) for option in options]
    run = forks.run("meta", SAMPLES / "gpt2", *change, *options)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert "'total_size' is what the index counts in its own files" in run.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["total_size", "total_parameters"])
def test_a_key_that_an_index_counts_is_of_one_file_alone(
    key: str, forks: Forks, tmp_path: Path
) -> None:
    assert forks.run("meta", MLP, f"{key}=5", "-o", tmp_path / "one").code == 0
    assert library.open(tmp_path / "one").metadata[key] == "5"
    call = ("meta", tmp_path / "one", "a=b", "-o", tmp_path / "many", "--max-shard-size", "0.1KB")
    run = forks.run(*call)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert f"'{key}' would be taken for what an index counts" in run.err
    assert [each.name for each in tmp_path.iterdir()] == ["one"]


def test_format_is_no_tie_whatever_it_says(tmp_path: Path) -> None:
    library.open(MLP).rename("0.weight -> pt").with_metadata({"format": "pt"}).save(tmp_path / "m")
    assert library.open(tmp_path / "m").aliases == {}


def test_what_paramctl_says_can_be_deleted(tmp_path: Path) -> None:
    model = library.open(SAMPLES / "mlp.yaml").init("xavier", seed=0)
    bare = model.with_metadata({}, [SPEC, TYPES, "paramctl.init"])
    bare.save(tmp_path / "m")
    again = library.open(tmp_path / "m")
    assert (again.metadata, again.types) == ({"format": "pt"}, {})
    assert model.types


def test_an_index_holds_the_metadata_of_shards(tmp_path: Path, forks: Forks) -> None:
    call = ("meta", SAMPLES / "gpt2", "license=MIT", "-o", tmp_path / "m")
    assert forks.run(*call, "--max-shard-size", "20kB").code == 0
    index = json.loads((tmp_path / "m" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["license"] == "MIT"
    assert forks.run("meta", tmp_path / "m", "license").out == "MIT\n"


# One verb


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a=b", "c"], "'c' sets nothing; c=TEXT, or --delete c"),
        (["a=b", "a=c"], "'a' is set twice"),
        (["--delete", "a"], "no metadata 'a'"),
        (["format", "-o", "{}"], "nothing is changed; KEY=TEXT sets, --delete KEY deletes"),
        (["-i"], "nothing is changed"),
        (["a=b", "--format", "json", "-o", "{}"], "--format is of what is shown"),
    ],
)
def test_it_either_shows_or_changes(
    arguments: list[str], message: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("meta", MLP, *(each.format(tmp_path / "x") for each in arguments))
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_text_may_hold_slashes_and_a_file_an_equals_sign(tmp_path: Path) -> None:
    run = shell('cat "$M" | "$P" meta url=http://x/y.pt | "$P" meta url', M=MLP)
    assert (run.stdout, run.stderr) == (b"http://x/y.pt\n", b"")
    path = tmp_path / "a=b"
    path.write_bytes(MLP.read_bytes())
    assert paramctl("meta", path).out == "format: pt\n"
    assert paramctl("meta", path, "a=b", "--dry-run").out == "a\t-\tb\n"


def test_a_plan_shows_old_and_new(tmp_path: Path, forks: Forks) -> None:
    forks.run("meta", MLP, "author=me", "note=x", "-o", tmp_path / "m")
    call = ("meta", tmp_path / "m", "author=\x1b[31myou", "license=MIT", "--delete", "note")
    text = run_on_terminal(*call, columns=100, NO_COLOR="1")
    assert text.splitlines()[1:] == [
        "metadata",
        "~ author: me → \\x1b[31myou",
        "- note: x",
        "+ license: MIT",
        "to change: 2 set, 1 deleted",
        "paramctl: nothing is written; add -o FILE, or -i to replace the file itself",
    ]
    lines = "author\tme\t\\x1b[31myou\nnote\tx\t-\nlicense\t-\tMIT\n"
    assert forks.run(*call, "--dry-run").out == lines


def test_keys_are_completed(tmp_path: Path, forks: Forks) -> None:
    forks.run("meta", MLP, "author=me", "note=x", "-o", tmp_path / "m")
    for line, offered in (
        ("", "format\nauthor\nnote\n"),
        ("au", "author\n"),
        ("--delete n", "note\n"),
    ):
        run = forks.run("completion", "fish", "--line", f"paramctl meta {tmp_path}/m {line}")
        assert sorted(run.out.split()) == sorted(offered.split())
