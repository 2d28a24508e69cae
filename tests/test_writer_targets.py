"""Where the writer may write: files that are there, links, folders, full disks, closed pipes."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

import copy_verb
import pytest
import torch
from memory import describe
from safetensors.torch import load_file, save_file

import paramctl
from paramctl import writer
from paramctl.checkpoint import Checkpoint
from paramctl.errors import FileError, UsageError
from paramctl.writer import WriteOptions

FORCE = WriteOptions(force=True)
FOLDER = WriteOptions(max_shard_size=100)
PT = {"format": "pt"}
TESTS = Path(copy_verb.__file__).parent


def model(value: float, numel: int = 2) -> Checkpoint:
    entry = describe(torch.full((numel,), value))
    return Checkpoint("model", "none", {"w": entry})


def value_of(path: Path) -> float:
    return float(load_file(path)["w"][0])


def test_a_new_file_has_the_mode_that_the_users_mask_gives(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        writer.save(model(1), tmp_path / "out")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_file_that_is_there_needs_force_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o604)
    with pytest.raises(UsageError, match=r"there already; force=True replaces") as caught:
        writer.save(model(1), path)
    assert caught.value.file == str(path)
    assert path.read_bytes() == b"old"
    modes: set[int] = set()

    def look(done: int, total: int) -> None:
        del done, total
        modes.update(stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob(".out.*"))

    writer.save(model(1), path, FORCE, look)
    assert value_of(path) == 1
    assert modes == {0o600}  # nobody sees more of it than of the file before
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_an_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    owner = (1234, 5678) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    path.chmod(0o4755)
    writer.save(model(1), path, FORCE)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (*owner, 0o4755)


def test_an_owner_that_cannot_be_kept_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o4755)
    real = os.fstat
    other = tuple(1234 if place == 4 else part for place, part in enumerate(path.stat()))
    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result(other) if fd else real(fd))
    report = writer.save(model(1), path, FORCE)
    assert report.notes == ("its owner could not be kept: it is yours now",)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("link", "second"):
        (tmp_path / name).symlink_to("there/out" if name == "link" else "link")
    writer.save(model(1), tmp_path / "second")
    assert (tmp_path / "second").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert value_of(tmp_path / "there" / "out") == 1
    assert os.listdir(tmp_path / "there") == ["out"]


@pytest.mark.parametrize("name", ["itself", "symbolic link", "hard link"])
def test_a_model_may_be_written_over_its_own_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model"
    save_file({"w": torch.full((3_000_000,), 1.0), "x": torch.zeros(3)}, path, PT)
    before = path.read_bytes()
    target = tmp_path / "other"
    if name == "symbolic link":
        target.symlink_to(path)
    elif name == "hard link":
        target.hardlink_to(path)
    else:
        target = path
    checkpoint = paramctl.open(path)
    checkpoint.entries["y"] = checkpoint.entries["w"]._replace(name="y", shape=(2, 1))
    report = writer.save(checkpoint, target, FORCE)
    assert load_file(target)["y"].tolist() == [[1], [1]]
    if name == "hard link":
        assert path.read_bytes() == before
        assert report.notes == ("1 other hard link(s) of it still lead to the old contents",)
    else:
        assert load_file(path)["y"].tolist() == [[1], [1]]
        assert report.notes == ()


@pytest.mark.parametrize("before", [None, b"old"])
def test_what_somebody_else_writes_meanwhile_is_not_lost(
    tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "out"
    if before:
        path.write_bytes(before)

    def change(done: int, total: int) -> None:
        del done, total
        path.write_bytes(b"theirs")

    with pytest.raises(FileError, match="changed by somebody else meanwhile"):
        writer.save(model(1), path, FORCE, change)
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["out"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    writer.save(model(1), path)
    assert value_of(path) == 1
    assert os.listdir(tmp_path) == [path.name]


BAD_TARGETS = {
    "a folder": ("folder", "is a folder"),
    "a FIFO": ("fifo", "not a regular file"),
    "a device": ("/dev/null", "not a regular file"),
    "a full device": ("/dev/full", "not a regular file"),
    "a missing folder": ("none/out", "No such file or directory"),
    "a file as folder": ("file/out", "a file, and no folder"),
    "a long name": ("x" * 300, "File name too long"),
    "a slash at the end": ("out/", "not the name of a file"),
    "no name": ("", "not the name of a file"),
    "a NUL": ("a\0b", "no file can have this name"),
    "a loop of links": ("loop", "not a regular file"),
    "a folder that nobody writes to": ("/proc/out", "No such file or directory"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_what_is_no_place_for_a_file_is_an_error_and_stays_as_it_is(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_bytes(b"x")
    os.mkfifo("fifo")
    Path("loop").symlink_to("loop")
    before = sorted(os.listdir())
    target, message = BAD_TARGETS[name]
    with pytest.raises(FileError, match=message):
        writer.save(model(1), target, FORCE)
    assert sorted(os.listdir()) == before


LIMITED = """
import resource, sys
from copy_verb import add_verb
from paramctl.__main__ import main
sys.dont_write_bytecode = True  # it would be cut, and taken for whole the next time
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
add_verb()
sys.exit(main())
"""


def run(*command: str | Path, stdout: IO[bytes] | int | None = None) -> tuple[int, str]:
    """Run Python and return its exit code and what it says on standard error."""
    done = subprocess.run(
        [sys.executable, *command],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=TESTS,
    )
    return done.returncode, done.stderr


def test_a_limit_on_files_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    result = run("-c", LIMITED, "copy", "zeros:100000000", path)
    assert result == (6, f"paramctl: {path}: File too large\n")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_full_disk_behind_standard_output_is_an_error_of_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        result = run(copy_verb.__file__, "copy", "zeros:100000000", "-", stdout=full)
    assert result == (6, "paramctl: standard output: No space left on device\n")


def test_a_closed_pipe_is_silent() -> None:
    reader, pipe = os.pipe()
    os.close(reader)
    result = run(copy_verb.__file__, "copy", "zeros:100000000", "-", stdout=pipe)
    os.close(pipe)
    assert result == (141, "")


def test_standard_output_gets_the_bytes_of_the_file(tmp_path: Path) -> None:
    with (tmp_path / "piped").open("wb") as out:
        assert run(copy_verb.__file__, "copy", "zeros:100000000", "-", stdout=out)[0] == 0
    run(copy_verb.__file__, "copy", "zeros:100000000", tmp_path / "out")
    assert (tmp_path / "piped").read_bytes() == (tmp_path / "out").read_bytes()


RIVAL = """
import sys
from paramctl import writer
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.errors import FileError
from paramctl.sources import Source

