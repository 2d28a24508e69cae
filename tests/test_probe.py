"""Forward and backward of a probe, held against PyTorch's own on the same module and input."""

from functools import partial

import pytest
import torch
from specs import tied
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (as everybody calls it)

from paramctl.errors import UsageError
from paramctl.probe.gradients import Parameter, Probe, probe
from paramctl.probe.losses import Loss
from paramctl.probe.outputs import Output
from paramctl.probe.statistics import statistics_of

MLP = "layers:\n  - Linear: [4, 8]\n  - ReLU\n  - Linear: [8, 1]"
SHARED = """
define: {hidden: {Linear: [8, 8]}}
layers: [{Linear: [4, 8]}, ReLU, hidden, ReLU, hidden, ReLU, {Linear: [8, 1]}]
"""
CNN = """
layers:
  - Conv2d: [3, 4, 3]
  - BatchNorm2d: 4
  - residual: [{Conv2d: {in_channels: 4, out_channels: 4, kernel_size: 3, padding: 1}}, ReLU]
  - AdaptiveAvgPool2d: 1
  - Flatten
  - Linear: [4, 5]
"""
GPT = """
layers:
  - Embedding: [11, 8]
  - residual:
      - LayerNorm: 8
      - MultiheadAttention: {embed_dim: 8, num_heads: 2, batch_first: true}
  - LayerNorm: 8
  - Linear: [8, 11]
"""
LSTM = "layers:\n  - LSTM: {input_size: 4, hidden_size: 3, batch_first: true}\n  - Linear: [3, 2]"
torch.manual_seed(0)
NETS: dict[str, tuple[str, Tensor, Tensor, Loss]] = {
    "mlp": (MLP, torch.randn(5, 4), torch.randn(5, 1), "mse"),
    "mlp, sum": (MLP, torch.randn(2, 4), torch.zeros(()), "sum"),
    "shared": (SHARED, torch.randn(5, 4), torch.randn(5, 1), "mse"),
    "cnn": (CNN, torch.randn(3, 3, 8, 8), torch.randint(5, (3,)), "cross_entropy"),
    "gpt": (GPT, torch.randint(11, (2, 6)), torch.randint(11, (2, 6)), "cross_entropy"),
    "lstm": (LSTM, torch.randn(2, 6, 4), torch.randn(2, 6, 2), "mse"),
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def plain_loss(output: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """Return what a script of the user's would write."""
    if loss == "sum":
        return output.sum()
    if loss == "mse":
        return F.mse_loss(output, target)
    return F.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1))


def gradients(module: nn.Module) -> dict[str, Tensor | None]:
    return {name: each.grad for name, each in module.named_parameters(remove_duplicate=False)}


def note(called: list[tuple[str, Tensor]], name: str, *call: object) -> None:
    output = call[-1]
    first = output[0] if isinstance(output, tuple) else output
    assert isinstance(first, Tensor)
    called.append((name, first.detach()))


def of(found: Probe, name: str) -> Parameter:
    return next(each for each in found.parameters if name in each.names)


@pytest.mark.parametrize("net", NETS)
def test_output_loss_and_every_gradient_are_those_of_a_plain_script(net: str) -> None:
    text, given, target, loss = NETS[net]
    plain, probed = tied(text), tied(text)
    output = plain(given)
    value = plain_loss(output, target, loss)
    value.backward()  # type: ignore[no-untyped-call]
    found = probe(probed, given, None if loss == "sum" else target, loss)
    assert torch.equal(found.output, output.detach())
    torch.testing.assert_close(torch.tensor(found.loss), value.detach())
    for name, gradient in gradients(plain).items():
        got = of(found, name).gradient
        assert got is not None
        assert gradient is not None
        torch.testing.assert_close(got, gradient)


@pytest.mark.parametrize("net", NETS)
def test_outputs_are_those_of_the_layers_in_the_order_of_their_calls(net: str) -> None:
    text, given, target, loss = NETS[net]
    called: list[tuple[str, Tensor]] = []
    plain = tied(text)
    for name, layer in plain.named_modules():
        if not list(layer.children()) or list(layer.parameters(recurse=False)):
            layer.register_forward_hook(partial(note, called, name))
    plain(given)
    outputs = probe(tied(text), given, None if loss == "sum" else target, loss).outputs
    assert [each.name for each in outputs] == [name for name, _ in called]
    for each, (_, values) in zip(outputs, called, strict=True):
        assert each.shape == tuple(values.shape)
        assert each.values == statistics_of(values)
        assert each.zeros == (values == 0).double().mean()


def test_the_gradient_of_an_output_is_that_of_autograd() -> None:
    given = torch.randn(5, 4)
    net = tied(MLP)
    assert isinstance(net, nn.Sequential)
    hidden = net[0](given)
    hidden.retain_grad()
    net[2](net[1](hidden)).sum().backward()
    outputs = probe(tied(MLP), given, None, "sum").outputs
    assert outputs[0].gradient == pytest.approx(float(hidden.grad.square().mean().sqrt()))
    assert outputs[2].gradient == 1


def test_statistics_are_those_of_the_population_in_float64() -> None:
    values = torch.tensor([1.0, 2.0, 4.0, 1e4])
    wide = values.double()
    found = statistics_of(values)
    assert found.mean == pytest.approx(float(wide.mean()), rel=1e-15)
    assert found.std == pytest.approx(float(wide.var(correction=0).sqrt()), rel=1e-15)
    assert found.norm == pytest.approx(float(wide.square().sum().sqrt()), rel=1e-15)
    assert found.rms == pytest.approx(found.norm / 2)
    assert statistics_of(torch.zeros(0)) == (0, 0, 0, 0)


