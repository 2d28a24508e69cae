"""Modules of torch as they print themselves."""

from collections.abc import Callable

from torch import nn

from paramctl.errors import LimitError
from paramctl.outline import Outline
from paramctl.user_code import blaming_user

MAX_DEPTH = 256  # of modules in modules: Python's own print ends not far behind
ON_META, ON_CPU = "containing: [torch.meta.", "containing: [torch."  # so a ParameterDict prints


def outline_built(build: Callable[[str], nn.Module], file: str) -> Outline:
    """Return the outline of the module that a checkpoint builds.

    Raises:
        UsageError: it cannot be built, or code of the user's in it fails.
        LimitError: modules are nested too deep.
    """
    module = build("meta")
    with blaming_user(file):  # the class of a factory's module may be the user's
        return outline_module(module)


def outline_module(module: nn.Module, depth: int = 0) -> Outline:
    """Return what `repr` makes its text of.

    Raises:
        LimitError: modules are nested too deep.
    """
    if depth > MAX_DEPTH:
        raise LimitError(f"modules are nested more than {MAX_DEPTH} deep")
    name = type(module).__name__
    if not prints_as_torch(type(module)):
        sizes = {
            name: parameter.numel()
            for name, parameter in module.named_parameters(remove_duplicate=False)
        }
        return Outline(name, parameters=sizes, text=repr(module))
    children = [
        (key, child if child is None else outline_module(child, depth + 1))
        for key, child in module._modules.items()  # noqa: SLF001 (with those that are None)
    ]
    own = module.named_parameters(recurse=False, remove_duplicate=False)
    return Outline(
        module._get_name(),  # type: ignore[no-untyped-call]  # noqa: SLF001 (what repr calls)
        str(module.extra_repr() or "").replace(ON_META, ON_CPU),
        children,
        {name: parameter.numel() for name, parameter in own},
        folds=folds(type(module)),
    )


def prints_as_torch(cls: type[nn.Module]) -> bool:
    """Whether a class has no `__repr__` of its own."""
    return cls.__repr__ is nn.Module.__repr__ or folds(cls)


def folds(cls: type[nn.Module]) -> bool:
    """Whether a class is printed as a ModuleList is."""
    return cls.__repr__ is nn.ModuleList.__repr__
