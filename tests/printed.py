"""Files of whole modules for the tests of `print`, and what is printed of them."""

from pickle_bytes import dictionary, pickled
from torch import nn
from zip_bytes import torch_zip

from paramctl.checkpoint import Checkpoint
from paramctl.formats import read_checkpoint
from paramctl.sources import BytesSource
from paramctl.views.outline import counted_lines, tree_lines


def module(path: str, name: str, **parts: bytes) -> bytes:
    """Push a module of a class, with nothing in it but these parts of its dictionary."""
    empty = dict.fromkeys(("_parameters", "_buffers", "_modules"), dictionary())
    made = f"c{path}\n{name}\n)\x81".encode("latin-1")
    return made + dictionary(**{**empty, **parts}) + b"b"


def one_module(path: str, name: str, **parts: bytes) -> bytes:
    """Make the file of such a module."""
    return torch_zip(pickled(module(path, name, **parts)), {"0": bytes(16)})


def read(data: bytes) -> Checkpoint:
    """Read the bytes of a file."""
    return read_checkpoint(BytesSource(data, "net.pt"))


def printed(data: bytes) -> str:
    """Print what a file of these bytes holds."""
    outline = read(data).outline
    assert outline is not None
    return "\n".join(tree_lines(outline()))


def counted(data: bytes) -> list[str]:
    """Return the lines of the same with numbers of parameters."""
    checkpoint = read(data)
    assert checkpoint.outline is not None
    return list(counted_lines(checkpoint.outline(), checkpoint.aliases))


def numel(module: nn.Module) -> int:
    """Count parameters as PyTorch's users do."""
    return sum(parameter.numel() for parameter in module.parameters())
