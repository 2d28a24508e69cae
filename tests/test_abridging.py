"""A table that no screen holds: a terminal gets the first rows, everyone else all."""

from pathlib import Path

import pytest
import torch
from forks import Forks
from program import run_on_terminal
from safetensors.torch import save_file

ROWS = 450
LAST = f"h.{ROWS - 1}.weight"


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """Return two models of as many tensors, each of which is other, and has a NaN in the first."""
    state = {f"h.{n:03}.weight": torch.full((2, 2), torch.nan) for n in range(ROWS)}
    save_file(state, tmp_path / "a")
    save_file({name: torch.ones(2, 2) for name in state}, tmp_path / "b")
    return tmp_path / "a", tmp_path / "b"


@pytest.mark.parametrize(
    ("verb", "form", "ending"),
    [
        ("stats", "table", "1,800 values, 1,800 NaN"),
        ("diff", "table", "450 parameters: 450 changed"),
        ("check", "lines", "450 errors; 450 tensors checked, 7.20 kB"),
    ],
)
def test_a_terminal_gets_400_rows_and_how_to_see_all(
    verb: str, form: str, ending: str, models: tuple[Path, Path], forks: Forks
) -> None:
    files = models if verb == "diff" else models[:1]
    shown = run_on_terminal(verb, *files, NO_COLOR="1")
    assert shown.count(".weight") == 400
    remark = f"abridged: the first 400 of {ROWS} rows; '--format {form} | less' shows all"
    assert f"{remark}\n{ending}" in shown.replace("\r", "")
    piped = forks.run(verb, *files, "--format", form).out
    assert piped.count(".weight") == ROWS
    assert LAST in piped
    assert "abridged" not in piped
