"""The program with one more verb, `copy SOURCE TARGET`: what the writer needs to be run whole.

`zeros:N` as SOURCE is a model of N computed bytes, `-` as TARGET standard output, and a number
behind TARGET the most bytes of a shard. At the end it tells its own memory peak, in kilobytes.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from paramctl import writer
from paramctl.__main__ import main
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.cli import verbs
from paramctl.cli.environment import Environment
from paramctl.dtypes import BY_NAME
from paramctl.formats import open_checkpoint
from paramctl.sources import Source

NUMEL = 1 << 24
PEAK = "VmHWM:"


class Zeros(Source):
    """Zero bytes."""

    name = "zeros"
    size = 4 * NUMEL

    def _read(self, offset: int, length: int) -> bytes:
        del offset
        return bytes(length)


def computed(nbytes: int) -> Checkpoint:
    """Return a model of 64 MiB tensors, as many as take so many bytes."""
    names = [f"layer.{i}" for i in range(nbytes // (4 * NUMEL))]
    storages = [Storage(Zeros(), 0, 4 * NUMEL) for _ in names]
    return Checkpoint(
        "computed",
        "none",
        {
            name: Entry(name, BY_NAME["float32"], (NUMEL,), storage)
            for name, storage in zip(names, storages, strict=True)
        },
    )


def run(environment: Environment, source: str, target: str, shard: int = 0) -> None:
    kind, _, nbytes = source.partition(":")
    model = computed(int(nbytes)) if kind == "zeros" else open_checkpoint(source)
    options = writer.WriteOptions(force=True, max_shard_size=shard or None)
    if target == "-":
        writer.stream(model, environment.write_bytes, options)
    else:
        writer.save(model, target, options)
    lines = Path("/proc/self/status").read_text().splitlines()
    environment.say(next(line for line in lines if line.startswith(PEAK)).split()[1])


def add_verb() -> None:
    """Make the verb known."""
    module: Any = ModuleType("paramctl.cli.copy")
    module.EXAMPLES, module.run = "", run
    sys.modules[module.__name__] = module
    verbs.VERBS["copy"] = verbs.Verb("Look", "Copy.")


if __name__ == "__main__":
    add_verb()
    sys.exit(main())
