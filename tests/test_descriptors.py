"""Few files are open at a time, however many a model has, and each is the one that was listed."""

import copy
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
from index_rows import index
from program import shell
from safetensors_rows import header, tensor

import paramctl
from paramctl import arrays, passes, writer
from paramctl.checkpoint import Checkpoint
from paramctl.descriptors import FILES
from paramctl.errors import FileError
from paramctl.formats import read_checkpoint
from paramctl.inputs import open_descriptor

SHARDS = 300
MEANS = """
import paramctl, sys
print([measured.moments.mean for measured in paramctl.open(sys.argv[1]).stats()])
"""
Value = tuple[str, float]


def shard(values: list[Value]) -> bytes:
    """Write a file of tensors of three equal values each."""
    entries = (
        f'"{name}":{tensor("F32", "[3]", 12 * place, 12 * place + 12)}'
        for place, (name, _) in enumerate(values)
    )
    data = b"".join(struct.pack("<3f", *3 * [value]) for _, value in values)
    return header(f"{{{','.join(entries)}}}", data)


def model(folder: Path, values: list[Value]) -> Path:
    """Write a model of a file for each tensor."""
    folder.mkdir()
    files = {name: f"{name}.safetensors" for name, _ in values}
    for name, value in values:
        (folder / files[name]).write_bytes(shard([(name, value)]))
    return index(folder, files)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return two models, A and B, each of many files, and of one: A1 and B1."""
    folder = tmp_path_factory.mktemp("models")
    found = SimpleNamespace()
    for letter, shift in (("A", 0.0), ("B", 0.5)):
        values = [(f"w{number}", number + shift) for number in range(SHARDS)]
        setattr(found, letter, model(folder / letter, values))
        whole = folder / f"{letter}.safetensors"
        whole.write_bytes(shard(values))
        setattr(found, f"{letter}1", whole)
    return found


@pytest.mark.parametrize(
    "command",
    [
        '"$P" ls "$A"',
        '"$P" show "$A" w7',
        '"$P" stats "$A"',
        '"$P" diff "$A" "$B"',
        '"$P" check "$A" && echo fine',
        '"$P" convert "$A" --dtype bf16',
        '"$P" convert "$A" -o "$OUT/x.pt" && cat "$OUT/x.pt"',
        '"$P" convert "$A" -o "$OUT/x.npz" && cat "$OUT/x.npz"',
        '"$P" convert "$A" --max-shard-size 0.1KB -o "$OUT/x" && cat "$OUT"/x/*.safetensors',
        '"$P" merge "$A" "$B" --prefer last',
        '"$P" drop "$A" w7',
        '"$P" init "$A" --rule "w*=normal" --seed 1',
        '"$P" tie "$A" w1 w2',
        '"$P" set "$A" "w1 = w2 + w3"',
        '"$PYTHON" -c "$MEANS" "$A"',
    ],
)
def test_a_model_of_many_files_is_as_good_as_one_of_one(
    command: str, models: SimpleNamespace, tmp_path: Path
) -> None:
    for name in ("few", "one"):
        (tmp_path / name).mkdir()
    python = {"PYTHON": sys.executable, "MEANS": MEANS}
    few = shell(f"ulimit -n 32; {command}", OUT=tmp_path / "few", A=models.A, B=models.B, **python)
    one = shell(command, OUT=tmp_path / "one", A=models.A1, B=models.B1, **python)
    assert few.returncode == one.returncode
    assert few.stdout == one.stdout != b""
    assert b"Too many open files" not in few.stderr


@pytest.mark.parametrize(
    "command", ['report "$A" -o "$OUT/x.html"', 'plot "$A" "w1?" -o "$OUT/x.svg"']
)
def test_pictures_of_many_files_need_few_descriptors(
    command: str, models: SimpleNamespace, tmp_path: Path
) -> None:
    run = shell(f'ulimit -n 32; "$P" {command}', A=models.A, OUT=tmp_path)
    assert run.returncode == 0, run.stderr


def stats(checkpoint: Checkpoint, progress: Callable[[int, int], None]) -> None:
    """Read all values, each by itself."""
    groups = [(entry,) for entry in checkpoint.values()]
    passes.find_all(groups, lambda _: Nothing(), progress)


class Nothing:
    """Finds nothing."""

    def add(self, *blocks: object) -> None:
        """Find nothing."""

    def merge(self, later: object) -> None:
        """Find nothing."""


def stream(checkpoint: Checkpoint, progress: Callable[[int, int], None]) -> None:
    """Write the model."""
    writer.stream(checkpoint, lambda _: None, progress=progress)


def replace(path: Path) -> None:
    """Put another file in its place."""
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").replace(path)


def shrink(path: Path) -> None:
    """Cut it."""
    os.truncate(path, 20)


def touch(path: Path) -> None:
    """Write to it."""
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("place", [0, 7])
@pytest.mark.parametrize("run", [stats, stream])
@pytest.mark.parametrize(
    ("change", "what"),
    [(replace, "changed"), (shrink, "changed"), (touch, "changed"), (Path.unlink, "No such file")],
)
def test_a_file_that_is_not_the_same_when_it_is_opened_again_is_an_error(
    change: Callable[[Path], None],
    what: str,
    run: Callable[[Checkpoint, Callable[[int, int], None]], None],
    place: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = model(tmp_path / "model", [(f"w{number}", 0.0) for number in range(8)])
    checkpoint = paramctl.open(path)
    changed = path.parent / f"w{place}.safetensors"
    monkeypatch.setattr(os, "sysconf", lambda _: 4)  # then one is kept open

    def progress(done: int, total: int) -> None:
        if done == total:
            FILES.close()
            change(changed)

    with pytest.raises(FileError, match=what) as caught:
        run(checkpoint, progress)
    assert caught.value.file == str(changed)


def test_no_file_stays_open(tmp_path: Path) -> None:
    path = model(tmp_path / "model", [(f"w{number}", 0.0) for number in range(8)])
    before = os.listdir("/dev/fd")
    checkpoint = paramctl.open(path)
    assert os.listdir("/dev/fd") == before
    for run in (stats, stream):
        run(checkpoint, lambda *_: None)
        assert os.listdir("/dev/fd") == before
    for entry in checkpoint.values():
        arrays.read(entry)
    assert len(os.listdir("/dev/fd")) == len(before) + 8
    del checkpoint, entry
    assert os.listdir("/dev/fd") == before


def test_what_is_spooled_is_closed_with_its_source() -> None:
    before = os.listdir("/dev/fd")
    reader, pipe = os.pipe()
    os.write(pipe, b"a")
    os.close(pipe)
    source = open_descriptor(reader, "pipe")
    os.close(reader)
    assert source.read(0, 1) == b"a"
    del source
    assert os.listdir("/dev/fd") == before


def test_a_file_stays_open_for_who_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    shared = FILES.share(-1, lambda: os.open(tmp_path / "a", os.O_RDONLY))
    FILES.close()
    assert os.pread(shared.number, 1, 0) == b"a"
    shared.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(shared.number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        shared.share()


def test_the_files_that_were_used_last_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_file(key: int) -> int:
        opened.append(key)
        return os.open(tmp_path, os.O_RDONLY)

    monkeypatch.setattr(os, "sysconf", lambda _: 8)  # then two are kept open
    for key in (-1, -2, -1, -3, -1, -2):
        FILES.share(key, partial(open_file, key)).close()
    FILES.close()
    assert opened == [-1, -2, -3, -2]


def test_a_pipe_that_cannot_be_read_is_told_from_a_full_disk() -> None:
    reader, pipe = os.pipe()
    with pytest.raises(FileError, match=r"^pipe: Bad file descriptor$"):
        open_descriptor(pipe, "pipe")
    os.close(reader)
    os.close(pipe)


def test_a_file_is_not_taken_for_that_of_a_copy_that_is_gone(models: SimpleNamespace) -> None:
    first, second = paramctl.open(models.A1), paramctl.open(models.B1)
    for _ in range(20):  # a new object soon lies where one was that is gone
        assert arrays.read(pickle.loads(pickle.dumps(first))["w7"])[0] == 7
        assert arrays.read(paramctl.open(models.B1)["w7"])[0] == 7.5
    assert arrays.read(second["w7"])[0] == 7.5
    FILES.close()


def test_copies_share_what_is_open(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", w=np.arange(3))
    before = os.listdir("/dev/fd")
    with (tmp_path / "a.npz").open("rb") as file:
        model = read_checkpoint(open_descriptor(file.fileno(), "a.npz"))
    model, entry = copy.deepcopy(model), model["w"]
    assert arrays.read(model["w"]).tolist() == arrays.read(entry).tolist() == [0, 1, 2]
    del model, entry
    assert os.listdir("/dev/fd") == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_reads_while_another_thread_opens_a_file(models: SimpleNamespace) -> None:
    model = paramctl.open(models.A1)
    opens, forks = Event(), Event()

    def open_slowly() -> int:
        opens.set()
        forks.wait(0.2)  # in vain: the fork waits for us
        return os.open(models.B1, os.O_RDONLY)

    thread = Thread(target=lambda: FILES.share(open_slowly, open_slowly).close())
    thread.start()
    opens.wait()
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            os._exit(int(arrays.read(model["w7"])[0]))
        finally:
            os._exit(1)
    forks.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    FILES.close()
