"""What goes into a probe: from files, or drawn from streams, the same everywhere."""

from math import prod, sqrt

import numpy as np
import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint
from paramctl.doors import option
from paramctl.errors import LimitError, UsageError
from paramctl.formats.npy import read_npy
from paramctl.init.distributions import Normal
from paramctl.init.streams import Stream
from paramctl.models.flow import Example, example_of, run
from paramctl.models.reading import carried_spec
from paramctl.probe.losses import Loss, choose_loss
from paramctl.probe.network import read_tensor
from paramctl.probe.training import Task

FILE_SUFFIX = ".npy"
MAX_DIGITS, MAX_VALUES = 9, 1 << 28  # of an input that is drawn: more fills the memory
ROWS = 64  # of a task that is made up
NOISE = 0.1  # of its targets, beside a teacher's outputs of about 1


def draw_input(example: Example, seed: int) -> Tensor:
    """Return numbers from N(0, 1), or tokens, all as likely as one another."""
    stream = Stream(seed, "input")
    if example.tokens:
        return _tokens(stream, example.shape, example.tokens)
    return normal(stream, example.shape)


def find_input(checkpoint: Checkpoint, module: nn.Module, text: str, seed: int) -> Tensor:
    """Return what goes into a module: a file's array, or numbers of a shape, `2x4`.

    Without a text the shape is what the spec says, or what fits the first layer.

    Raises:
        UsageError: the text is neither, or nobody can tell the shape.
    """
    if text.endswith(FILE_SUFFIX):
        example = example_of(module)
        values = read_file(text)
        if not (example and example.tokens) and not values.is_floating_point():
            values = values.to(torch.get_default_dtype())
        return to_module(values, module)
    return to_module(draw_input(_example(checkpoint, module, text), seed), module)


def read_target(path: str, module: nn.Module) -> Tensor:
    """Return the target in a file.

    Raises:
        ParamctlError: it cannot be read; the class says why.
    """
    return to_module(read_file(path), module)


def draw_target(module: nn.Module, given: Tensor, seed: int, *, classes: bool) -> Tensor:
    """Return a target that fits a module's output: numbers of its shape, or classes."""
    shape = _output_shape(module, given)
    stream = Stream(seed, "target")
    if not classes:
        return to_module(normal(stream, shape), module)
    if not shape:
        raise UsageError("one number that comes out is of no class", hint=option("loss", "sum"))
    return to_module(_tokens(stream, shape[:-1], shape[-1]), module)


def find_task(
    checkpoint: Checkpoint,
    module: nn.Module,
    texts: tuple[str, str],
    loss: Loss | None,
    seed: int,
) -> Task:
    """Return what to learn: inputs and targets from two files, or a task that is made up.

    `texts` are what `--input` and `--data` say: a shape, and two files between a comma.

    Raises:
        UsageError: they are not that, or no task fits the module.
    """
    shape, data = texts
    if data:
        given, _, target = data.partition(",")
        if not (given and target):
            raise UsageError(f"'{data}' are no two files", hint="--data x.npy,y.npy")
        rows = to_module(read_file(given), module), read_target(target, module)
    else:
        example = _example(checkpoint, module, shape)
        count = example.shape[0] if shape else ROWS
        rows = _make_task(module, example._replace(shape=(count, *example.shape[1:])), seed)
    return Task(*rows, choose_loss(loss, rows[1]))


def _example(checkpoint: Checkpoint, module: nn.Module, text: str) -> Example:
    spec = carried_spec(checkpoint)
    shape = _parse_shape(text) if text else spec.input if spec else ()
    example = example_of(module, shape)
    if example is None:
        hint = (option("input", "2x4"), ", or an .npy file")
        raise UsageError("nobody can tell what goes in", hint=hint)
    return example


def _parse_shape(text: str) -> tuple[int, ...]:
    sizes = text.split("x")
    if not all(size.isdecimal() and len(size) < MAX_DIGITS and int(size) for size in sizes):
        hint = "a shape is 2x3x32x32, a file ends in .npy"
        raise UsageError(f"the input '{text}' is neither a shape nor a file", hint=hint)
    shape = tuple(map(int, sizes))
    if prod(shape) > MAX_VALUES:
        raise LimitError(f"the input {text} is of more than {MAX_VALUES:,} values")
    return shape


def _make_task(module: nn.Module, example: Example, seed: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets that a module can learn: a linear teacher's outputs and noise.

    Of tokens, the targets are the tokens that follow, the first one behind the last.

    Raises:
        UsageError: the module does not give a row for a row, or for a token.
    """
    given, count = draw_input(example, seed), example.shape[0]
    shape = _output_shape(module, to_module(given, module))
    if example.tokens and shape[:-1] == given.shape and shape[-1] >= example.tokens:
        return to_module(given, module), to_module(given.roll(-1, dims=1), module)
    if example.tokens or len(shape) < 2 or shape[0] != count:
        raise UsageError("no task that is made up fits this model", hint="--data x.npy,y.npy")
    flat, width = given.reshape(count, -1), prod(shape[1:])
    teacher = normal(Stream(seed, "teacher"), (flat.shape[1], width)) / sqrt(flat.shape[1])
    noise = normal(Stream(seed, "noise"), (count, width))
    target = (flat @ teacher + NOISE * noise).reshape(shape)
    return to_module(given, module), to_module(target, module)


def _output_shape(module: nn.Module, given: Tensor) -> tuple[int, ...]:
    """Return the shape of what comes out; norms keep their statistics."""
    modes = {each: each.training for each in module.modules()}
    module.eval()
    with torch.no_grad():
        shape = tuple(run(module, given).shape)
    for each, is_training in modes.items():
        each.training = is_training
    return shape


def to_module(values: Tensor, module: nn.Module) -> Tensor:
    """Move values to where a module is; real numbers become the type of its parameters."""
    parameter = next(module.parameters(), values)
    dtype = parameter.dtype if values.is_floating_point() else values.dtype
    return values.to(parameter.device, dtype)


def read_file(path: str) -> Tensor:
    """Return the array in a `.npy` file: real numbers as they are, whole ones in int64.

    Raises:
        ParamctlError: it cannot be read; the class says why.
        UsageError: it holds neither.
    """
    entry = read_npy(path)
    values = read_tensor(entry)
    if values.is_complex():
        raise UsageError(f"no real numbers but {entry.dtype.name}", file=path)
    return values if values.is_floating_point() else values.to(torch.int64)


def normal(stream: Stream, shape: tuple[int, ...]) -> Tensor:
    """Return values of N(0, 1)."""
    values = Normal(0.0, 1.0).sample(stream, 0, int(np.prod(shape)))
    return torch.from_numpy(np.asarray(values)).reshape(shape)


def _tokens(stream: Stream, shape: tuple[int, ...], below: int) -> Tensor:
    words = np.asarray(stream.words(0, int(np.prod(shape))), np.uint64)
    return torch.from_numpy(((words * below) >> 32).astype(np.int64)).reshape(shape)
