"""What a model at a URL costs: requests, bytes and time, with 30 ms on the way of each request.

`PYTHONPATH=tests python benchmarks/remote.py`
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from struct import pack

from change import PARAMCTL
from measuring import run
from rich.console import Console
from rich.table import Table
from web_server import Handler, Server, serving

DELAY = 0.03
MB = 1 << 20
SHARDS, TENSORS, TENSOR_BYTES = 30, 40, 90 * MB
SHARD = "model-{:05}-of-00030.safetensors"
INDEX = "model.safetensors.index.json"
ROWS = (
    (("ls",), "100gb.safetensors", MB),
    (("show", "layers.99.weight[1000:1005]"), "100gb.safetensors", MB),
    (("stats", "layers.1.bias"), "100gb.safetensors", 17 * MB),
    (("ls",), INDEX, 5 * MB),
)
"""A verb with its addresses, the file, and the most bytes that it may move."""


class Distant(Handler):
    """A server that is far away."""

    def do_GET(self) -> None:  # noqa: N802 (the base class's name)
        """Answer after a while."""
        time.sleep(DELAY)
        super().do_GET()


def write_sparse(path: Path, tensors: dict[str, int]) -> None:
    """Write a file of zeros that takes no place; `tensors` are bytes by name."""
    entries, end = {}, 0
    for name, nbytes in tensors.items():
        place = {"data_offsets": [end, end + nbytes]}
        entries[name] = {"dtype": "F32", "shape": [nbytes // 4], **place}
        end += nbytes
    header = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(pack("<Q", len(header)) + header)
        file.truncate(file.tell() + end)


def write_models(folder: Path) -> None:
    """Write a file of 100 GB, and an index of 30 files of 4 GB."""
    large = {f"layers.{i}.weight": 1000 * MB for i in range(100)}
    write_sparse(folder / "100gb.safetensors", large | {"layers.1.bias": 16 * MB})
    weight_map: dict[str, str] = {}
    for shard in range(1, SHARDS + 1):
        tensors = {f"layers.{shard}.{i}.weight": TENSOR_BYTES for i in range(TENSORS)}
        write_sparse(folder / SHARD.format(shard), tensors)
        weight_map |= dict.fromkeys(tensors, SHARD.format(shard))
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def measure(server: Server, verb: tuple[str, ...], file: str, most: int) -> tuple[str, ...]:
    """Run a verb and return what it cost, as the table shows it."""
    server.requests.clear()
    server.moved = 0
    cost = run([PARAMCTL, verb[0], f"{server.url}/{file}", *verb[1:]], on_terminal=False)
    verdict = "holds" if server.moved <= most else "BROKEN"
    moved = (f"{server.moved / 1e6:.2f} MB", f"{most / 1e6:.0f} MB", verdict)
    return (" ".join(verb), file, str(len(server.requests)), *cost.cells(), *moved)


def main() -> None:
    """Make the models, measure, print the table."""
    table = Table("paramctl", "of", "requests", "time", "memory", "moved", "budget", "")
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server:
        server.RequestHandlerClass = Distant
        write_models(Path(name))
        for row in ROWS:
            table.add_row(*measure(server, *row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
