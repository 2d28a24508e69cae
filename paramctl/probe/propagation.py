"""How signals propagate: whether outputs keep their size on the way forward, gradients backward.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
networks", AISTATS 2010; He et al., "Delving deep into rectifiers", ICCV 2015. The factor per layer
is by the incomplete method of Theil, "A rank-invariant method of linear and polynomial regression
analysis", 1950: one layer that is of another kind, the last one often, does not make a trend.
"""

import math
from collections.abc import Sequence
from itertools import takewhile
from operator import itemgetter
from statistics import median
from typing import NamedTuple

from torch import nn

from paramctl.probe.outputs import Output

TOLERATED = 10.0  # from the first layer to the last: less is chance, or a layer of another kind
MILD = 1.1  # a factor per layer that no scheme was chosen for
STEEP = 2.0  # a factor per layer beyond which no training brings a deep model back
MIN_LAYERS = 6  # with weights: of fewer nobody can tell a trend from chance

STEADY = "steady"
_WORDS = {(False, True): "vanishing", (False, False): "shrinking"}
_WORDS |= {(True, True): "exploding", (True, False): "growing"}
_SCHEMES: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], str], ...] = (
    (nn.SELU, "lecun_normal"),
    (nn.LeakyReLU, 'kaiming_normal(nonlinearity="leaky_relu", a={slope:g})'),
    ((nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.PReLU), "kaiming_normal"),
    ((nn.Tanh, nn.Softsign, nn.Hardtanh), "xavier_normal"),
)
"""Activations -> the scheme that keeps signals steady through them; through a sigmoid none does."""


class Signal(NamedTuple):
    """What becomes of a signal: its factor per layer, and where it has left the range it began in.

    `verdict` is steady, shrinking, vanishing, growing or exploding.
    """

    what: str
    verdict: str
    factor: float
    layers: int
    place: str


class Propagation(NamedTuple):
    """What becomes of outputs and gradients, and the scheme that fits, "" where none is known."""

    signals: tuple[Signal, ...]
    scheme: str

    @property
    def is_steady(self) -> bool:
        """Whether none is off."""
        return all(signal.verdict == STEADY for signal in self.signals)


def judge(outputs: Sequence[Output]) -> Propagation | None:
    """Return how signals propagate through the layers with weights; None of too few of them.

    Gradients are followed as far back as they go: layers that are frozen get none.
    """
    layers = [output for output in outputs if _has_weight(output.layer)]
    sizes = [(layer.name, layer.values.rms) for layer in layers]
    inner = layers[-2::-1]  # what comes to the last one is of the loss, not of the layers
    gradients = [(layer.name, layer.gradient) for layer in inner if layer.gradient is not None]
    signals = tuple(
        _follow(what, found)
        for what, found, least in (
            ("outputs", sizes, MIN_LAYERS),
            ("gradients", gradients, MIN_LAYERS - 1),
        )
        if len(found) >= least
    )
    return Propagation(signals, _fitting(outputs)) if signals else None


def _has_weight(layer: nn.Module) -> bool:
    """Whether a layer mixes its inputs; an embedding has none."""
    weight = getattr(layer, "weight", None)
    is_matrix = weight is not None and weight.dim() > 1
    return is_matrix and not isinstance(layer, nn.Embedding | nn.EmbeddingBag)


def _follow(what: str, sizes: Sequence[tuple[str, float]]) -> Signal:
    """Compare the sizes of a signal, in the order in which it passes the layers."""
    if not all(math.isfinite(size) for _, size in sizes):
        place = next(name for name, size in sizes if not math.isfinite(size))
        return Signal(what, "exploding", math.inf, len(sizes), place)
    place = next((name for name, size in sizes if not _within(TOLERATED, size, sizes[0][1])), "")
    alive = [size for _, size in takewhile(itemgetter(1), sizes)]
    factor = _factor(alive)
    if len(alive) < len(sizes):
        return Signal(what, "vanishing", factor, len(sizes), place)
    tolerated = math.pow(TOLERATED, 1 / (len(sizes) - 1))
    if not place or _within(max(MILD, tolerated), factor):
        return Signal(what, STEADY, factor, len(sizes), "")
    verdict = _WORDS[factor > 1, not _within(STEEP, factor)]
    return Signal(what, verdict, factor, len(sizes), place)


def _factor(sizes: Sequence[float]) -> float:
    """Return by how much a size changes from one layer to the next, in the median."""
    half = len(sizes) // 2
    if not half:
        return 0.0
    logs = list(map(math.log, sizes))
    pairs = zip(logs, logs[half:], strict=False)
    return math.exp(median((last - first) / half for first, last in pairs))


def _within(bound: float, size: float, of: float = 1.0) -> bool:
    """Whether a size is, but for a bound, another."""
    return of / bound <= size <= of * bound and size > 0


def _fitting(outputs: Sequence[Output]) -> str:
    """Return the scheme that keeps signals steady through the activations that there are most.

    Those that are no modules, functions that a forward calls, nobody sees.
    """
    counts = [
        (sum(isinstance(output.layer, classes) for output in outputs), scheme)
        for classes, scheme in _SCHEMES
    ]
    count, scheme = max(counts, key=lambda each: each[0])
    slopes = [each.layer.negative_slope for each in outputs if isinstance(each.layer, nn.LeakyReLU)]
    return scheme.format(slope=slopes[0] if slopes else 0) if count else ""
