"""`paramctl completion`: what makes a shell complete verbs, options and names in the file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from paramctl.cli.candidates import find_candidates
from paramctl.cli.environment import Environment
from paramctl.cli.shell_words import NotUnderstoodError, quote_for_bash, split_line

EXAMPLES = """
$ eval "$(paramctl completion bash)"

$ paramctl completion fish --line 'paramctl show sample_models/mlp.pt 2.'
2.weight
2.bias
"""


def run(
    environment: Environment,
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="bash|zsh|fish", help="The shell that is to complete."),
    ],
    *,
    line: Annotated[
        str | None,
        typer.Option(
            "--line",
            metavar="LINE",
            help="Print what may stand at the end of this line: what the script asks for at TAB.",
            show_default=False,
        ),
    ] = None,
    replaced: Annotated[
        str,
        typer.Option(
            "--replaced",
            metavar="TEXT",
            help="The end of the line that bash will replace.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Print what makes a shell complete verbs, options and names in the file."""
    if line is None:
        script = Path(__file__).parent / "scripts" / f"completion.{shell}"
        environment.write(script.read_text())
        return
    try:
        typed = split_line(line)
        kept = split_line(line.removesuffix(replaced))
    except NotUnderstoodError:
        return
    candidates = find_candidates(typed.words[1:] or [""])  # the first word is the program
    if shell == "bash":
        words = (each.word.removeprefix(kept.words[-1]) for each in candidates)
        environment.write_lines(quote_for_bash(word, kept.quote) for word in words)
    else:
        environment.write_lines("\t".join(filter(None, each)) for each in candidates)
