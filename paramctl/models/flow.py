"""What goes into a model and through its layers: the shape of an input, and whether layers fit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint
from paramctl.doors import option
from paramctl.errors import LimitError, ParamctlError, UsageError
from paramctl.models import blocks
from paramctl.models.reading import carried_spec

BATCH, LENGTH, SIDE = 2, 8, 32  # of an input that is made up: rows, tokens, pixels
SMALL = 1 << 20  # values of a model that is run for its shapes on the CPU
_MISFITS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError)


class Example(NamedTuple):
    """An input of a model: its shape, and below which number its tokens are, 0 where it has none.

    It `is_certain` where no other input would do better.
    """

    shape: tuple[int, ...]
    tokens: int = 0
    is_certain: bool = True

    def empty(self, device: str) -> Tensor:
        """Return a tensor of this shape and type, not filled."""
        dtype = torch.int64 if self.tokens else torch.get_default_dtype()
        return torch.zeros(self.shape, dtype=dtype, device=device)


def example_of(module: nn.Module, shape: Sequence[int] = ()) -> Example | None:
    """Return an input for a module, of a shape where it is known; None where nobody can tell.

    The first layer that has parameters tells it.
    """
    example = next(filter(None, map(_example_of_layer, module.modules())), None)
    if shape:
        return Example(tuple(shape), example.tokens if example else 0)
    if example and any(isinstance(each, blocks.Positions) for each in module.modules()):
        return example._replace(is_certain=False)  # it may know fewer positions
    return example


def _example_of_layer(layer: nn.Module) -> Example | None:
    match layer:
        case nn.Linear():
            return Example((BATCH, layer.in_features))
        case nn.Embedding() | nn.EmbeddingBag():
            return Example((BATCH, LENGTH), layer.num_embeddings)
        case nn.RNNBase():
            return Example(_sequence(layer.input_size, batch_first=layer.batch_first))
        case nn.MultiheadAttention():
            return Example(_sequence(layer.embed_dim, batch_first=layer.batch_first))
        case nn.LayerNorm() | nn.RMSNorm():
            return Example((BATCH, *layer.normalized_shape), is_certain=False)
    return _example_of_channels(layer)


def _example_of_channels(layer: nn.Module) -> Example | None:
    """Return pictures, or what else has channels, for a layer that tells their number."""
    channels = getattr(layer, "in_channels", 0) or getattr(layer, "num_features", 0)
    rank = next((rank for rank in (1, 2, 3) if type(layer).__name__.endswith(f"{rank}d")), 0)
    if not (channels and rank):
        return None
    is_row = isinstance(layer, nn.BatchNorm1d)
    return Example((BATCH, channels, *[SIDE] * (0 if is_row else rank)), is_certain=False)


def _sequence(width: int, *, batch_first: bool) -> tuple[int, ...]:
    return (BATCH, LENGTH, width) if batch_first else (LENGTH, BATCH, width)


def check_spec(checkpoint: Checkpoint) -> None:
    """Run a spec's model for its shapes, where it is known what goes in.

    It runs on no device, in no memory; a small one on the CPU, where it does not take the second
    in which torch loads its compiler for the arithmetic of shapes.

    Raises:
        UsageError: a layer does not fit what comes into it; names the layer.
    """
    spec = carried_spec(checkpoint)
    if spec is None or checkpoint.build is None:
        return
    device = "cpu" if sum(entry.numel for entry in checkpoint.values()) <= SMALL else "meta"
    with torch.random.fork_rng(devices=()):  # a program's own numbers stay as they were
        module = checkpoint.build(device).eval()
    example = example_of(module, spec.input)
    if example and example.is_certain:
        dtype = next((each.dtype for each in module.parameters()), torch.float32)
        given = example.empty(device)
        with torch.no_grad():
            run(module, given if example.tokens else given.to(dtype))


def run(module: nn.Module, given: Tensor) -> Tensor:
    """Return what a module makes of an input; of several tensors the first.

    Raises:
        UsageError: a layer does not fit what comes into it, or fails; names the layer.
        LimitError: there is no memory for it.
    """
    entered: list[tuple[str, nn.Module, Any]] = []
    with _following(module, entered):
        try:
            output = module(given)
        except ParamctlError:
            raise
        except (Exception, SystemExit) as error:
            name, layer, values = entered[-1] if entered else ("", module, given)
            who = f"layer '{name}' ({type(layer).__name__})" if name else "the model"
            raise _misfit(who, values, error) from error
    tensor = first_tensor(output)
    if tensor is None:
        raise UsageError(f"the model gives {type(output).__name__}, no tensor")
    return tensor


def first_tensor(output: Any) -> Tensor | None:
    """Return the first tensor of what a module gives, which may be a tuple or, by name, a dict."""
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        return next(filter(lambda each: each is not None, map(first_tensor, output)), None)
    return output if isinstance(output, Tensor) else None


def blame(error: BaseException, who: str) -> ParamctlError:
    """Return the error that something of the user's has failed; one of memory is a limit."""
    message = str(error).partition("\n")[0]
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "alloc" in message:
        return LimitError(f"{who} takes more memory than there is")
    return UsageError(f"{who} raised {type(error).__name__}: {message}")


@contextmanager
def _following(module: nn.Module, entered: list[tuple[str, nn.Module, Any]]) -> Iterator[None]:
    """Keep in `entered` the layers that are at work, the innermost last."""
    names = {id(each): name for name, each in module.named_modules()}
    hooks = []
    for each in module.modules():

        def enter(layer: nn.Module, given: Any) -> None:
            entered.append((names[id(layer)], layer, given[0] if given else None))

        def leave(layer: nn.Module, given: Any, output: Any) -> None:
            del layer, given, output
            entered.pop()

        hooks += [each.register_forward_pre_hook(enter), each.register_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _misfit(who: str, given: Any, error: BaseException) -> ParamctlError:
    """Return the error that a layer does not take what comes into it, or fails otherwise."""
    blamed = blame(error, who)
    if isinstance(blamed, LimitError) or not isinstance(error, _MISFITS):
        return blamed
    what = f", {list(given.shape)}" if isinstance(given, Tensor) else ""
    why = str(error).partition("\n")[0] or type(error).__name__
    hint = ("say what goes in: ", option("input", "2x3x32x32"), ", or input: in the spec")
    return UsageError(f"{who} does not fit what comes in{what}: {why}", hint=hint)
