"""Compare the verbs that change a model with plain torch: `python benchmarks/change.py [BILLIONS]`.

The models are sparse files of zeros that take no disk; what is written does, 2 GB a billion
parameters, and all of it is on the disk when a program's time ends, ours and the peer's. Every row
is the median of three runs after one that warms up: disks waver.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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
MANY = 100_000  # tensors
WIDTHS = {0.4: 1024, 1.3: 2048, 5.0: 4096}  # billions of parameters -> width of the model
RUNS = 3
OTHER = "OTHER"
TWICE_AS_FAST = Budget(ratio=0.5, megabytes=400)


class Row(NamedTuple):
    """A verb with its arguments, and the script that does the same with torch.

    `OTHER` stands for a model of the same shapes under other names.
    """

    arguments: Sequence[str]
    peer: Sequence[str]


RENAME = Row(("rename", "h.{i}.attn -> layers.{i}.attention"), ("load_edit_save.py", "rename"))
ROWS_OF_MANY = (RENAME,)
ROWS = (
    Row(("init", "--scheme", "normal(std=0.02)", "--seed", "0"), ("nn_init.py",)),
    Row(("init", "--scheme", "xavier", "--seed", "0"), ("nn_init.py", "xavier")),
    Row(("tie", "wte", "head"), ("load_edit_save.py", "tie")),
    Row(("set", "wte.weight *= 2"), ("load_edit_save.py", "double")),
    RENAME,
    Row(("drop", "h.[12-23]"), ("load_edit_save.py", "drop")),
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


def many_shapes() -> dict[str, list[int]]:
    """Return the parameters of a model of very many small layers."""
    return {f"h.{i // 10}.attn.part{i % 10}.weight": [4, 4] for i in range(MANY)}


def make_model(path: Path, width: int, prefix: str = "") -> None:
    """Write a GPT of this width, its names behind a prefix."""
    write_zeros(path, shapes(width, prefix))


def write_zeros(path: Path, named: Mapping[str, list[int]]) -> None:
    """Write a safetensors file of bfloat16 zeros that takes a block of the disk."""
    header, end = {}, 0
    for name, shape in sorted(named.items()):
        begin, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def measure(row: Row, folder: Path) -> Iterator[str]:
    """Yield the cells of a row behind the model's, whose files are in the folder."""
    model, other, out = (str(folder / f"{each}.safetensors") for each in ("a", "b", "out"))
    verb, *rest = (other if word == OTHER else word for word in row.arguments)
    script, *more = (other if word == OTHER else word for word in row.peer)
    ours = [PARAMCTL, verb, model, *rest, "-o", out, "-q"]
    peer = [sys.executable, str(HERE / "peers" / script), model, out, *more]
    costs = compare(ours, peer, RUNS, on_terminal=False, output=Path(out))
    yield from (*costs[0].cells(), script, *costs[1].cells(), *TWICE_AS_FAST.verdict(*costs))


def main() -> None:
    """Make the models, measure every row, print the table."""
    table = Table(*COLUMNS)
    chosen = [float(text) for text in sys.argv[1:]] or [0.4, 1.3]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for billions in chosen:
            make_model(folder / "a.safetensors", WIDTHS[billions])
            make_model(folder / "b.safetensors", WIDTHS[billions], "other.")
            for row in ROWS:
                table.add_row(" ".join(row.arguments), f"{billions} B", *measure(row, folder))
        write_zeros(folder / "a.safetensors", many_shapes())
        for row in ROWS_OF_MANY:
            table.add_row(" ".join(row.arguments), f"{MANY:,} tensors", *measure(row, folder))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
