"""Schemes that need the whole tensor: its elements hang together."""

from paramctl.errors import ArgumentError
from paramctl.init.checks import at_least
from paramctl.init.delta_orthogonal import DeltaOrthogonal
from paramctl.init.dirac import Dirac
from paramctl.init.distributions import Distribution
from paramctl.init.eye import Eye
from paramctl.init.orthogonal import Orthogonal
from paramctl.init.scheme import scheme
from paramctl.init.schemes.scaled import gain_of
from paramctl.init.sparse import Sparse
from paramctl.init.targets import Target

KERNELS = (3, 4, 5)  # dimensions of the weights of convolutions


@scheme(
    formula="1 where row and column are the same, else 0",
    source="torch.nn.init.eye_",
    mean="min(rows, columns) / (rows * columns)",
    std="sqrt(mean - mean ** 2)",
)
def eye(target: Target) -> Distribution:
    """The identity matrix: a linear layer passes on as many inputs as it can."""
    target.require(2)
    return Eye(target.shape)


@scheme(
    formula="1 in the middle of the kernel from input i to output i of each group, else 0",
    source="torch.nn.init.dirac_",
    mean="groups * min(rows / groups, columns) / (rows * columns * receptive)",
    std="sqrt(mean - mean ** 2)",
)
def dirac(target: Target, *, groups: int = 1) -> Distribution:
    """A convolution that passes on as many inputs as it can."""
    at_least("groups", groups, 1)
    target.require(*KERNELS)
    if target.shape[0] % groups:
        raise target.error(f"cannot be cut into {groups} groups")
    return Dirac(target.shape, groups)


@scheme(
    formula="Q of a normal matrix's QR factors, times gain",
    source="Saxe et al. 2013, Exact solutions to the nonlinear dynamics, arXiv:1312.6120",
    std="gain / sqrt(max(rows, columns * receptive))",
)
def orthogonal(target: Target, *, gain: float | str = 1.0) -> Distribution:
    """Orthonormal rows, or columns where there are fewer of them; all norms are kept.

    Uniform among such matrices. The dimensions from the second on are taken for one. The gain is
    a number or a nonlinearity: "tanh", "relu", "selu", ...
    """
    factor = gain_of(gain)
    if len(target.shape) < 2:
        raise target.error("is no matrix: it has less than two dimensions")
    target.require_rows()
    return Orthogonal(target.shape, factor)


@scheme(
    formula="an orthogonal matrix in the middle of the kernel, else 0",
    source="Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs, arXiv:1806.05393",
    std="gain / sqrt(max(rows, columns) * receptive)",
)
def delta_orthogonal(target: Target, *, gain: float | str = 1.0) -> Distribution:
    """A convolution that keeps the norm of its input; it needs as many outputs as inputs."""
    factor = gain_of(gain)
    target.require(*KERNELS)
    inputs, outputs = target.shape[1::-1] if not target.is_transposed else target.shape[:2]
    if inputs > outputs:
        raise target.error(f"has fewer outputs, {outputs}, than inputs, {inputs}")
    return DeltaOrthogonal(target.shape, factor)


@scheme(
    formula="sparsity of each column 0, the rest N(0, std^2)",
    source="Martens 2010, Deep learning via Hessian-free optimization, ICML",
    std="std * sqrt(1 - zeros / rows)",
)
def sparse(target: Target, *, sparsity: float, std: float = 0.01) -> Distribution:
    """In each column a fixed number of rows is 0: sparsity times the rows, rounded up."""
    at_least("sparsity", sparsity, 0)
    if sparsity > 1:
        raise ArgumentError(f"sparsity is {sparsity:g}, the most is 1", "sparsity")
    at_least("std", std, 0)
    target.require(2)
    return Sparse(target.shape, sparsity, std)
