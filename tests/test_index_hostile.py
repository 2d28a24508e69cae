"""What the index of a sharded model may do to us: section D, as users meet it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from forks import Forks
from hostile import VERBS, Row, assert_bounded, assert_refused
from index_rows import GPT2, REFUSED, hub_cache, index
from program import PARAMCTL, paramctl
from safetensors_rows import F32, header, one, tensor

from paramctl import arrays
from paramctl import open as open_model
from paramctl.errors import FileError


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_a_malformed_index_is_refused_in_one_line(row: Row, tmp_path: Path) -> None:
    assert_refused(paramctl("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_every_verb_refuses_it(
    verb: tuple[str, ...], row: Row, tmp_path: Path, forks: Forks
) -> None:
    assert_refused(forks.run(*verb, row.write(tmp_path)), row)


def test_links_as_in_the_hub_s_cache_are_followed_unless_told_otherwise(tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path)
    assert paramctl("ls", snapshot).out == paramctl("ls", GPT2).out
    refused = paramctl("ls", snapshot, "--no-follow")
    assert (refused.code, refused.out) == (6, "")
    assert "00001-of-00002.safetensors: a symbolic link; --no-follow refuses those" in refused.err


def test_what_a_missing_file_does_not_hold_is_listed_and_the_rest_marked(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(one(F32, name='"a"'))
    path = index(tmp_path, {"a": "a.safetensors", "b": "gone.safetensors"})
    run = paramctl("ls", path)
    assert run.out.splitlines() == [
        "a\t[1]\tfloat32\t1\t4\t-\t-\t-\t-",
        "b\t-\t-\t-\t-\t-\t-\t-\tmissing",
    ]
    assert (run.code, run.err.count("\n")) == (3, 1)
    assert "gone.safetensors is missing" in run.err
    shown = paramctl("show", path, "b")
    assert (shown.code, shown.out) == (3, "")
    assert "'b' is missing" in shown.err


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": "a.safetensors", "c": "a.safetensors"}, "'c' is not in a.safetensors"),
        ({"a": "a.safetensors", "b": "b.safetensors"}, "'x' is in a file, but not in the index"),
    ],
)
def test_files_and_index_that_disagree_are_told(
    weight_map: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.safetensors").write_bytes(one(F32, name='"a"'))
    entry = F32.replace("[0,4]", "[4,8]")
    both = f'{F32},"x":{entry}'
    (tmp_path / "b.safetensors").write_bytes(one(both, bytes(8), name='"b"'))
    run = paramctl("ls", index(tmp_path, weight_map))
    assert run.code == 3
    assert message in run.err


@pytest.mark.parametrize("holds", [1, 40_000])
def test_a_few_complaints_are_told_and_the_rest_counted(holds: int, tmp_path: Path) -> None:
    entries = [f'"{n}":{tensor("U8", "[1]", n, n + 1)}' for n in range(holds)]
    (tmp_path / "a.safetensors").write_bytes(header(f"{{{','.join(entries)}}}", bytes(holds)))
    run = paramctl(
        "ls", index(tmp_path, dict.fromkeys(map(str, range(40_001 - holds)), "a.safetensors"))
    )
    assert (run.code, len(run.out.splitlines()), run.err.count("\n")) == (3, 40_000, 1)
    assert run.err.count("'") == 2 * 4
    assert run.err.endswith("; and 39,995 more\n")
    assert_bounded(run)


@pytest.mark.parametrize("present", [["x"], ["x", "y"]])
@pytest.mark.parametrize("first", ["a", "b"])
def test_a_tensor_that_is_in_another_file_than_the_index_says_is_found(
    first: str, present: list[str], tmp_path: Path
) -> None:
    both = f'{F32},"b":{tensor("F32", "[1]", 4, 8)}'
    files = {"x": one(both, bytes(8), name='"a"'), "y": one(F32, name='"c"')}
    for name in present:
        (tmp_path / f"{name}.safetensors").write_bytes(files[name])
    listed = {"a": "x.safetensors", "b": "y.safetensors"}
    checkpoint = open_model(index(tmp_path, {first: listed[first]} | listed))
    assert {entry.layout for entry in checkpoint.values()} == {"strided"}
    assert [name for name in checkpoint if name in listed] == list({first: 0} | listed)
    assert "y.safetensors" in checkpoint.complaints[0]


@pytest.mark.parametrize("value", [[1], {"w": 1}, None, 1, True])
def test_metadata_of_an_index_may_be_anything(value: object, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(one(F32))
    path = index(tmp_path, {"w": "a.safetensors"}, metadata={"x": value, "head": "w"})
    run = paramctl("ls", path, "--format", "names")
    assert (run.code, run.out, run.err) == (0, "w\nhead\n", "")
    assert open_model(path).metadata == {"x": value, "head": "w"}


def test_a_folder_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)  # root, as whom CI runs, may read every folder
    with pytest.raises(FileError, match="Permission denied"):
        open_model(tmp_path)


def test_a_folder_s_name_need_not_be_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b"))
    shutil.copytree(GPT2, folder)
    run = subprocess.run(
        [PARAMCTL, "ls", folder, "--format", "tree"], capture_output=True, check=True
    )
    assert run.stdout.splitlines()[0].startswith(os.fsencode(tmp_path) + rb"/\udcff\x1b/model")


def test_a_file_that_changes_after_it_was_listed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(one(F32))
    entry = open_model(path)["w"]
    assert arrays.read(entry).tolist() == [0.0]
    entry = open_model(path)["w"]
    path.write_bytes(one(F32, b"\1\0\0\0"))
    with pytest.raises(FileError, match="changed since it was listed"):
        arrays.read(entry)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(one(F32))
    entry = open_model(path)["w"]
    arrays.read(entry)
    os.truncate(path, 20)
    with pytest.raises(FileError, match="it is shorter now"):
        arrays.read(entry)
