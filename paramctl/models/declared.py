"""What a model's files hold, against what its config, or another model, declares."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from paramctl.checkpoint import MISSING, Checkpoint, Entry
from paramctl.dtypes import UNKNOWN
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.models.huggingface import KEY
from paramctl.models.loading import Loaded, loaded_names, may_lack


class Declared(NamedTuple):
    """How files and what they are declared as differ.

    Attributes:
        architecture: the class that the config declares, or the format of another model.
        missing: what is declared, and neither held nor tied to what is.
        tied: a declared name that is not held -> the name of what it is one with.
        beyond: what is held, and not declared.
        shapes: what is held in another shape than declared -> what is declared.
        dtypes: what is held in another dtype than declared -> the two entries.
        renamed: what is held under another name than declared -> the declared names.
    """

    architecture: str
    missing: Mapping[str, Entry]
    tied: Mapping[str, str]
    beyond: tuple[str, ...]
    shapes: Mapping[str, Entry]
    dtypes: Mapping[str, tuple[Entry, Entry]]
    renamed: Mapping[str, tuple[str, ...]]

    @property
    def is_whole(self) -> bool:
        """Whether all that is declared is there, in its shape."""
        return not self.missing and not self.shapes


def compare(held: Checkpoint, declared: Checkpoint) -> Declared:
    """Compare files with a config, by the names under which transformers loads the files.

    Raises:
        UsageError: the weights are quantized, or declared by no config of transformers.
    """
    config = declared.metadata.get(KEY)
    if declared.build is None or not isinstance(config, dict):
        raise UsageError("no Hugging Face config, so nothing is declared", file=declared.file)
    if config.get("quantization_config"):
        what = "the weights are quantized, what it declares is the model before that"
        raise UsageError(what, file=declared.file)
    module = declared.build("meta")
    loaded = loaded_names(module, (name for name in held if name not in held.missing))
    found = _compare(held, declared, loaded, partial(may_lack, module))
    dtypes = found.dtypes if _says_dtype(config) else {}
    return found._replace(architecture=type(module).__name__, dtypes=dtypes)


def compare_names(held: Checkpoint, declared: Checkpoint) -> Declared:
    """Compare a model with another one, by the names as they are."""
    names = (name for name in held if name not in held.missing)
    loaded = {name: Loaded((name,) if name in declared else ()) for name in names}
    return _compare(held, declared, loaded, _is_count)


def _compare(
    held: Checkpoint,
    declared: Checkpoint,
    loaded: Mapping[str, Loaded],
    is_dispensable: Callable[[str], bool],
) -> Declared:
    tied, missing = _find_lacking(declared, loaded, is_dispensable)
    pairs = _pairs(held, declared, loaded)
    return Declared(
        declared.format,
        {name: declared[name] for name in missing},
        tied,
        tuple(name for name, each in loaded.items() if not each.names),
        {name: entry for name, entry in pairs.items() if held[name].shape != entry.shape},
        {
            name: (held[name], entry)
            for name, entry in pairs.items()
            if held[name].dtype != entry.dtype
        },
        {name: each.names for name, each in loaded.items() if each.names not in ((), (name,))},
    )


def _is_count(name: str) -> bool:
    """Whether it is the counter of a batch norm, which torch loads a state dict without."""
    return name.rpartition(".")[2] == "num_batches_tracked"


def with_declared(held: Checkpoint, found: Declared) -> Checkpoint:
    """Return the files' checkpoint with what the config declares beside it.

    What is missing stands there without values, what is tied as an alias.
    """
    lacking = {
        name: Entry(name, UNKNOWN, (), None, kind=entry.kind, layout=MISSING)
        for name, entry in found.missing.items()
    }
    entries = held.entries | {n: e for n, e in lacking.items() if n not in held}
    aliases = {alias: held.aliases.get(name, name) for alias, name in found.tied.items()}
    tied = {alias: entries[name]._replace(name=alias) for alias, name in aliases.items()}
    return replace(held, entries=entries | tied, aliases=held.aliases | aliases)


def _find_lacking(
    declared: Checkpoint, loaded: Mapping[str, Loaded], is_dispensable: Callable[[str], bool]
) -> tuple[dict[str, str], list[str]]:
    """Return what is tied to something that is held or missing, and what is missing."""
    holders = {target: name for name, each in loaded.items() for target in each.names}
    groups = Groups(declared.aliases)
    tied: dict[str, str] = {}
    missing: list[str] = []
    for name in declared:
        if name in holders or is_dispensable(groups.stored(name)):
            continue
        others = groups.others(name)
        holder = next((holders[other] for other in others if other in holders), None)
        if holder is None and groups.stored(name) == name:
            missing.append(name)
        else:
            tied[name] = holder or groups.stored(name)
    return tied, missing


def _pairs(
    held: Checkpoint, declared: Checkpoint, loaded: Mapping[str, Loaded]
) -> dict[str, Entry]:
    """Return what is loaded as it is -> what it is declared as."""
    return {
        name: declared[each.names[0]]
        for name, each in loaded.items()
        if len(each.names) == 1 and not each.is_converted and held[name].dtype is not UNKNOWN
    }


def _says_dtype(config: Mapping[str, object]) -> bool:
    return bool(config.get("dtype") or config.get("torch_dtype"))
