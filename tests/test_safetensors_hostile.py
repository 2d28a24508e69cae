"""What a safetensors file may do to us: section A, as users meet it."""

from pathlib import Path

import pytest
from forks import Forks
from hostile import VERBS, Row, assert_bounded, assert_refused
from program import paramctl
from safetensors_rows import LISTED, REFUSED


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_a_malformed_file_is_refused_in_one_line(row: Row, tmp_path: Path) -> None:
    assert_refused(paramctl("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_every_verb_refuses_it(
    verb: tuple[str, ...], row: Row, tmp_path: Path, forks: Forks
) -> None:
    assert_refused(forks.run(*verb, row.write(tmp_path)), row)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("name", LISTED)
def test_every_verb_escapes_it(
    verb: tuple[str, ...], name: str, tmp_path: Path, forks: Forks
) -> None:
    data, expected = LISTED[name]
    (tmp_path / "odd").write_bytes(data)
    run = forks.run(*verb, tmp_path / "odd")
    assert (run.code, run.err.count("\n")) == (0, verb == ("meta",))
    assert verb == ("meta",) or expected.partition("\t")[0] in run.out
    assert all(c == "\n" or c.isprintable() for c in run.out + run.err)
    if len(data) < 1_000_000:
        assert_bounded(run)


@pytest.mark.parametrize("name", LISTED)
def test_an_odd_but_sound_file_is_listed_escaped(name: str, tmp_path: Path) -> None:
    data, expected = LISTED[name]
    (tmp_path / "odd").write_bytes(data)
    run = paramctl("ls", tmp_path / "odd")
    assert (run.code, run.err) == (0, "")
    assert expected in run.out
    assert all(c in "\n\t" or c.isprintable() for c in run.out)
    if len(data) < 1_000_000:
        assert_bounded(run)
