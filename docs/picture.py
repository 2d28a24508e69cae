"""Draw the README's picture: `paramctl ls` of a real model, as Rich exports a terminal."""

import io
from pathlib import Path

from rich.console import Console
from rich.text import Text

from paramctl import open as open_model
from paramctl.views.rows import make_rows, total
from paramctl.views.summary import header_line, total_line
from paramctl.views.tree import UNICODE_GUIDES, TreeBuilder
from paramctl.views.tree_table import print_lines

MODEL = Path(__file__).parents[1] / "sample_models" / "gpt2"
WIDTH = 84


def draw() -> str:
    """Return the picture as SVG."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True)
    checkpoint = open_model(MODEL)
    checkpoint.file = "gpt2/model.safetensors.index.json"
    rows = make_rows(checkpoint, checkpoint)
    tree = TreeBuilder(checkpoint, rows, fold=True, guides=UNICODE_GUIDES)
    console.print(Text(header_line(checkpoint)))
    print_lines(console, tree.lines(None, "file"), WIDTH)
    console.print(Text(total_line(total(checkpoint, rows))))
    return console.export_svg(title="$ paramctl ls gpt2") + "\n"
