"""The least that a Typer program takes."""

import typer

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)


@app.command()
def hello(name: str) -> None:
    """Greet `name`."""
    print(f"hello {name}")


app()
