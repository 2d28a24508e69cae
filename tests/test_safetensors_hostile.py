"""What a safetensors file may do to us: section A, as users meet it."""

from pathlib import Path

import pytest
from hostile import Row, assert_bounded, assert_refused
from program import paramctl
from safetensors_rows import LISTED, REFUSED


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_a_malformed_file_is_refused_in_one_line(row: Row, tmp_path: Path) -> None:
    assert_refused(paramctl("ls", row.write(tmp_path)), row)


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
