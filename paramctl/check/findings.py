"""What was found in a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from paramctl.check.kinds import Kind


class Finding(NamedTuple):
    """A thing that may be wrong with a parameter.

    `affected` of `total` values, or rows, are concerned; `first` is the index of the first of them.
    All three are None where it is not about some of the values.
    """

    kind: Kind
    name: str
    what: str
    affected: int | None = None
    total: int | None = None
    first: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to.

    Attributes:
        findings: the worst first, those of a kind in the model's order.
        tensors: how many were checked, and
        nbytes: how many bytes they are.
        unchecked: what could not be checked -> why.
    """

    findings: tuple[Finding, ...]
    tensors: int
    nbytes: int
    unchecked: Mapping[str, str]
