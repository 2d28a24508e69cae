"""Find the model in a folder, by the names that libraries give it."""

import os
from fnmatch import fnmatchcase

from paramctl.errors import FileError, MalformedError

CONFIG = "config.json"
LAYOUTS = (
    ("model.safetensors.index.json",),
    ("model.safetensors",),
    ("pytorch_model.bin.index.json",),
    ("pytorch_model.bin",),
    (".metadata",),
    ("*.index.json",),
    ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt"),
    (CONFIG,),
)
"""The patterns of the file to read, the surest first: the first row that names a file decides."""


def find_model_file(folder: str) -> str:
    """Return the path of the one model in `folder`: an index before the files it names.

    Where there are no weights, it is the config that says which they would be.

    Raises:
        FileError: the folder cannot be read.
        MalformedError: it holds no model, or several that one row names.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise FileError.from_os(error, folder) from error
    found = ([n for n in names if _is_one_of(n, patterns)] for patterns in LAYOUTS)
    models = next(filter(None, found), [])
    if models == [".metadata"]:
        raise MalformedError("a folder of torch.distributed.checkpoint, not read", file=folder)
    if not models:
        raise MalformedError("a folder without a model", file=folder, hint="name the file itself")
    if len(models) > 1:
        listed = ", ".join(models[:5])
        raise MalformedError(
            f"a folder with several models: {listed}", file=folder, hint="name one"
        )
    return os.path.join(folder, models[0])


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