def test_tied_layers_have_a_gradient_for_each_place_as_if_they_were_apart() -> None:
    given = torch.randn(5, 4)
    apart = nn.Sequential(
        *(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU()),
        *(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)),
    )
    apart.load_state_dict(tied(SHARED).state_dict())
    apart(given).sum().backward()
    found = probe(tied(SHARED), given, None, "sum")
    for leaf in ("weight", "bias"):
        parameter = of(found, f"2.{leaf}")
        assert parameter.names == (f"2.{leaf}", f"4.{leaf}")
        assert [use.place for use in parameter.uses] == [f"2.{leaf}", f"4.{leaf}"]
        for use in parameter.uses:
            expected = gradients(apart)[use.place]
            torch.testing.assert_close(use.gradient, expected)
        total = torch.stack([use.gradient for use in parameter.uses]).sum(0)
        torch.testing.assert_close(parameter.gradient, total, rtol=1e-6, atol=1e-7)


class Twice(nn.Module):
    """A layer that is called twice, and a weight that is used outside its layer too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 3)
        self.embedding = nn.Embedding(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits."""
        hidden = self.linear(self.linear(self.embedding(tokens)))
        return F.linear(hidden, self.embedding.weight)


def test_two_calls_of_one_layer_and_what_is_used_elsewhere_are_told_apart() -> None:
    tokens, net = torch.randint(5, (2, 4)), Twice()
    copies = [each.detach().clone().requires_grad_() for each in [net.linear.weight] * 2]
    looked_up, multiplied = (net.embedding.weight.detach().clone() for _ in range(2))
    looked_up.requires_grad_()
    multiplied.requires_grad_()
    hidden = F.embedding(tokens, looked_up)
    for copy in copies:
        hidden = F.linear(hidden, copy, net.linear.bias)
    F.linear(hidden, multiplied).sum().backward()  # type: ignore[no-untyped-call]
    found = probe(Twice(), tokens, None, "sum")
    calls = of(found, "linear.weight").uses
    assert [use.place for use in calls] == ["linear.weight, call 1", "linear.weight, call 2"]
    for use, copy in zip(calls, copies, strict=True):
        torch.testing.assert_close(use.gradient, copy.grad)
    uses = of(found, "embedding.weight").uses
    assert [use.place for use in uses] == ["embedding.weight", "elsewhere"]
    torch.testing.assert_close(uses[0].gradient, looked_up.grad)
    torch.testing.assert_close(uses[1].gradient, multiplied.grad)


def test_what_is_used_once_has_no_uses_to_tell_apart() -> None:
    assert all(
        not each.uses for each in probe(tied(MLP), torch.randn(2, 4), None, "sum").parameters
    )


class Idle(nn.Module):
    """A net with a parameter that it does not use, and one that does not matter."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)
        self.futile = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return numbers."""
        output: Tensor = self.used(x) + 0 * self.futile
        return output


def test_no_gradient_is_none_and_a_gradient_of_zero_is_zero() -> None:
    net = Idle()
    found = probe(net, torch.ones(1, 2), None, "sum")
    assert of(found, "unused.weight").gradient is None
    futile = of(found, "futile").gradient
    assert futile is not None
    assert futile.tolist() == [0, 0]
    again = probe(net, torch.ones(1, 2), None, "sum")
    for before, after in zip(found.parameters, again.parameters, strict=True):
        assert before.gradient is after.gradient or torch.equal(
            *(each.gradient for each in (before, after) if each.gradient is not None)
        )


def test_a_probe_leaves_the_module_as_it_was() -> None:
    net = tied(SHARED)
    before = {name: (id(each), each.clone()) for name, each in net.named_parameters()}
    probe(net, torch.randn(2, 4), None, "sum")
    for name, each in net.named_parameters():
        assert isinstance(each, nn.Parameter)
        assert id(each) == before[name][0]
        assert torch.equal(each, before[name][1])
    with pytest.raises(UsageError):
        probe(net, torch.randn(2, 5), None, "sum")
    assert {name: id(each) for name, each in net.named_parameters()} == {
        name: identity for name, (identity, _) in before.items()
    }
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in net.modules())


ACTIVATIONS = [nn.Sigmoid(), nn.Tanh(), nn.Softsign(), nn.Hardsigmoid(), nn.ReLU6(), nn.Hardtanh()]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda each: type(each).__name__)
def test_saturated_is_where_the_slope_is_nearly_flat(activation: nn.Module) -> None:
    given = torch.linspace(-9, 9, 1801, dtype=torch.float64, requires_grad=True)
    activation(given).sum().backward()
    assert given.grad is not None
    flat = given.grad < 0.05 * given.grad.max()
    if isinstance(activation, nn.ReLU6):
        flat &= given > 0  # zeros are counted on their own
    net = nn.Sequential(nn.Identity(), activation)
    output = outputs_of(net, given.detach().requires_grad_())[1]
    assert output.saturated == pytest.approx(float(flat.double().mean()), abs=2e-3)
    assert outputs_of(net, given)[0].saturated is None


def outputs_of(net: nn.Module, given: Tensor) -> list[Output]:
    return probe(net, given, None, "sum").outputs


def test_what_depends_on_no_parameter_has_no_gradients() -> None:
    with pytest.raises(UsageError, match="depends on no parameter"):
        probe(nn.ReLU(), torch.ones(2), None, "sum")


class Named(nn.Module):
    """A net whose output has names, as those of transformers have."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the logits, and more."""
        return {"logits": self.linear(x), "hidden": x}


def test_of_several_tensors_the_first_is_the_output() -> None:
    net = Named()
    found = probe(net, torch.ones(1, 2), None, "sum")
    assert torch.equal(found.output, net.linear(torch.ones(1, 2)))
