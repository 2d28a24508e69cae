"""Run every example of the documentation and compare what it prints with what stands there.

`python docs/check.py` exits 1 where they differ; `--update` writes what is printed into its place.
Examples are `console` blocks of the pages and the EXAMPLES of the verbs, which `--help` shows: a
line that begins with `$ ` is run on a terminal of 100 columns without colour, and the lines behind
it are what it prints. Every page has a folder of its own, in which the folders SHOWN lie as in the
repository's root: so pages are checked side by side. The pictures are drawn anew too.
"""

import os
import pty
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pictures import PICTURES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
VERBS = sorted((ROOT / "paramctl" / "cli").glob("*.py"))
PAGE_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
HELP_BLOCK = re.compile(r'(?<=^EXAMPLES = """\n)(.*?)(?=^""")', re.MULTILINE | re.DOTALL)
SHOWN = ("docs", "sample_models", "tests")  # what the examples read
COLUMNS = "100"


class Example(NamedTuple):
    """A command and what it prints."""

    command: str
    output: str


def parse(block: str) -> Iterator[Example]:
    """Yield the examples of a block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.count('"') % 2 or command.endswith("\\"):
            more, _, output = output.partition("\n")
            command += f"\n{more}"
        yield Example(command, output.strip("\n"))


def run(command: str) -> str:
    """Run a command in a shell on a terminal of its own and return all that it prints."""
    pid, terminal = pty.fork()
    if not pid:
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


def renew(block: str) -> str:
    """Return a block with what its commands print now."""
    examples = [Example(old.command, run(old.command)) for old in parse(block)]
    return (
        "\n\n".join("\n".join(filter(None, [f"$ {e.command}", e.output])) for e in examples) + "\n"
    )


def renew_page(text: str) -> str:
    """Return a page with all its examples run."""
    return PAGE_BLOCK.sub(lambda match: renew(match[0]), text)


def renew_help(text: str) -> str:
    """Return a verb's source with the examples of its `--help` run."""
    return HELP_BLOCK.sub(lambda match: renew(match[0]), text)


def renew_apart(renew_text: Callable[[str], str], text: str) -> str:
    """Renew a text in a folder where nothing that its examples write disturbs others."""
    with TemporaryDirectory() as folder:
        for name in SHOWN:
            (Path(folder) / name).symlink_to(ROOT / name)
        os.chdir(folder)
        try:
            return renew_text(text)
        finally:
            os.chdir(ROOT)


def redraw(name: str) -> str:
    """Return a picture, drawn anew."""
    return PICTURES[name]()


def check(path: Path, old: str, new: str) -> bool:
    """Say whether a file is as it should be; with `--update`, make it so."""
    if new == old:
        return True
    if "--update" in sys.argv:
        path.write_text(new)
        return True
    sys.stdout.write(f"{path.relative_to(ROOT)} differs: run python docs/check.py --update\n")
    return False


def main() -> int:
    """Check all pages, the verbs' help and the pictures, or update them."""
    texts = [(renew_page, page) for page in PAGES] + [(renew_help, verb) for verb in VERBS]
    pictures = [(name, ROOT / "docs" / name) for name in PICTURES]
    with ProcessPoolExecutor() as pool:
        renewed = [
            (path, text, pool.submit(renew_apart, how, text))
            for how, path in texts
            for text in [path.read_text()]
        ]
        renewed += [
            (path, path.read_text() if path.exists() else "", pool.submit(redraw, name))
            for name, path in pictures
        ]
        good = [check(path, old, new.result()) for path, old, new in renewed]
    sys.stdout.write(f"{len(good)} files checked, {good.count(False)} wrong\n")
    return not all(good)


if __name__ == "__main__":
    sys.exit(main())
