"""Whatever happens while a model is written: the old one or the new one is there, and no litter."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import killed
import pytest
import torch
from memory import Zeros
from os_layer import ERRORS, Fault, Layer
from power_cut import PowerCut
from safetensors.torch import save_file

import paramctl
from paramctl import writer
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.errors import FileError, ParamctlError, UnconfirmedError
from paramctl.writer import WriteOptions
from paramctl.writer.draft import Draft
from paramctl.writer.folder import Folder
from paramctl.writer.interrupts import Interrupts

FORCE = WriteOptions(force=True)
SHARDED = WriteOptions(force=True, max_shard_size=2000)
ARCHIVE = WriteOptions(force=True, format="torch")
DCP = WriteOptions(force=True, format="dcp")
OPTIONS = {"folder": SHARDED, "archive": ARCHIVE, "dcp": DCP}
MAIN = ("model.safetensors.index.json", ".metadata", "model.safetensors")
NOBODY = 65534
LITTER = re.compile(r"\.model.*\.[0-9a-f]{12}\.paramctl-tmp")
Files = dict[str, bytes]
NO_FOLDER: Files = {"": b"there is no folder"}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """Return a model, some of it copied by the kernel, some read and some computed."""
    monkeypatch.setattr("paramctl.writer.outlet.BATCH_BYTES", 100)
    monkeypatch.setattr("paramctl.writer.blocks.SMALL_BYTES", 100)
    (tmp_path / "in").mkdir()
    save_file({"a": torch.rand(500), "b": torch.rand(20)}, tmp_path / "in" / "a.safetensors")
    checkpoint = paramctl.open(tmp_path / "in" / "a.safetensors")
    computed = Entry("c", BY_NAME["int8"], (9,), Storage(Zeros(9), 0, 9))
    checkpoint.entries["c"] = computed
    checkpoint.entries["d"] = checkpoint["b"]._replace(name="d", shape=(10,))
    return checkpoint


class Case:
    """A place to write to, what it holds before and what it is to hold then."""

    def __init__(self, source: Checkpoint, folder: Path, kind: str) -> None:
        self.source = source
        self.folder = folder
        self.options = OPTIONS.get(kind.split()[1], FORCE)
        is_folder = self.options in (SHARDED, DCP)
        self.target = folder if is_folder else folder / "model.safetensors"
        self.old: Files = {}
        if kind in ("old file", "old archive"):
            self.old = {"model.safetensors": b"the old contents"}
        elif kind == "no folder":
            self.old = NO_FOLDER
        elif kind == "old folder":  # of the other layout
            self.old = {"model.safetensors": b"the old contents", "config.json": b"{}"}
        elif kind == "old dcp":
            self.old = {".metadata": b"the old index", "__0_0.distcp": b"old", "config.json": b"{}"}
        self.restore()
        self.save()
        self.new = self.files()
        self.both = self.new if self.old is NO_FOLDER else self.old | self.new
        self.restore()

    def save(self) -> None:
        """Write the model."""
        writer.save(self.source, self.target, self.options)

    def files(self) -> Files:
        """Return what the folder holds."""
        if not self.folder.exists():
            return NO_FOLDER
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def restore(self) -> None:
        """Let the folder hold what it held before; the files are somebody else's if they can be."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.old is NO_FOLDER:
            return
        self.folder.mkdir()
        for name, data in self.old.items():
            (self.folder / name).write_bytes(data)
            (self.folder / name).chmod(0o640)
            if os.geteuid() == 0:
                os.chown(self.folder / name, NOBODY, NOBODY)

    def outcome(self) -> type[ParamctlError] | None:
        """Write the model, and return the class of the error."""
        try:
            self.save()
        except ParamctlError as error:
            return type(error)
        return None


@pytest.fixture(
    params=[
        *("new file", "old file", "old archive"),
        *("no folder", "new folder", "old folder", "old dcp"),
    ]
)
def case(request: pytest.FixtureRequest, source: Checkpoint, tmp_path: Path) -> Case:
    return Case(source, tmp_path / "out", request.param)


