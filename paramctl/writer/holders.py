"""Which formats of files hold which types of elements."""

from paramctl.doors import Words, verb
from paramctl.dtypes import DType

TORCH_LACKS = (
    *("float6_e2m3fn", "float6_e3m2fn"),
    *("int4x2", "uint4x2", "int2x4", "uint2x4"),
)


def tell_holders(dtype: DType) -> Words:
    """Return what to do about a type that a format lacks: write one that holds it, if any does."""
    holds = {
        ".safetensors": dtype.safetensors,
        ".pt": dtype.name not in TORCH_LACKS,
        ".npz": dtype.numpy,
    }
    suffixes = " and ".join(suffix for suffix, is_held in holds.items() if is_held)
    return f"{suffixes} files hold it" if suffixes else (verb("drop"), " leaves it out")
