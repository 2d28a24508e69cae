"""Keras's sharded weights, as Keras wrote them; the same model in one file is the oracle."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest
from forks import Forks
from hostile import VERBS, Row, assert_refused

from paramctl import arrays
from paramctl import open as open_model
from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import LimitError
from paramctl.formats import keras_shards, open_checkpoint

FILES = Path(__file__).parent / "files"
SHARDS, WHOLE = FILES / "keras_shards", FILES / "net.weights.h5"
INDEX = "net.weights.json"
Make = Callable[[Path], Path]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what runs the program with h5py in it already."""
    with Forks(tmp_path_factory.mktemp("forks"), "h5py") as forks:
        yield forks


def bytes_of(model: Checkpoint) -> dict[str, bytes]:
    return {name: b"".join(arrays.raw(entry)) for name, entry in model.items()}


def copied(folder: Path, *left_out: int) -> Path:
    """Return a copy of the sharded model, less some of its files."""
    copy = folder / "copy"
    shutil.copytree(SHARDS, copy)
    for number in left_out:
        (copy / f"net_{number:05}.weights.h5").unlink()
    return copy


def write_index(folder: Path, weight_map: object, **members: object) -> Path:
    path = folder / INDEX
    path.write_text(json.dumps({"weight_map": weight_map} | members))
    return path


@pytest.mark.parametrize("path", [SHARDS, SHARDS / INDEX])
def test_they_are_one_model_as_in_one_file(path: Path) -> None:
    model, whole = open_model(path), open_model(WHOLE)
    assert bytes_of(model) == bytes_of(whole)
    assert list(model) == list(whole)
    assert [entry.summary for entry in model.values()] == [
        entry.summary for entry in whole.values()
    ]
    assert (model.format, model.holds) == ("sharded hdf5", "3 files")
    assert (model.others, model.complaints) == ({"optimizer": "2 tensors"}, ())
    assert model.metadata == whole.metadata | {"total_size": 132.0}


def test_the_optimizer_is_listed_by_its_key() -> None:
    options = ReadOptions(key="optimizer")
    part, whole = open_checkpoint(SHARDS, options), open_checkpoint(WHOLE, options)
    assert bytes_of(part) == bytes_of(whole)
    assert part.holds == "3 files, optimizer"


def test_they_are_initialized_as_the_one_file_is(forks: Forks) -> None:
    one, several = (
        forks.run("init", path, "--scheme", "kaiming_normal", "--dry-run")
        for path in (WHOLE, SHARDS)
    )
    assert (several.code, several.out) == (0, one.out)


