"""Compare `paramctl ls` with its peers, side by side: `python benchmarks/ls.py`."""

import compileall
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from measuring import Budget, Cost, compare
from rich.console import Console
from rich.table import Table

import paramctl

HERE = Path(__file__).parent
PARAMCTL = str(Path(sys.executable).with_name("paramctl"))
MANY, FEW = 11, 3  # runs of what takes less than a second, and more
COLUMNS = ("paramctl ls", "to", "time", "memory", "peer", "time", "memory", "ratio", "budget", "")


class Row(NamedTuple):
    """A comparison: the model listed, the peer's script, and the budget."""

    model: str
    peer: str
    budget: Budget
    runs: int = MANY
    on_terminal: bool = False


START_UP = Budget(ratio=1.25, megabytes=60)
VOCABULARY = Budget(ratio=2.0, megabytes=60)  # half a million strings are passed by, one by one
SCREEN = Budget(ratio=1.25)
FASTER = Budget(ratio=1.0)

ROWS = (
    Row("4.safetensors", "hello", START_UP),
    Row("4.pt", "hello", START_UP),
    Row("300.safetensors", "hello", START_UP),
    Row("300.pt", "hello", START_UP),
    Row("terabyte.safetensors", "hello", START_UP),
    Row("vocabulary.gguf", "hello", VOCABULARY),
    Row("4.safetensors", "rich_table", SCREEN, on_terminal=True),
    Row("300.safetensors", "rich_table", SCREEN, on_terminal=True),
    Row("300.pt", "rich_table", SCREEN, on_terminal=True),
    Row("300.safetensors", "safe_open_loop", FASTER, FEW),
    Row("300.pt", "torch_load_loop", FASTER, FEW),
    Row("100000.safetensors", "safe_open_loop", Budget(ratio=1.0, seconds=1.0), FEW),
    Row("100000.pt", "torch_load_loop", Budget(ratio=1.0, seconds=2.5), FEW),
)


def measure(row: Row, folder: Path) -> tuple[Cost, Cost]:
    """Run both programs of a row and return what they took."""
    model = str(folder / row.model)
    peer = [sys.executable, str(HERE / "peers" / f"{row.peer}.py"), model]
    return compare([PARAMCTL, "ls", model], peer, row.runs, on_terminal=row.on_terminal)


def cells(row: Row, ours: Cost, theirs: Cost) -> Sequence[str]:
    """Return a row as the table shows it."""
    place = "terminal" if row.on_terminal else "pipe"
    verdict = row.budget.verdict(ours, theirs)
    return (row.model, place, *ours.cells(), row.peer, *theirs.cells(), *verdict)


def main() -> None:
    """Make the models, measure every row, print the table.

    The package is compiled first, as pip does when it installs one: in a checkout it may not be,
    where PYTHONDONTWRITEBYTECODE is set, and every start would compile it anew.
    """
    compileall.compile_dir(Path(paramctl.__file__).parent, quiet=1)
    table = Table(*COLUMNS)
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, str(HERE / "inputs.py"), name], check=True)
        for row in ROWS:
            table.add_row(*cells(row, *measure(row, Path(name))))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
