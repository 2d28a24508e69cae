"""What errors say to do next: about files that are not there, not to be read, or no models."""

import os
from errno import EACCES
from pathlib import Path

import pytest
from forks import Forks
from program import paramctl

import paramctl as library
from paramctl.errors import FileError

MLP = Path(__file__).parents[1] / "sample_models" / "mlp.pt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files, whose names matter."""
    for name in ("mlp.pt", "gpt2.pt", "mlp.safetensors", "notes"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("mlpp.pt", "No such file or directory; closest: {}/mlp.pt"),
        ("gtp2.pt", "No such file or directory; closest: {}/gpt2.pt"),
        ("mlp", "No such file or directory; closest: {}/mlp.pt"),
        ("xyz.pt", "No such file or directory"),
        ("modles/mlp.pt", "No such file or directory; there is no folder '{}/modles'"),
        ("mlp.pt/x", "Not a directory; there is no folder '{}/mlp.pt'"),
    ],
)
def test_a_mistyped_file_is_told_with_the_closest_in_its_folder(
    typed: str, said: str, folder: Path, forks: Forks
) -> None:
    path, said = folder / typed, said.format(folder)
    for call in (("ls", path), ("diff", MLP, path), ("rename", MLP, "--map", path)):
        run = forks.run(*call)
        assert (run.code, run.out, run.err) == (6, "", f"paramctl: {path}: {said}\n")
    with pytest.raises(FileError) as error:
        library.open(path)
    assert str(error.value) == f"{path}: {said}"


def test_where_no_model_is_named_the_closest_file_is_told_too(folder: Path) -> None:
    assert paramctl("ls", "mlp.saftensors", cwd=folder).err == (
        "paramctl: no model: there is no file 'mlp.saftensors'; closest: mlp.safetensors; "
        "name a file first, or '-', or pipe one in, or set $PARAMCTL_MODEL\n"
    )


def test_the_closest_file_is_told_where_it_could_be_a_name_in_another_model(folder: Path) -> None:
    piped = paramctl("ls", "mlpp.pt", stdin=Path(MLP).read_bytes(), cwd=folder)
    named = paramctl("ls", "mlpp.pt", env={"PARAMCTL_MODEL": str(MLP)}, cwd=folder)
    for run in (piped, named):
        assert run.code == 6
        assert run.err.startswith("paramctl: mlpp.pt: no such file; closest: mlp.pt; ")
        assert run.err.endswith(": no parameter or layer 'mlpp.pt'; closest: 0, 2\n")


def test_a_file_that_may_not_be_read_is_told_with_what_shows_who_may(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileError, match=r"mlp\.pt: Permission denied; 'ls -l' shows who may"):
        library.open(folder / "mlp.pt")


@pytest.mark.parametrize("text", ["hello\n", "1,2,3\n", "import torch\n", "# A model\n\nText."])
def test_a_text_of_any_length_is_told_as_one(text: str, forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_text(text)
    run = forks.run("ls", tmp_path / "m.safetensors")
    assert (run.code, run.out) == (3, "")
    assert run.err == (
        f"paramctl: {tmp_path}/m.safetensors: a text in no format that paramctl reads: a spec has "
        "'layers:', code is named with a function, model.py:build\n"
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["convert", MLP, "-o", "{}/none/x.pt"], "no such folder; 'mkdir -p' makes one"),
        (["set", MLP, "0.bias = 0", "-o", "{}/in/"], "not the name of a file; name a file"),
        (["set", MLP, "0.bias = 0", "-o", "{}/in"], "is a folder; name a file in it"),
        (["ls", MLP.with_name("mlp.safetensors"), "--key", "x"], "no 'x'; leave --key out"),
        (
            ["init", MLP, "0", "--rule", "0=zeros"],
            "; --scheme xavier, or a --rule for each address",
        ),
        (["init", MLP, "--rule", "0={}/fil.py:fill"], "; closest: {}/fill.py"),
        (["init", MLP, "--recipe", "{}/bom.yaml"], "; save it as UTF-8 without a mark"),
        (["print", MLP, MLP], "; print each by itself, diff compares two"),
    ],
)
def test_a_wrong_call_is_told_with_a_way_out(
    call: list[str | Path], said: str, forks: Forks, tmp_path: Path
) -> None:
    (tmp_path / "fill.py").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfrules: []")
    run = forks.run(*(str(each).format(tmp_path) for each in call))
    assert run.out == ""
    assert run.err.endswith(f"{said.format(tmp_path)}\n")


def test_a_file_that_cannot_be_written_is_called_what_the_user_calls_it(folder: Path) -> None:
    (folder / "in").mkdir()
    for typed in ("in", "./in", "in/../in", f"{folder}/in"):
        run = paramctl("convert", MLP, "-o", typed, cwd=folder)
        assert (run.code, run.err) == (6, f"paramctl: {typed}: is a folder; name a file in it\n")
    (folder / "link").symlink_to("in")  # of a link, what it leads to is in the way
    run = paramctl("convert", MLP, "-o", "link", cwd=folder)
    assert run.err == f"paramctl: {folder.resolve()}/in: is a folder; name a file in it\n"
