"""Models of Hugging Face's transformers, built from their configs without weights.

Source: transformers, `PreTrainedModel._from_config`. Only classes of transformers itself are built.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from paramctl.checkpoint import Checkpoint
from paramctl.errors import LimitError, UnsafeError, UsageError, find_closest
from paramctl.models.modules import checkpoint_of, making
from paramctl.models.transformers import blaming_transformers, load_transformers

FORMAT = "Hugging Face config"
KEY = "config"  # of the metadata, where the config itself is
MAX_PARTS = 1 << 18  # modules and parameters of a model: each takes 20 us to make
MAX_COUNT = 1 << 20  # of what a config has lists of: layers, experts, labels

_COUNT = re.compile(r"layer|block|depth|stage|expert|label")
_UNUSED = re.compile(
    r"auto_map|quantization_config|_?(?:attn|experts)_implementation(?:_\w+)?|_commit_hash"
)
"""What says how a model is loaded and run; some of it names code or files to fetch."""


def checkpoint_of_config(config: dict[str, Any], file: str) -> Checkpoint:
    """Return the parameters and buffers of a config's architecture, without values.

    Raises:
        UnsafeError: the architecture is code of its own.
        UsageError: transformers is not installed, or cannot build it.
        LimitError: it has more layers, modules or values than any model.
    """
    build = partial(build_config, config)
    checkpoint = checkpoint_of(build("meta"), file, FORMAT, build)
    checkpoint.holds = "an architecture"
    checkpoint.metadata = {KEY: config}
    return checkpoint


def build_config(config: dict[str, Any], device: str) -> nn.Module:
    """Return the module of a config on a device, with the values that transformers draws.

    Its ties are those that transformers makes.

    Raises:
        UnsafeError: the architecture is code of its own.
        UsageError: transformers is not installed, or cannot build it.
        LimitError: it has more modules or parameters than any model.
    """
    with blaming_transformers("cannot build this"), _counting(), making(device):
        _check_counts(config)
        architecture = _find_architecture(config)
        module: nn.Module = architecture._from_config(  # noqa: SLF001 (what from_pretrained calls)
            architecture.config_class.from_dict(_without_unused(config))
        )
        module.tie_weights()  # type: ignore[operator]  # transformers' own method
    return module


def _find_architecture(config: Mapping[str, Any]) -> Any:
    """Return the class that a config names, else the one that has no head for its model_type."""
    transformers = load_transformers()
    model_type = config.get("model_type")
    names = config.get("architectures") or []
    if not isinstance(names, list) or not isinstance(model_type, str | None):
        raise UsageError("its architectures are no list, or its model_type is no text")
    found = _class_named(names[0]) if names else _class_of_type(model_type)
    if found is None:
        raise _unknown_architecture(config, str(names[0] if names else model_type))
    known = getattr(found.config_class, "model_type", "")
    if model_type and names and known and model_type != known:
        raise UsageError(f"{found.__name__} is of model_type '{known}', not '{model_type}'")
    if not issubclass(found, transformers.PreTrainedModel):
        raise UsageError(f"'{found.__name__}' of transformers is no model")
    return found


def _class_named(name: Any) -> Any:
    transformers = load_transformers()
    found = getattr(transformers, name, None) if isinstance(name, str) else None
    return found if isinstance(found, type) and hasattr(found, "config_class") else None


def _class_of_type(model_type: str | None) -> Any:
    transformers = load_transformers()
    if model_type not in transformers.CONFIG_MAPPING:
        return None
    found = transformers.MODEL_MAPPING.get(transformers.CONFIG_MAPPING[model_type], None)
    return found[0] if isinstance(found, tuple) else found


def _unknown_architecture(config: Mapping[str, Any], name: str) -> UsageError | UnsafeError:
    if "auto_map" in config:
        return UnsafeError(
            f"'{name}' is no architecture of transformers but code of its own, which is not run"
        )
    transformers = load_transformers()
    known = dir(transformers) if config.get("architectures") else transformers.CONFIG_MAPPING
    close = find_closest(name, (each for each in known if each[:1] == name[:1]))
    what = f"transformers {transformers.__version__} has no architecture '{name}'"
    return UsageError(what, hint=f"closest: {', '.join(close)}" if close else "")


def _without_unused(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_unused(v) for k, v in value.items() if not _UNUSED.fullmatch(k)}
    return [_without_unused(item) for item in value] if isinstance(value, list) else value


def _check_counts(value: Any, key: str = "") -> None:
    """Refuse what would be a list of millions before any module is made.

    Raises:
        LimitError: there is such a number.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            _check_counts(item, name)
    elif isinstance(value, list):
        for item in value:
            _check_counts(item, key)
    elif isinstance(value, int | float) and value > MAX_COUNT and _COUNT.search(key):
        raise LimitError(f"'{key}' of {value:,} is over the limit of {MAX_COUNT:,}")


@contextmanager
def _counting() -> Iterator[None]:
    """Stop the making of modules where there are more than any model has."""
    count = 0

    def count_part(module: nn.Module, name: str, part: Any) -> None:  # noqa: ARG001 (torch's)
        nonlocal count
        count += 1
        if count > MAX_PARTS:
            raise LimitError(f"more than {MAX_PARTS:,} modules and parameters")

    handles = [
        register_module_module_registration_hook(count_part),
        register_module_parameter_registration_hook(count_part),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