def calls_of(run: Callable[[], object]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        layer = Layer(patch)
        run()
    return layer.calls


def test_a_failing_call_leaves_the_old_files_or_the_new_ones(case: Case) -> None:
    calls = calls_of(case.save)
    case.restore()
    assert {"posix_fallocate", "pwrite", "pread", "fsync", "close", "rename"} <= {*calls}
    adds_up_checksums = case.options in (ARCHIVE, DCP)
    assert ("copy_file_range" in calls) != adds_up_checksums
    is_replaced = any(case.old[name] != case.new[name] for name in case.old.keys() & case.new)
    assert ("fchmod" in calls) == is_replaced
    assert ("fchown" in calls) == (is_replaced and os.geteuid() == 0)
    confirmed = len(calls) - 1 - calls[::-1].index("fsync")
    for place, call in enumerate(calls):
        for error in ERRORS:
            with pytest.MonkeyPatch.context() as patch:
                layer = Layer(patch, Fault(place, error))
                outcome = case.outcome()
            where = f"{call} {place} of {calls}: {errno.errorcode[error]}"
            assert layer.calls[place] == call, where
            if place == confirmed:  # then nothing of the old ones is removed
                assert outcome is UnconfirmedError, where
                assert case.files() == case.both, where
            elif call == "unlink":
                assert (outcome, case.files()) == (None, case.both), where
            elif outcome is None:  # what was only read is closed, what is not copied is read
                assert call in ("close", "copy_file_range"), where
                assert case.files() == case.new, where
            else:
                assert (outcome, case.files()) == (FileError, case.old), where
                assert place < confirmed, where
            case.restore()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("kind", ["old file", "no folder"])
def test_a_signal_at_any_call_leaves_the_old_files_or_the_new_ones(
    source: Checkpoint, memory_folder: Path, kind: str, name: str
) -> None:
    case = Case(paramctl.open(source.file), memory_folder / "out", kind)
    before = memory_folder / "before"
    if case.old is not NO_FOLDER:
        shutil.copytree(case.folder, before)
    shards = ["--shard", str(SHARDED.max_shard_size)] if case.options is SHARDED else []
    folders = [before, case.folder]
    run = subprocess.run(
        [sys.executable, killed.__file__, name, *folders, source.file, case.target, *shards],
        capture_output=True,
        check=True,
    )
    unhurt, *runs = json.loads(run.stdout)
    assert unhurt["code"] == 0
    ends = []
    for struck in runs:
        assert struck["code"] == -getattr(signal, name)
        found = struck["files"]
        files = NO_FOLDER if found is None else {k: bytes.fromhex(v) for k, v in found.items()}
        left = {file for file in files if LITTER.fullmatch(file)}
        assert not left or name == "SIGKILL"
        ends.append({file: data for file, data in files.items() if file not in left})
    if shards and name == "SIGKILL":  # a folder without an index holds no model
        assert all("model.safetensors.index.json" not in end for end in ends if end != case.new)
    else:
        assert all(end in (case.old, case.new) for end in ends)
        assert ends[0] == case.old
    assert ends[-1] == case.new


def test_a_power_cut_leaves_the_old_files_or_the_new_ones(case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        disk = PowerCut(patch, case.folder)
        case.save()
    main = next(name for name in MAIN if name in case.new)
    for moment in disk.moments:
        for files in (case.old, case.new):
            if files is not NO_FOLDER and files.get(main) in moment.contents(main):
                others = files.keys() - {main}
                assert all(moment.holds(name, files[name]) for name in others)
        assert moment.contents(main) <= {case.old.get(main), case.new[main]}
    assert disk.moments[-1].contents(main) == {case.new[main]}
    assert disk.moments[0].contents(main) == {case.old.get(main)}


def test_a_draft_is_closed_when_no_thread_writes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, released = Event(), Event()
    pwrite = os.pwrite
    used: list[int] = []

    def wait(descriptor: int, data: bytes, position: int) -> int:
        used.append(descriptor)
        started.set()
        released.wait()
        return pwrite(descriptor, data, position)

    with Folder(str(tmp_path)) as folder, Interrupts() as interrupts, ThreadPoolExecutor() as pool:
        draft = Draft(folder, "model", interrupts, force=False)
        draft.create(4)
        monkeypatch.setattr(os, "pwrite", wait)
        writing = pool.submit(draft.write_ahead, 0, b"data")
        started.wait()
        draft.discard()
        os.fstat(used[0])
        released.set()
        assert writing.result() is None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(used[0])
        with pytest.raises(FileError, match="model: the draft is closed"):
            draft.write_ahead(0, b"data")
    assert not [*tmp_path.iterdir()]
