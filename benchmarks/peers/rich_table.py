"""The least that a Typer program takes to print a Rich table, a screen of it."""

import typer
from rich.console import Console
from rich.table import Table

ROWS = 24
COLUMNS = ("name", "shape", "dtype", "values", "size")

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)


@app.command()
def show(name: str) -> None:
    """Print a table of `ROWS` rows."""
    table = Table(*COLUMNS)
    for row in range(ROWS):
        table.add_row(f"{name}.{row}.weight", "[4, 4]", "float32", "16", "64 B")
    Console().print(table)


app()
