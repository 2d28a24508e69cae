"""Factories: a user's own Python functions that make a module, named on the command line."""

import ast
import random
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError, blaming
from paramctl.expressions.quoting import closest
from paramctl.models.modules import checkpoint_of, making
from paramctl.user_code import blaming_user, load_function

SEED = 0  # of torch's, numpy's and Python's generators while a factory draws constants of its own


class Factory(NamedTuple):
    """A function of the user's, and what to call it with."""

    text: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


def open_factory(text: str) -> Checkpoint:
    """Return the parameters of what a factory makes, without values, on no device.

    `text` is `file.py:name` or `package.module:name`, and maybe arguments: `(width=64)`.

    Raises:
        UsageError: there is no such code, or it fails, or it makes no module.
    """
    with blaming(text):
        factory = _find(text)
        build = partial(build_module, factory)
        return checkpoint_of(build("meta"), text, "factory", build)


def build_module(factory: Factory, device: str) -> nn.Module:
    """Return the module that a factory makes on a device; what it draws is the same each time.

    Raises:
        UsageError: it fails, or it makes no module.
    """
    _seed()
    with making(device), blaming_user(factory.text):
        module = factory.function(*factory.arguments, **factory.keywords)
    if not isinstance(module, nn.Module):
        raise UsageError(f"{factory.text} made {type(module).__name__}, no torch.nn.Module")
    return module


def _seed() -> None:
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 (it is the users' code that may draw from it)
    torch.manual_seed(SEED)


def _find(text: str) -> Factory:
    call, bracket, _ = text.partition("(")
    place, _, name = call.rpartition(":")
    arguments, keywords = _read_arguments(text, len(call)) if bracket else ((), {})
    function = load_function(place, name) if place.endswith(".py") else _import(place, name)
    if not callable(function):
        raise UsageError(f"'{name}' is no function")
    return Factory(text, function, arguments, keywords)


def _import(module: str, name: str) -> Any:
    """Import a user's module, from where Python finds its own or from the current folder.

    Raises:
        UsageError: there is none, its code fails, or it has nothing of this name.
    """
    import sys  # noqa: PLC0415 (only here)

    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        with blaming_user(module):
            found = import_module(module)
    except UsageError as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise UsageError(f"no module '{module}'", hint="or name a file: my.py:build") from error
        raise
    if not hasattr(found, name):
        raise UsageError(f"'{module}' has no '{name}'", hint=closest(name, dir(found)))
    return getattr(found, name)


def _read_arguments(text: str, begin: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Read `(1, width=64)`: literals of Python, nothing that is called.

    Raises:
        UsageError: it is anything else.
    """
    try:
        return _evaluate(ast.parse(f"f{text[begin:]}", mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        hint = "arguments are literals: (width=64, bias=False)"
        raise UsageError(f"'{text[begin:]}' are no arguments", hint=hint) from error


def _evaluate(call: ast.expr) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call.

    Raises:
        ValueError: it is no call, or not of literals.
    """
    match call:
        case ast.Call(func=ast.Name(), args=args, keywords=keywords):
            named = {str(each.arg): ast.literal_eval(each.value) for each in keywords if each.arg}
            if len(named) == len(keywords):
                return tuple(map(ast.literal_eval, args)), named
    raise ValueError("no call of literals")
