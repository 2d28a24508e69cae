"""Run every example of the documentation and compare what it prints with what stands there.

`python docs/check.py` exits 1 where they differ; `--update` writes what is printed into the pages.
Examples are `console` blocks: a line that begins with `$ ` is run in the repository's root, on a
terminal of 100 columns without colour, and the lines behind it are what it prints.
"""

import os
import pty
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
COLUMNS = "100"


class Example(NamedTuple):
    """A command and what it prints."""

    command: str
    output: str


def parse(block: str) -> Iterator[Example]:
    """Yield the examples of a block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command += f"\n{more}"
        yield Example(command, output.strip("\n"))


def run(command: str) -> str:
    """Run a command in a shell on a terminal of its own and return all that it prints."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(ROOT)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PARAMCTL_")}
        shown = {
            "PATH": path,
            "COLUMNS": COLUMNS,
            "TERM": "xterm",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }
        os.execve("/bin/bash", ["bash", "-c", command], kept | shown)  # noqa: S606 (on a terminal)
    chunks = []
    try:
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    except OSError:  # the terminal's other end is closed
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    text = b"".join(chunks).decode().replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def renew(match: re.Match[str]) -> str:
    """Return a block with what its commands print now."""
    examples = [Example(old.command, run(old.command)) for old in parse(match[0])]
    return (
        "\n\n".join("\n".join(filter(None, [f"$ {e.command}", e.output])) for e in examples) + "\n"
    )


def help_blocks() -> Iterator[tuple[str, str]]:
    """Yield the examples that the verbs' `--help` shows."""
    app = import_module("paramctl.cli.app")
    for verb in app.VERBS:
        yield f"paramctl {verb} --help", import_module(f"paramctl.cli.{verb}").EXAMPLES


def main() -> int:
    """Check all pages, or update them."""
    wrong = 0
    for page in PAGES:
        old = page.read_text()
        new = BLOCK.sub(renew, old)
        if new != old and "--update" in sys.argv:
            page.write_text(new)
        elif new != old:
            wrong += 1
            sys.stdout.write(f"{page.relative_to(ROOT)} differs: python docs/check.py --update\n")
    for name, block in help_blocks():
        for example in parse(block):
            printed = run(example.command)
            if printed != example.output:
                wrong += 1
                sys.stdout.write(f"{name}: {example.command}\nprints\n{printed}\n")
    sys.stdout.write(f"{len(PAGES)} pages checked, {wrong} wrong\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
