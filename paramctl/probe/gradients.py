"""One forward and one backward, and what they leave in layers and parameters."""

from typing import NamedTuple

from torch import Tensor, nn

from paramctl.errors import UsageError
from paramctl.models.flow import run
from paramctl.probe.losses import Loss, compute_loss
from paramctl.probe.outputs import Output, watching
from paramctl.probe.statistics import Statistics, statistics_of
from paramctl.probe.uses import Use, telling_apart


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


def probe(module: nn.Module, given: Tensor, target: Tensor | None, loss: Loss) -> Probe:
    """Run a module forward and backward.

    Raises:
        UsageError: a layer does not fit what comes in, or the output does not fit the target.
    """
    for parameter in module.parameters():
        parameter.grad = None
    with watching(module) as outputs, telling_apart(module) as uses:
        output = run(module, given)
        value = compute_loss(loss, output, target)
        if not value.requires_grad:
            raise UsageError("the output depends on no parameter, so there are no gradients")
        value.backward()  # type: ignore[no-untyped-call]
    parameters = [
        Parameter(names, tensor, tensor.grad, tuple(uses.of(tensor)))
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
