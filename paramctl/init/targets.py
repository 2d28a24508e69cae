"""The parameter that a scheme fills: its shape, its fans, what stands beside it."""

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Literal, NamedTuple

from paramctl.doors import Words
from paramctl.errors import TargetError

Shape = tuple[int, ...]
Layout = Literal["", "out_in", "in_out"]
_NONE: Mapping[str, Shape] = MappingProxyType({})


class Target(NamedTuple):
    """A parameter to fill.

    `layer` is the class of its layer, "" where nobody knows. `layout` says whether the weight's
    outputs or inputs come first, "" is what is usual for the layer. `siblings` are the shapes of
    the layer's own parameters, by the last part of their names. `fans` are fan_in and fan_out
    where somebody knows them better than the shape tells. `variable` is what Keras calls it, where
    its name tells a number alone: `layers.dense.vars.0` is a `kernel`; "?" where its class has it,
    and nobody knows as what.
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    layer: str = ""
    layout: Layout = ""
    siblings: Mapping[str, Shape] = _NONE
    fans: tuple[int, int] | None = None
    variable: str = ""

    @property
    def leaf(self) -> str:
        """The last part of the name, or what stands for it; Keras 2 numbers it: `kernel:0`."""
        return self.variable or self.name.rpartition(".")[2].removesuffix(":0")

    @property
    def parent(self) -> str:
        """The part of the name before the last, which names the layer."""
        layer = self.name.rpartition(".")[0]
        return (layer.rpartition(".")[0] if self.variable else layer).rpartition(".")[2]

    @property
    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def fan_in(self) -> int:
        """The inputs that an output of the layer is a sum of.

        A weight is `[fan_out, fan_in, *receptive]`, as PyTorch has it, and every size of the
        receptive field counts: `Conv2d(3, 8, 5).weight` is `[8, 3, 5, 5]`, its fans are 75 in, 200
        out. In a grouped convolution the second size is that of a group, so fan_in is right and
        fan_out takes the groups for one. Transposed convolutions and GPT-2's `Conv1D` store
        `[fan_in, fan_out, *receptive]`, kernels of Keras and Flax `[*receptive, fan_in, fan_out]`.

        Raises:
            TargetError: it has less than two dimensions.
        """
        return self._fans[0]

    @property
    def fan_out(self) -> int:
        """The outputs of the layer that an input goes into; see `fan_in`.

        Raises:
            TargetError: it has less than two dimensions.
        """
        return self._fans[1]

    @property
    def is_transposed(self) -> bool:
        """Whether the inputs come first."""
        usual = self.layer.startswith("ConvTranspose") or self.layer == "Conv1D" or self.is_kernel
        return self.layout == "in_out" if self.layout else usual

    @property
    def is_kernel(self) -> bool:
        """Whether it is a weight as Keras and Flax name and store it; nothing else is named so."""
        return self.leaf.endswith("kernel")

    def require(self, *ranks: int) -> None:
        """Refuse a number of dimensions that is none of `ranks`.

        Raises:
            TargetError: names the parameter and its shape.
        """
        if len(self.shape) not in ranks:
            wanted = " or ".join(map(str, ranks))
            raise self.error(f"does not fit: the scheme needs {wanted} dimensions")
        self.require_rows()

    def require_rows(self) -> None:
        """Refuse a weight whose first dimension is not that of its outputs, or inputs.

        Raises:
            TargetError: it is a convolution's kernel of Keras or Flax.
        """
        if self.is_kernel and len(self.shape) > 2:
            raise self.error(
                "is a kernel of Keras or Flax, receptive field first: the scheme needs rows",
                hint="those that only count fit, such as xavier",
            )

    def error(self, what: str, *, hint: Words = "") -> TargetError:
        """Return an error that names the parameter and its shape."""
        return TargetError(f"'{self.name}' of shape {list(self.shape)}", what, hint=hint)

    @property
    def _fans(self) -> tuple[int, int]:
        if self.fans is not None:
            return self.fans
        if len(self.shape) < 2:
            raise self.error("has no fans: they need two or more dimensions")
        first, second, *receptive = self.shape
        if self.is_kernel and not self.layout:
            *receptive, first, second = self.shape
        fan_out, fan_in = (second, first) if self.is_transposed else (first, second)
        return fan_in * prod(receptive), fan_out * prod(receptive)
