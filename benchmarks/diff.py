"""Compare `paramctl diff` with a plain torch loop: `python benchmarks/diff.py [BILLIONS]`.

Two models of random bfloat16 values, 2 GB a billion each, written before and in the page cache; in
the second one no values are other ones, or those of two layers of 24, or all.
"""

import sys
import tempfile
from pathlib import Path

from change import COLUMNS, HERE, PARAMCTL, WIDTHS, make_model
from measuring import Budget, compare, run
from rich.console import Console
from rich.table import Table

RUNS = 1
TWICE_AS_FAST = Budget(ratio=0.5, megabytes=500)
CHANGED = {"none": None, "two layers": ["h.[0-1]"], "all": []}  # what differs -> its addresses


def fill(model: Path, addresses: list[str], seed: int) -> None:
    """Draw values of a model anew."""
    command = [PARAMCTL, "init", str(model), *addresses, "-s", "normal", "--bias", "normal"]
    run([*command, "--seed", str(seed), "-i"], on_terminal=False)


def main() -> None:
    """Make the models, measure, print the table."""
    table = Table(*COLUMNS)
    chosen = [float(text) for text in sys.argv[1:]] or [1.3]
    with tempfile.TemporaryDirectory() as name:
        a, b = Path(name) / "a.safetensors", Path(name) / "b.safetensors"
        for billions in chosen:
            for model in (a, b):
                make_model(model, WIDTHS[billions])
                fill(model, [], 0)
            for label, addresses in CHANGED.items():
                if addresses is not None:
                    fill(b, addresses, 1)
                ours = [PARAMCTL, "diff", str(a), str(b), "--ignore", "metadata"]
                peer = [sys.executable, str(HERE / "peers" / "diff_loop.py"), str(a), str(b)]
                answer = int(addresses is not None)
                costs = compare(ours, peer, RUNS, on_terminal=False, answer=answer)
                cells = (*costs[0].cells(), "diff_loop.py", *costs[1].cells())
                verdict = TWICE_AS_FAST.verdict(*costs)
                table.add_row(f"diff, {label}", f"{billions} B", *cells, *verdict)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
