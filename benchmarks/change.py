"""Compare the verbs that change a model with plain torch: `python benchmarks/change.py [BILLIONS]`.

The models are sparse files of zeros that take no disk; what is written does, 2 GB a billion
parameters, and all of it is on the disk when a program's time ends, ours and the peer's. Every row
is one run after one that warms up.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

from measuring import Budget, compare
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
PARAMCTL = str(Path(sys.executable).with_name("paramctl"))
COLUMNS = ("paramctl", "model", "time", "memory", "peer", "time", "memory", "ratio", "budget", "")
LAYERS, VOCABULARY = 24, 50_304
WIDTHS = {0.4: 1024, 1.3: 2048, 5.0: 4096}  # billions of parameters -> width of the model
RUNS = 1
OTHER = "OTHER"
TWICE_AS_FAST = Budget(ratio=0.5, megabytes=400)


class Row(NamedTuple):
    """A verb with its arguments, and the script that does the same with torch.

    `OTHER` stands for a model of the same shapes under other names.
    """

    arguments: Sequence[str]
    peer: Sequence[str]


ROWS = (
    Row(("init", "--scheme", "normal(std=0.02)", "--seed", "0"), ("nn_init.py",)),
    Row(("init", "--scheme", "xavier", "--seed", "0"), ("nn_init.py", "xavier")),
    Row(("tie", "wte", "head"), ("load_edit_save.py", "tie")),
    Row(("set", "wte.weight *= 2"), ("load_edit_save.py", "double")),
    Row(("merge", OTHER), ("load_edit_save.py", "merge", OTHER)),
)


def shapes(width: int, prefix: str) -> dict[str, list[int]]:
    """Return the parameters of a GPT of this width."""
    layer = {
        "attn.qkv": [3 * width, width],
        "attn.out": [width, width],
        "mlp.up": [4 * width, width],
        "mlp.down": [width, 4 * width],
        "ln_1": [width],
        "ln_2": [width],
    }
    named = {"wte.weight": [VOCABULARY, width], "head.weight": [VOCABULARY, width]}
    for number in range(LAYERS):
        for part, shape in layer.items():
            named[f"h.{number}.{part}.weight"] = shape
            named[f"h.{number}.{part}.bias"] = shape[:1]
    return {prefix + name: shape for name, shape in named.items()}


def make_model(path: Path, width: int, prefix: str = "") -> None:
    """Write a safetensors file of bfloat16 zeros that takes a block of the disk."""
    header, end = {}, 0
    for name, shape in sorted(shapes(width, prefix).items()):
        begin, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def main() -> None:
    """Make the models, measure every row, print the table."""
    table = Table(*COLUMNS)
    chosen = [float(text) for text in sys.argv[1:]] or [0.4, 1.3]
    with tempfile.TemporaryDirectory() as name:
        for billions in chosen:
            model, other, out = (Path(name) / f"{each}.safetensors" for each in ("a", "b", "out"))
            make_model(model, WIDTHS[billions])
            make_model(other, WIDTHS[billions], "other.")
            for row in ROWS:
                verb, *rest = (str(other) if word == OTHER else word for word in row.arguments)
                ours = [PARAMCTL, verb, str(model), *rest, "-o", str(out), "--force", "-q"]
                script, *more = (str(other) if word == OTHER else word for word in row.peer)
                peer = [sys.executable, str(HERE / "peers" / script), str(model), str(out), *more]
                costs = compare(ours, peer, RUNS, on_terminal=False)
                out.unlink()
                verdict = TWICE_AS_FAST.verdict(*costs)
                label = " ".join(row.arguments)
                table.add_row(
                    label, f"{billions} B", *costs[0].cells(), script, *costs[1].cells(), *verdict
                )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