class Same(Source):
    name, size = "same", 3_000_000
    def _read(self, offset, length):
        return bytes([int(sys.argv[1])]) * length

entry = Entry("w", BY_NAME["uint8"], (Same.size,), Storage(Same(), 0, Same.size))
written = 0
sys.stdin.readline()
for turn in range(25):
    try:
        writer.save(Checkpoint("", "", {"w": entry}), sys.argv[2], writer.WriteOptions(force=True))
        written += 1
    except FileError as error:
        assert "somebody else" in str(error), error
print(written)
"""


def test_eight_writers_and_a_reader_never_meet_a_torn_file(memory_folder: Path) -> None:
    path = memory_folder / "out"
    writer.save(model(0), path)
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, str(i), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=TESTS,
        )
        for i in range(1, 9)
    ]
    for rival in rivals:
        assert rival.stdin
        rival.stdin.write(b"go\n")
        rival.stdin.flush()
    seen = set()
    while any(rival.poll() is None for rival in rivals):
        values = load_file(path, backend="pread")["w"]
        assert torch.equal(values, values[:1].expand_as(values))
        seen.add(float(values[0]))
    written = [int(rival.communicate()[0]) for rival in rivals]
    assert len(seen) > 1
    assert sum(written) >= 25
    assert os.listdir(memory_folder) == ["out"]


def test_no_descriptor_stays_open_whether_it_is_written_or_not(tmp_path: Path) -> None:
    save_file({"w": torch.rand(3_000_000)}, tmp_path / "in", PT)
    checkpoint = paramctl.open(tmp_path / "in")
    before = os.listdir("/proc/self/fd")
    writer.save(checkpoint, tmp_path / "out")

    def fail(done: int, total: int) -> None:
        if done == total:
            raise MemoryError

    with pytest.raises(MemoryError):
        writer.save(checkpoint, tmp_path / "more", FORCE, fail)
    assert os.listdir("/proc/self/fd") == before
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]
