"""Under which names transformers loads what a model's files hold.

Source: transformers/core_model_loading.py, `convert_and_load_state_dict_in_model`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from paramctl.models.transformers import blaming_transformers


class Loaded(NamedTuple):
    """What a tensor of a file is loaded as: the names, and whether it is changed on the way.

    Without names it is not loaded.
    """

    names: tuple[str, ...]
    is_converted: bool = False


def loaded_names(module: Any, names: Iterable[str]) -> dict[str, Loaded]:
    """Return what the tensors of these names are loaded as into a model of transformers.

    It puts a base model's prefix before a name or takes it away, renames what older versions
    called otherwise, and stacks or splits the weights of some layers.

    Raises:
        UsageError: this version of transformers does it in another way.
    """
    with blaming_transformers("cannot say what it would load"):
        names_of = _Names(module)
        return {name: names_of(name) for name in names}


def may_lack(module: Any, name: str) -> bool:
    """Whether transformers loads a model without a word though this parameter is in no file."""
    patterns: Iterable[str] = module._keys_to_ignore_on_load_missing or ()  # noqa: SLF001
    return any(re.search(pattern, name) for pattern in patterns)


class _Names:
    """The rules by which one model's tensors are renamed."""

    def __init__(self, module: Any) -> None:
        from transformers import core_model_loading as loading  # noqa: PLC0415 (slow)
        from transformers.conversion_mapping import (  # noqa: PLC0415 (slow)
            get_model_conversion_mapping,
        )

        rules = get_model_conversion_mapping(module)
        self.rename = loading.rename_source_key
        self.renamings = [each for each in rules if isinstance(each, loading.WeightRenaming)]
        self.converters = [each for each in rules if isinstance(each, loading.WeightConverter)]
        self.prefix: str = module.base_model_prefix
        self.declared: Mapping[str, Any] = module.state_dict()

    def __call__(self, name: str) -> Loaded:
        """Return what one tensor is loaded as."""
        renamed, pattern = self._rename(name, self.renamings, self.converters)
        if renamed not in self.declared and name in self.declared:
            renamed, pattern = self._rename(name, [], [])
        if renamed not in self.declared:
            return Loaded(())
        if pattern is None:
            return Loaded((renamed,))
        targets = self._targets(pattern)
        made = (renamed.replace(targets[0], target) for target in targets)
        return Loaded(tuple(each for each in made if each in self.declared), is_converted=True)

    def _rename(
        self, name: str, renamings: list[Any], converters: list[Any]
    ) -> tuple[str, str | None]:
        renamed: tuple[str, str | None] = self.rename(
            name, renamings, converters, self.prefix, self.declared
        )
        return renamed

    def _targets(self, pattern: str) -> list[str]:
        found: list[str] = next(
            each.target_patterns for each in self.converters if pattern in each.source_patterns
        )
        return found
