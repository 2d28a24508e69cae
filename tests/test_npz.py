"""Arrays of numpy's `.npy` and `.npz` files, against numpy; section F, as users meet it."""

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import ml_dtypes
import npy_rows
import numpy as np
import pytest
from forks import Forks
from hostile import VERBS, Row, assert_bounded, assert_refused
from hypothesis import given
from hypothesis import strategies as st

import paramctl
from paramctl.arrays import raw, read
from paramctl.checkpoint import ReadOptions
from paramctl.formats import npy, open_checkpoint, read_checkpoint, zip_members
from paramctl.passes import find_all
from paramctl.sources import BytesSource, FileSource

KINDS = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]
Array = np.ndarray[Any, np.dtype[Any]]
ARRAYS = hnp.arrays(
    st.sampled_from([np.dtype(f"{order}{kind}") for kind in KINDS for order in "<>"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


def saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def assert_same(entry: Any, array: Array) -> None:
    values = read(entry)
    assert entry.shape == values.shape == array.shape
    assert values.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
    assert b"".join(raw(entry)) == values.tobytes()


@given(ARRAYS, st.sampled_from("CF"))
def test_an_array_is_what_numpy_saved(array: Array, order: Any) -> None:
    array = np.array(array, order=order)
    checkpoint = read_checkpoint(BytesSource(saved(array), "x"))
    assert (checkpoint.format, list(checkpoint)) == ("npy", ["array"])
    assert_same(checkpoint["array"], array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header_is_read(version: tuple[int, int]) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.arange(6.0).reshape(2, 3), version)
    assert_same(
        npy.read_array(BytesSource(file.getvalue(), "x"), "x"), np.arange(6.0).reshape(2, 3)
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_what_numpy_saved(save: Callable[..., None], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "layer/weight": rng.standard_normal((3, 4)).astype(">f4"),
        "columns": np.asfortranarray(rng.standard_normal((5, 6))),
        "scalar": np.array(2.5),
        "nothing": np.zeros((0, 3), np.int64),
        "große": rng.standard_normal(300_000),
    }
    save(tmp_path / "x", **arrays)
    checkpoint = open_checkpoint(tmp_path / "x.npz")
    assert (checkpoint.format, list(checkpoint)) == ("npz", list(arrays))
    for name, array in arrays.items():
        assert_same(checkpoint[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_texts_beside_numbers_are_told_and_not_read(
    save: Callable[..., None], forks: Forks, tmp_path: Path
) -> None:
    texts = {
        "classes": np.array(["cat", "großer dog"]),
        "big/endian": np.array([["a"], ["b"]], ">U5"),
        "bytes": np.array([b"ab", b"c"]),
        "one": np.array("v2"),
        "none": np.array([], str),
        "empty": np.zeros(3, "<U0"),
    }
    save(tmp_path / "x", w=np.arange(3.0), **texts, b=np.ones(2))
    model = open_checkpoint(tmp_path / "x.npz")
    assert model.others == {name: f"text {list(array.shape)}" for name, array in texts.items()}
    assert list(model) == ["w", "b"]
    assert_same(model["w"], np.arange(3.0))
    assert "cat" not in forks.run("ls", tmp_path / "x.npz", "--format", "json").out
    run = forks.run("convert", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    assert "x.npz: not written: classes (text [2]), big/endian (text [2, 1]), bytes" in run.err
    assert sorted(np.load(tmp_path / "y.npz")) == ["b", "w"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_of_no_arrays_is_a_model_of_none(
    save: Callable[..., None], tmp_path: Path
) -> None:
    save(tmp_path / "x")
    model = paramctl.open(tmp_path / "x.npz")
    assert (model.format, list(model)) == ("npz", [])
    model.save(tmp_path / "y.npz")
    assert (tmp_path / "y.npz").read_bytes() == (tmp_path / "x.npz").read_bytes()


def test_bfloat16_is_read_back_as_saved_and_as_saved_again(tmp_path: Path) -> None:
    array = np.linspace(-3, 3, 24, dtype="f4").astype(ml_dtypes.bfloat16).reshape(4, 6)
    np.savez(tmp_path / "once", w=array, t=array.T)  # of the type <V2
    np.savez(tmp_path / "again", **np.load(tmp_path / "once.npz"))  # of |V2
    for name in ("once.npz", "again.npz"):
        checkpoint = open_checkpoint(tmp_path / name)
        assert [entry.dtype.name for entry in checkpoint.values()] == ["bfloat16"] * 2
        assert np.array_equal(read(checkpoint["w"]), array.astype(np.float32))
        assert np.array_equal(read(checkpoint["t"]), array.T.astype(np.float32))


def test_listing_reads_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "x", a=np.zeros(1 << 20), b=np.zeros(1 << 20))
    read_bytes, plain = [], FileSource._read

    def count(source: FileSource, offset: int, length: int) -> bytes:
        read_bytes.append(length)
        return plain(source, offset, length)

    monkeypatch.setattr(FileSource, "_read", count)
    assert len(open_checkpoint(tmp_path / "x.npz", ReadOptions())) == 2
    assert sum(read_bytes) < 4096


def test_what_was_inflated_to_its_end_takes_no_memory(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {f"w{number}": np.arange(9000) for number in range(200)}
    np.savez_compressed(tmp_path / "x", **arrays)
    checkpoint = open_checkpoint(tmp_path / "x.npz")
    tracemalloc.start()
    for entry in checkpoint.values():
        read(entry)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200 * 8000


class Count:
    """Finds out how many values there are."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, *blocks: Array) -> None:
        """Look at a block."""
        self.count += blocks[0].size

    def merge(self, later: "Count") -> None:
        """Take in what was found behind."""
        self.count += later.count


def test_a_pass_inflates_a_compressed_array_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "x", w=np.zeros(8 << 20, "f4"))
    entry = open_checkpoint(tmp_path / "x.npz")["w"]
    begun, plain = [], zip_members._Deflated._rewind

    def note(member: Any) -> None:
        begun.append(member)
        plain(member)

    monkeypatch.setattr(zip_members._Deflated, "_rewind", note)
    (found,) = find_all([(entry,)], lambda _: Count(), lambda *_: None)
    assert (found.count, len(begun)) == (8 << 20, 1)


@pytest.mark.parametrize("row", npy_rows.REFUSED, ids=lambda row: row.id)
def test_a_malformed_array_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("row", npy_rows.LISTED, ids=lambda row: row.id)
def test_an_odd_but_sound_one_is_listed(row: Row, tmp_path: Path, forks: Forks) -> None:
    run = forks.run("ls", row.write(tmp_path))
    assert (run.code, run.err) == (0, "")
    assert row.message in run.out
    assert_bounded(run)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_every_verb_refuses_it(verb: tuple[str, ...], tmp_path: Path, forks: Forks) -> None:
    row = next(row for row in npy_rows.REFUSED if row.id == "F05-numpy")
    assert_refused(forks.run(*verb, row.write(tmp_path)), row)