def test_groups_stand_in_the_order_of_the_index(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    index = json.loads((folder / INDEX).read_text())
    groups = [*index["weight_map"]]
    write_index(folder, {group: index["weight_map"][group] for group in reversed(groups)})
    names = dict.fromkeys(name.rpartition(".")[0] for name in open_model(folder))
    assert [*names] == [
        "layers.dense_1.vars",
        "layers.batch_normalization.vars",
        "layers.dense.vars",
    ]


def test_what_is_in_one_file_need_be_in_no_list(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file["vars/0"] = [1.0, 2.0]
    model = open_model(write_index(tmp_path, {"/vars": "x.weights.h5"}))
    assert arrays.read(model["vars.0"]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        (0, ["layers.dense.vars.0"]),
        (1, ["layers.dense.vars.1", "layers.batch_normalization.vars.0"]),
        (2, ["layers.batch_normalization.vars.3", "layers.dense_1.vars.0"]),
    ],
)
def test_a_file_that_is_missing_is_told_and_a_variable_for_each_of_its_groups(
    gone: int, missing: list[str], forks: Forks, tmp_path: Path
) -> None:
    folder = copied(tmp_path, gone)
    run = forks.run("ls", folder)
    assert [line.split("\t")[0] for line in run.out.splitlines() if "missing" in line] == missing
    file = f"net_{gone:05}.weights.h5"
    assert (run.code, run.err) == (3, f"paramctl: {folder / INDEX}: {file} is missing\n")
    run = forks.run("convert", folder, "-o", tmp_path / "x.safetensors")
    assert run.code == 3
    assert f"{file} is not there; put it beside the index" in run.err
    assert not (tmp_path / "x.safetensors").exists()


def test_without_any_file_the_index_tells_the_groups(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("ls", copied(tmp_path, 0, 1, 2), "--format", "names")
    assert run.code == 3
    assert run.out.splitlines() == [
        *(f"layers.{layer}.vars.{n}" for layer in ("dense", "batch_normalization") for n in (0, 1)),
        "layers.dense_1.vars.0",
    ]


def test_files_and_index_that_disagree_are_told(forks: Forks, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    index = json.loads((folder / INDEX).read_text())["weight_map"]
    del index["/layers/dense_1/vars"]
    index["/layers/dense/vars"].append("net_00002.weights.h5")
    write_index(folder, index)
    run = forks.run("ls", folder)
    assert (run.code, len(run.out.splitlines())) == (3, 8)
    assert run.err == (
        f"paramctl: {folder / INDEX}: '/layers/dense/vars' is not in net_00002.weights.h5; "
        "'/layers/dense_1/vars' is in a file, but not in the index\n"
    )


def test_a_link_out_of_a_file_is_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file["vars/0"] = h5py.ExternalLink("y.h5", "/x")
    model = open_model(write_index(tmp_path, {"/vars": "x.weights.h5"}))
    why = "it is in another file, which is not opened"
    assert (model.missing, model.complaints) == ({"vars.0": why}, (f"'vars.0': {why}",))


def of_map(weight_map: object, **members: object) -> Make:
    """Make an index beside files of which two hold one dataset, and one has it for a group."""

    def make(folder: Path) -> Path:
        datasets = {"1.h5": "/a/vars/0 /b/vars/0", "2.h5": "/a/vars/0", "3.h5": "/b/vars"}
        for name, paths in datasets.items():
            with h5py.File(folder / name, "w") as file:
                for path in paths.split():
                    file[path] = [1.0]
        return write_index(folder, weight_map, **members)

    return make


def of_text(text: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / INDEX).write_text(text)
        return folder / INDEX

    return make


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "x.h5")
    return write_index(folder, {"/vars": "x.h5"})


def _link_to_text(folder: Path) -> Path:
    (folder / "x.h5").symlink_to("/etc/passwd")
    return write_index(folder, {"/vars": "x.h5"})


def _other_format(folder: Path) -> Path:
    shutil.copy(FILES / "net.keras", folder / "x.h5")
    return write_index(folder, {"/vars": "x.h5"})


NO_NAME = "the file of '/a' is not a file's name"
REFUSED = [
    Row("D01", of_map({"/a": "../1.h5"}), 4, "'/a' is said to be in '../1.h5', not beside"),
    Row("D01-list", of_map({"/a": ["1.h5", "x/2.h5"]}), 4, "'x/2.h5', not beside the index"),
    Row("D02", of_map({"/a": ["/etc/passwd"]}), 4, "not beside the index"),
    Row("D02-dots", of_map({"/a": [".."]}), 4, "not beside the index"),
    Row("D04", _link_to_text, 3, "in no format that paramctl reads"),
    Row("D05-fifo", _fifo, 6, "x.h5: not a regular file"),
    Row("D07", _other_format, 3, "x.h5: no HDF5 file, as the index of a Keras model says"),
    Row("D08", of_map({"/a/vars": ["1.h5", "2.h5"]}), 3, "'/a/vars/0' of 2.h5 is in 1.h5 too"),
    Row("D08-group", of_map({"/b/vars": "3.h5"}), 3, "'/b/vars' of 3.h5 is a group elsewhere"),
    Row("D08-below", of_map({"/b": "3.h5", "/c": "1.h5"}), 3, "'vars' of group '/b/vars' is a"),
    Row("D09-number", of_map({"/a": 1}), 3, NO_NAME),
    Row("D09-none", of_map({"/a": []}), 3, NO_NAME),
    Row("D09-blank", of_map({"/a": ["1.h5", ""]}), 3, NO_NAME),
    Row("D09-nested", of_map({"/a": [["1.h5"]]}), 3, NO_NAME),
    Row("D09-metadata", of_map({"/a": "1.h5"}, metadata=1), 3, "metadata is not an object"),
    Row("D10", of_text('{"weight_map":{"/a":"x","/a":"y"}}'), 3, "holds the key '/a' twice"),
    Row("D11", of_text('{"weight_map":{"/a":"x"}'), 3, "index is not JSON"),
    Row("D13", of_map({"/a": INDEX}), 3, f"{INDEX}: no HDF5 file"),
    Row("D14", of_map({f"/{i}": f"{i}.h5" for i in range(10_001)}), 5, "names 10001 files"),
    Row("no-path", of_map({"/a": "1.h5", "b": "1.h5"}), 3, "'b' is not the path of a group"),
    Row("no-name", of_map({"//a": "1.h5"}), 3, "'//a' is not the path of a group"),
    Row("deep", of_map({"/a" * 1_000: "1.h5"}), 5, "a path of 1000 groups"),
    Row("long", of_map({"/" + "a" * 1_000_000: "1.h5"}), 5, "a path of 1 groups and 1,000,001"),
]


def test_an_index_of_very_many_groups_is_over_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_shards, "MAX_GROUPS", 8)
    with pytest.raises(LimitError, match="the index names more than 8 groups"):
        open_model(SHARDS)
    monkeypatch.setattr(keras_shards, "MAX_GROUPS", 9)
    assert open_model(SHARDS)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_a_malformed_index_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_refuses_it(verb: tuple[str, ...], tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run(*verb, REFUSED[0].write(tmp_path)), REFUSED[0])
