"""Compare the verbs that read all values with plain torch: `python benchmarks/stats.py [BILLIONS]`.

The models hold random bfloat16 values, 2 GB a billion, written before and in the page cache; the
last one is of 100,000 tiny tensors.
"""

import sys
import tempfile
from pathlib import Path

from change import COLUMNS, HERE, PARAMCTL, WIDTHS, make_model
from measuring import Budget, compare, run
from rich.console import Console
from rich.table import Table

RUNS = 3
TWICE_AS_FAST = Budget(ratio=0.5, megabytes=500)


def measure(model: Path) -> tuple[str, ...]:
    """Return what ours and the peer cost, and whether that is within the budget."""
    ours = [PARAMCTL, "stats", str(model)]
    peer = [sys.executable, str(HERE / "peers" / "torch_stats.py"), str(model)]
    costs = compare(ours, peer, RUNS, on_terminal=False)
    return *costs[0].cells(), "torch_stats.py", *costs[1].cells(), *TWICE_AS_FAST.verdict(*costs)


def main() -> None:
    """Make the models, measure, print the table."""
    table = Table(*COLUMNS)
    chosen = [float(text) for text in sys.argv[1:]] or [1.3]
    with tempfile.TemporaryDirectory() as name:
        for billions in chosen:
            model = Path(name) / "model.safetensors"
            make_model(model, WIDTHS[billions])
            fill = [PARAMCTL, "init", str(model), "-s", "normal", "--seed", "0", "-i"]
            run(fill, on_terminal=False)
            table.add_row("stats", f"{billions} B", *measure(model))
        run([sys.executable, str(HERE / "inputs.py"), name], on_terminal=False)
        table.add_row("stats", "100,000 tensors", *measure(Path(name) / "100000.safetensors"))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
