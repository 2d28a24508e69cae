"""Helpers whose assertions say what differs, as those of tests do; the program, started once."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from forks import Forks
from hypothesis import settings
from web_server import Server, serving

os.environ["OMP_NUM_THREADS"] = "1"  # tests run side by side: torch's threads would wait in turn
pytest.register_assert_rewrite("oracle", "hostile", "draw_checks")
settings.register_profile("busy machine", settings(), deadline=None)
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what runs the program without its start-up."""
    with Forks(tmp_path_factory.mktemp("forks")) as forks:
        yield forks


@pytest.fixture(scope="session")
def torch_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what runs the program with torch in it already: for verbs that load it anyway."""
    with Forks(tmp_path_factory.mktemp("forks"), "torch", "torch._dynamo") as forks:
        yield forks


@pytest.fixture(scope="session")
def transformers_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what runs the program with transformers in it already: for configs."""
    modules = ("torch", "torch._dynamo", "transformers.models.llama.modeling_llama")
    with Forks(tmp_path_factory.mktemp("forks"), *modules) as forks:
        yield forks


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """Return a folder in memory, where there is one: syncing takes most of the time on a disk."""
    shared = "/dev/shm"  # noqa: S108 (the folder in it has a name of its own)
    with TemporaryDirectory(dir=shared if os.path.isdir(shared) else None) as folder:
        yield Path(folder)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server of the web that serves the folder of the test, whatever proxy there is."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(tmp_path) as server:
        yield server
