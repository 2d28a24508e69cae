"""One forward and one backward, and what they leave in layers and parameters."""

from typing import NamedTuple

from torch import Tensor, nn

from paramctl.errors import UsageError
from paramctl.models.flow import run
from paramctl.probe.losses import Loss, compute_loss, go_backward
from paramctl.probe.outputs import Output, watching
from paramctl.probe.statistics import Statistics, statistics_of
from paramctl.probe.uses import Use, Uses, dense, telling_apart


class Parameter(NamedTuple):
    """A parameter, its gradient, None where none came, and its places of use if there are several.

    `names` are those that it is tied under, its own first.
    """

    names: tuple[str, ...]
    tensor: Tensor
    gradient: Tensor | None
    uses: tuple[Use, ...]

    @property
    def values(self) -> Statistics:
        """What its values come to."""
        return statistics_of(self.tensor)


class Probe(NamedTuple):
    """What a forward and a backward left."""

    loss: float
    output: Tensor
    outputs: list[Output]
    parameters: list[Parameter]

    def __repr__(self) -> str:
        counts = f"{len(self.outputs):,} outputs, {len(self.parameters):,} parameters"
        return f"<Probe: loss {self.loss:.4g}, {counts}>"


def probe(module: nn.Module, given: Tensor, target: Tensor | None, loss: Loss) -> Probe:
    """Run a module forward and backward.

    Its parameters are views of themselves meanwhile, so that their uses can be told apart. A module
    that minds is run again as it is, and nothing said of uses.

    Raises:
        UsageError: a layer does not fit what comes in, or the output does not fit the target.
        LimitError: there is no memory for it.
    """
    try:
        with telling_apart(module) as uses:
            return _run(module, given, target, loss, uses)
    except UsageError:
        return _run(module, given, target, loss, Uses())


def _run(module: nn.Module, given: Tensor, target: Tensor | None, loss: Loss, uses: Uses) -> Probe:
    for parameter in module.parameters():
        parameter.grad = None
    with watching(module) as outputs:
        output = run(module, given)
        value = compute_loss(loss, output, target)
        go_backward(value)
    parameters = [
        Parameter(
            names,
            tensor,
            None if tensor.grad is None else dense(tensor.grad),
            tuple(uses.of(tensor)),
        )
        for names, tensor in named_parameters(module)
    ]
    return Probe(float(value.detach()), output.detach(), outputs, parameters)


def named_parameters(module: nn.Module) -> list[tuple[tuple[str, ...], Tensor]]:
    """Return a module's parameters, each with all names that it is tied under."""
    names: dict[int, list[str]] = {}
    tensors = {}
    for name, tensor in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(tensor), []).append(name)
        tensors[id(tensor)] = tensor
    return [(tuple(names[key]), tensor) for key, tensor in tensors.items()]
