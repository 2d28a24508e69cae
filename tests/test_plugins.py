"""Formats of users' packages: that of the documentation, and broken ones."""

import re
import struct
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from zip_bytes import make_zip

from paramctl import open as open_model
from paramctl.arrays import read
from paramctl.errors import MalformedError, ParamctlError, UsageError
from paramctl.formats.plugins import offered

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text()
SNIFFS = "def sniffs(head): return head.startswith(b'DUMP')\n"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one module, which is the format that it offers."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(module: str, code: str, name: str = "dump") -> None:
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[paramctl.formats]\n{name} = {module}\n")

    offered.cache_clear()
    yield make
    offered.cache_clear()
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def block(language: str) -> str:
    """Return a block of the page's section on users' formats."""
    section = PAGE.partition("## Your own")[2]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def dump(**parameters: list[float]) -> bytes:
    records = (
        struct.pack(
            f"<I{len(name)}sI{len(values)}f", len(name), name.encode(), len(values), *values
        )
        for name, values in parameters.items()
    )
    return b"DUMP" + b"".join(records)


def test_the_package_of_the_documentation_adds_a_format(install: Install, tmp_path: Path) -> None:
    project = tomllib.loads(block("toml"))["project"]
    ((name, module),) = project["entry-points"]["paramctl.formats"].items()
    install(module, block("python"), name)
    (tmp_path / "x").write_bytes(dump(bias=[1, 2], scale=[0.5]))
    checkpoint = open_model(tmp_path / "x")
    assert checkpoint.format == "dump"
    assert {n: read(e).tolist() for n, e in checkpoint.items()} == {"bias": [1, 2], "scale": [0.5]}
    checkpoint.save(tmp_path / "x.safetensors")
    assert list(open_model(tmp_path / "x.safetensors")) == ["bias", "scale"]
    for broken in (dump(w=[1])[:-1], dump(w=[1]) + b"\x01", b"DUMP" + b"\xff" * 8):
        (tmp_path / "x").write_bytes(broken)
        with pytest.raises(MalformedError):
            open_model(tmp_path / "x")


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("import nowhere_to_be_found", UsageError, "raised ModuleNotFoundError: No module"),
        ("", UsageError, "raised AttributeError: module 'broken' has no attribute 'sniffs'"),
        ("def sniffs(head): 1 / 0", UsageError, "raised ZeroDivisionError"),
        (SNIFFS, UsageError, "has no attribute 'read'"),
        (f"{SNIFFS}def read(source, options): exit(3)", UsageError, "raised SystemExit: 3"),
        (f"{SNIFFS}def read(source, options): pass", UsageError, "returned NoneType, no Check"),
    ],
)
def test_a_package_that_is_broken_is_named(
    install: Install, tmp_path: Path, code: str, error: type[ParamctlError], message: str
) -> None:
    install("broken", code)
    (tmp_path / "x").write_bytes(dump(w=[1]))
    with pytest.raises(error, match=rf"x: the format 'dump' of broken .*{message}"):
        open_model(tmp_path / "x")


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ("'a'", UsageError, "raised TypeError: 'w' is 'a', no Entry of this name"),
        (
            "Entry('a', F32, (1,), Storage(source, 0, 4))",
            UsageError,
            "raised TypeError: 'w' is <Entry 'a': float32 [1]>, no Entry of this name",
        ),
        (
            "Entry('w', 'float32', (1,), Storage(source, 0, 4))",
            UsageError,
            "raised TypeError: 'w' has the type 'float32', no DType",
        ),
        (
            "Entry('w', F32, [1], Storage(source, 0, 4))",
            UsageError,
            "raised TypeError: 'w' has the shape [1], no tuple of whole numbers",
        ),
        (
            "Entry('w', F32, (-1,), Storage(source, 0, 4))",
            UsageError,
            "raised TypeError: 'w' has the shape (-1,), no tuple of whole numbers",
        ),
        ("Entry('w', F32, (1,), None)", UsageError, "raised TypeError: 'w' has no storage"),
        (
            "Entry('w', F32, (9,), Storage(source, 0, 36))",
            MalformedError,
            "'w' takes bytes 0 to 36, there are 17",
        ),
        (
            "Entry('w', F32, (2,), Storage(source, 0, 4))",
            MalformedError,
            "'w' takes bytes 0 to 8 of a storage of 4",
        ),
    ],
)
def test_an_entry_of_a_package_is_checked_before_a_verb_sees_it(
    install: Install, tmp_path: Path, entry: str, error: type[ParamctlError], message: str
) -> None:
    code = f"""
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME
F32 = BY_NAME["float32"]
{SNIFFS}
def read(source, options): return Checkpoint(source.name, "dump", {{"w": {entry}}})
"""
    install("careless", code)
    (tmp_path / "x").write_bytes(dump(w=[1]))
    with pytest.raises(error, match=re.escape(message)):
        open_model(tmp_path / "x")


def test_a_file_in_two_formats_is_ambiguous(install: Install, tmp_path: Path) -> None:
    install("one", SNIFFS)
    install("other", SNIFFS)
    (tmp_path / "x").write_bytes(dump(w=[1]))
    with pytest.raises(
        MalformedError, match="in the format 'dump' of one and the format 'dump' of"
    ):
        open_model(tmp_path / "x")


def test_what_paramctl_reads_itself_is_offered_to_no_package(
    install: Install, tmp_path: Path
) -> None:
    install("greedy", "raise SystemError")
    sample = Path(__file__).parents[1] / "sample_models" / "mlp.pt"
    assert open_model(sample).format == "torch zip"
    (tmp_path / "x").write_bytes(make_zip({"schema.json": b"{}"}))
    with pytest.raises(UsageError, match="'dump' of greedy raised SystemError"):
        open_model(tmp_path / "x")


def test_a_format_that_hides_a_zip_archive_is_refused(install: Install, tmp_path: Path) -> None:
    install("hiding", SNIFFS)
    (tmp_path / "x").write_bytes(dump(w=[1]) + make_zip({"archive/data.pkl": b"}."}))
    with pytest.raises(MalformedError, match="ambiguous: both a dump file and a zip archive"):
        open_model(tmp_path / "x")
