"""Find the model in a folder, by the names that libraries give it."""

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from paramctl.errors import FileError, MalformedError, UnsafeError
from paramctl.formats.beside import is_beside
from paramctl.sources import FileSource, Source

CONFIG = "config.json"
LATEST = "latest"  # DeepSpeed's: names the folder of the last step
MAX_NAME = 255  # bytes of a folder's name
STEP_LAYOUTS = ("mp_rank_*_model_states.pt", "zero_pp_rank_0_mp_rank_*_model_states.pt")
LAYOUTS = (
    ("model.safetensors.index.json",),
    ("model.safetensors",),
    ("pytorch_model.bin.index.json",),
    ("pytorch_model.bin",),
    *((layout,) for layout in STEP_LAYOUTS),
    (LATEST,),
    (".metadata",),
    ("*.index.json",),
    ("*.weights.json",),
    (
        "*.safetensors",
        "*.bin",
        "*.pt",
        "*.pt2",
        "*.pth",
        "*.ckpt",
        "*.msgpack",
        "*.h5",
        "*.keras",
        "*.gguf",
        "*.onnx",
    ),
    ("*.npz", "*.hdf5"),  # beside other weights they are data
    (CONFIG,),
)
"""The patterns of the file to read, the surest first: the first row that names a file decides."""
LATER_PART = re.compile(r".*-(?!00001)\d{5}-of-\d{5}\.gguf", re.DOTALL)  # its first one is read


def find_model_file(folder: str) -> str:
    """Return the path of the one model in `folder`: an index before the files it names.

    Raises:
        FileError: the folder cannot be read.
        MalformedError: as `choose_model_file`.
    """
    name = choose_model_file(_list(folder), folder)
    if name == LATEST:
        folder = _find_step(folder)
        name = choose_model_file(_list(folder), folder)
    return os.path.join(folder, name)


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise FileError.from_os(error, folder) from error


def _find_step(folder: str) -> str:
    """Return the folder of the step that DeepSpeed wrote last."""
    return os.path.join(folder, _read_step(FileSource(os.path.join(folder, LATEST))))


def _read_step(latest: Source) -> str:
    step = latest.read(0, min(latest.size, MAX_NAME + 1)).decode("utf-8", "replace").strip()
    if not step or not is_beside(step):
        raise UnsafeError(f"names '{step}', which is no folder beside it", file=latest.name)
    return step


def open_latest(source: Source) -> Source:
    """Return the model of the step that `source` names, if it is DeepSpeed's `latest`.

    Servers do not list folders: the model's file is asked for by the names that it may have.

    Raises:
        UnsafeError: it names no folder beside it.
        MalformedError: there is no model, or that of more than one model-parallel rank.
    """
    if source.name.rpartition("/")[2] != LATEST or source.size > MAX_NAME:
        return source
    step = _read_step(source)
    for layout in STEP_LAYOUTS:
        found = [source.beside(f"{step}/{layout.replace('*', rank)}") for rank in ("00", "01")]
        models = list(filter(None, found))
        if len(models) > 1:
            raise _several([model.name for model in models], source.name)
        if models:
            return models[0]
    raise MalformedError(f"names the step '{step}', and no model is found in it", file=source.name)


def choose_model_file(listed: Iterable[str], folder: str) -> str:
    """Return the one of the names listed in `folder` that is its model's.

    Where there are no weights, it is the config that says which they would be.

    Raises:
        MalformedError: it holds no model, or several that one row names.
    """
    names = sorted(name for name in listed if not LATER_PART.fullmatch(name))
    found = ([n for n in names if _is_one_of(n, patterns)] for patterns in LAYOUTS)
    models = next(filter(None, found), [])
    if not models:
        raise MalformedError("a folder without a model", file=folder, hint="name the file itself")
    if len(models) > 1:
        raise _several(models, folder)
    return models[0]


def _several(models: list[str], folder: str) -> MalformedError:
    few = ", ".join(models[:5])
    return MalformedError(f"a folder with several models: {few}", file=folder, hint="name one")


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
