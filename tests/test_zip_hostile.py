"""What torch's zip archives may do to us: section B, as users meet it."""

from pathlib import Path

import pytest
import tensor_rows
import zip_rows
from forks import Forks
from hostile import Row, assert_bounded, assert_refused
from zip_rows import MANY_MEMBERS


@pytest.mark.parametrize("row", zip_rows.REFUSED + tensor_rows.REFUSED, ids=lambda row: row.id)
def test_a_malformed_archive_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("row", zip_rows.LISTED + tensor_rows.LISTED, ids=lambda row: row.id)
def test_an_odd_but_sound_archive_is_listed(row: Row, tmp_path: Path, forks: Forks) -> None:
    run = forks.run("ls", row.write(tmp_path))
    assert (run.code, run.err) == (0, "")
    assert row.message in run.out
    assert_bounded(run)


@pytest.mark.parametrize("row", tensor_rows.NAMING_CODE, ids=lambda row: row.id)
def test_code_that_a_file_names_is_not_run_but_noted(
    row: Row, tmp_path: Path, forks: Forks
) -> None:
    run = forks.run("ls", row.write(tmp_path))
    assert run.code == 0
    assert "ok\t[4]\tfloat32" in run.out
    assert row.message in run.err
    assert run.err.endswith("; nothing was run\n")
    assert "CANARY" not in run.out + run.err
    assert_bounded(run)


@pytest.mark.parametrize("row", tensor_rows.NAMING_CODE, ids=lambda row: row.id)
def test_code_that_a_file_names_is_refused_where_it_is_to_fail(
    row: Row, tmp_path: Path, forks: Forks
) -> None:
    run = forks.run("ls", "--fail-on-globals", row.write(tmp_path))
    assert_refused(run, row)
    assert "CANARY" not in run.err


def test_200_000_members_are_listed(tmp_path: Path, forks: Forks) -> None:
    run = forks.run("ls", MANY_MEMBERS.write(tmp_path))
    assert (run.code, run.err) == (0, "")
    assert MANY_MEMBERS.message in run.out
    assert run.seconds < 5
    assert run.megabytes < 350  # 100 MB, and 12 times the 20 MB of headers
