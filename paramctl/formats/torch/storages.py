"""What torch's pickles say of storages: their classes and their persistent ids.

Source: torch/storage.py and `persistent_id` in torch/serialization.py of torch 2.13.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from paramctl.checkpoint import Storage
from paramctl.dtypes import BY_NAME, DType
from paramctl.errors import MalformedError
from paramctl.formats.pickles import Global, label

STORAGE_DTYPES = {
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}
STORAGE_MODULES = ("torch", "torch.storage", "torch.cuda")


@dataclass(slots=True)
class TypedStorage:
    """A storage and the type that its class gives its elements; no tuple, which holds values."""

    storage: Storage
    dtype: DType


def count_bytes(numel: int, dtype: DType) -> int:
    """Return the bytes of a storage: each of its elements takes whole ones.

    A `quint4x2` takes one there, and holds two of a tensor's elements.
    """
    return numel * max(1, dtype.bits // 8)


@cache
def storage_dtype(storage_class: Global) -> DType:
    """Return the element type of a storage class such as `torch.FloatStorage`.

    Raises:
        MalformedError: it is no storage class of torch's.
    """
    if storage_class.module in STORAGE_MODULES and storage_class.name in STORAGE_DTYPES:
        return BY_NAME[STORAGE_DTYPES[storage_class.name]]
    raise MalformedError(f"'{storage_class}' is no storage class of torch's")


def read_storage_id(pid: object) -> tuple[DType, str, int, tuple[Any, ...]]:
    """Read torch's persistent id of a storage into dtype, key, number of elements and the rest.

    Raises:
        MalformedError: it is not `("storage", class, key, location, numel)`.
    """
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
        raise MalformedError("a persistent id is not ('storage', class, key, location, numel)")
    _, storage_class, key, _, numel, *rest = pid
    if type(key) is not str or type(numel) is not int or numel < 0:
        raise MalformedError(
            f"storage {label(key)} of {label(numel)} elements: not a name and a count"
        )
    if type(storage_class) is not Global:
        raise MalformedError(f"the class of storage '{key}' is no class")
    return storage_dtype(storage_class), key, numel, tuple(rest)
