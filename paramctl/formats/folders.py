"""Find the model in a folder, by the names that Hugging Face's libraries give it."""

import os

from paramctl.errors import FileError, MalformedError

KNOWN_NAMES = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)
CONFIG = "config.json"
INDEX_SUFFIX = ".index.json"
MODEL_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


def find_model_file(folder: str) -> str:
    """Return the path of the one model in `folder`: an index before the files it names.

    Where there are no weights, it is the config that says which they would be.

    Raises:
        FileError: the folder cannot be read.
        MalformedError: it holds no model, or several and none of a known name.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise FileError.from_os(error, folder) from error
    known = [name for name in KNOWN_NAMES if name in names]
    if known:
        return os.path.join(folder, known[0])
    if ".metadata" in names:
        raise MalformedError("a folder of torch.distributed.checkpoint, not read", file=folder)
    models = [name for name in names if name.endswith(INDEX_SUFFIX)]
    models = models or [name for name in names if name.endswith(MODEL_SUFFIXES)]
    models = models or [name for name in names if name == CONFIG]
    if not models:
        raise MalformedError("a folder without a model", file=folder, hint="name the file itself")
    if len(models) > 1:
        listed = ", ".join(models[:5])
        raise MalformedError(
            f"a folder with several models: {listed}", file=folder, hint="name one"
        )
    return os.path.join(folder, models[0])
