"""Helpers whose assertions say what differs, as those of tests do; the program, started once."""

from collections.abc import Iterator

import pytest
from forks import Forks

pytest.register_assert_rewrite("oracle", "hostile")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what runs the program without its start-up."""
    with Forks(tmp_path_factory.mktemp("forks")) as forks:
        yield forks
