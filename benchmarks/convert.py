"""Compare `paramctl convert` with plain torch: `python benchmarks/convert.py [BILLIONS]`.

The model has random values, in two files, of bfloat16 and of float32, 2 and 4 GB a billion
parameters; what is written is on the disk when a program's time ends, ours and the peer's. Every
row is the median of three runs after one that warms up: disks waver.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from change import PARAMCTL, TWICE_AS_FAST, WIDTHS, make_model
from measuring import compare
from rich.console import Console
from rich.table import Table

PEER = Path(__file__).parent / "peers" / "load_cast_save.py"
COLUMNS = ("model", "paramctl convert", "time", "memory", "torch", "memory", "ratio", "budget", "")
RUNS = 3


class Row(NamedTuple):
    """The type of the model, the end of the new file's name, and the new type, if any."""

    old: str
    suffix: str
    new: str = ""

    @property
    def options(self) -> list[str]:
        """The options of the new type."""
        return ["--dtype", self.new] if self.new else []


ROWS = (
    Row("bfloat16", ".pt"),
    Row("bfloat16", ".safetensors", "float16"),
    Row("bfloat16", ".pt", "float16"),
    Row("float32", ".safetensors", "bfloat16"),
    Row("float32", ".safetensors", "float16"),
    Row("float32", ".safetensors", "float8_e4m3fn"),
)


def make_models(folder: Path, width: int) -> dict[str, Path]:
    """Write the model with normal values, in either type."""
    paths = {name: folder / f"{name}.safetensors" for name in ("bfloat16", "float32")}
    make_model(folder / "zeros.safetensors", width)
    init = [PARAMCTL, "init", str(folder / "zeros.safetensors"), "--scheme", "normal(std=0.02)"]
    subprocess.run([*init, "--seed", "0", "-q", "-o", str(paths["bfloat16"])], check=True)
    cast = [PARAMCTL, "convert", str(paths["bfloat16"]), "--dtype", "float32", "-q"]
    subprocess.run([*cast, "-o", str(paths["float32"])], check=True)
    return paths


def main() -> None:
    """Make the models, measure every row, print the table."""
    table = Table(*COLUMNS)
    chosen = [float(text) for text in sys.argv[1:]] or [0.4, 1.3]
    with tempfile.TemporaryDirectory() as name:
        for billions in chosen:
            models = make_models(Path(name), WIDTHS[billions])
            for row in ROWS:
                model, out = models[row.old], Path(name) / f"out{row.suffix}"
                ours = [PARAMCTL, "convert", str(model), *row.options, "-o", str(out)]
                peer = [sys.executable, str(PEER), str(model), str(out), *filter(None, [row.new])]
                costs = compare([*ours, "-q"], peer, RUNS, on_terminal=False, output=out)
                label = " ".join([*row.options, f"-o out{row.suffix}"])
                cells = (*costs[0].cells(), *costs[1].cells(), *TWICE_AS_FAST.verdict(*costs))
                table.add_row(f"{billions} B {row.old}", label, *cells)
            for model in models.values():
                model.unlink()
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
