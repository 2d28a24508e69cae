"""What torch's pickles say of tensors: the functions they name, and what each of them describes.

Torch pickles a tensor as a call, `torch._utils._rebuild_tensor_v2(storage, offset, size, ...)`.
None of these is ever called: the builders below read the arguments and describe the tensor.
Source: torch/_utils.py and torch/_tensor.py of torch 2.13.
"""

from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from typing import Any

from paramctl.checkpoint import Entry
from paramctl.dtypes import BY_NAME, UNKNOWN, DType
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.pickles import Dict, Global, label
from paramctl.formats.torch.storages import STORAGE_DTYPES, STORAGE_MODULES, TypedStorage

MAX_NUMEL = 2**63 - 1  # torch counts elements in int64
MAX_DIMENSIONS = 64  # those of torch's operators
MAX_PARTS = 64  # of one tensor, its attributes included: torch's own have up to four

LAZY_BITS = {"conj": "conjugate", "neg": "negative"}
PLAIN_CLASSES = ("torch.Tensor", "torch._tensor.Tensor")
PARAMETER_CLASSES = ("torch.nn.parameter.Parameter", "torch.nn.Parameter")
BUFFER_CLASSES = ("torch.nn.parameter.Buffer", "torch.nn.Buffer")


def _strided(
    typed: object, offset: object, shape: object, strides: object, dtype: DType | None = None
) -> Entry:
    """Describe a view of a storage; `offset` and `strides` count elements."""
    if type(typed) is not TypedStorage or type(offset) is not int or offset < 0:
        raise MalformedError("a tensor's storage or its offset is of the wrong kind")
    shape, strides = read_sizes(shape, "shape"), read_sizes(strides, "strides")
    if len(shape) != len(strides):
        raise MalformedError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    storage, dtype = typed.storage, dtype or typed.dtype
    numel, last = 1, offset
    for size, stride in zip(shape, strides, strict=True):
        numel *= size
        last += (size - 1) * stride
    if numel > MAX_NUMEL:
        raise MalformedError(f"a tensor of shape {list(shape)} has more than 2^63 - 1 elements")
    if numel and (last + 1) * dtype.bits > storage.nbytes * 8:
        raise MalformedError(
            f"a tensor of shape {list(shape)} at offset {offset} reaches past its storage "
            f"'{storage.key}' of {storage.nbytes} bytes"
        )
    return Entry("", dtype, shape, storage, offset, strides)


def read_sizes(value: object, what: str) -> tuple[int, ...]:
    """Return a tensor's shape or the like.

    Raises:
        MalformedError: it is none.
    """
    if type(value) is tuple and len(value) <= MAX_DIMENSIONS:
        for size in value:
            if type(size) is not int or not 0 <= size <= MAX_NUMEL:
                break
        else:
            return value
    raise MalformedError(
        f"a tensor's {what} is not a tuple of at most {MAX_DIMENSIONS} whole numbers below 2^63"
    )


def read_dtype(value: object) -> DType:
    """Return the element type that a global names.

    Raises:
        MalformedError: it is none of torch's.
    """
    if isinstance(value, Global) and value.module == "torch" and value.name in BY_NAME:
        return BY_NAME[value.name]
    raise MalformedError(f"{label(value)} is no dtype of torch's")


def _entry(value: object) -> Entry:
    if isinstance(value, Entry):
        return value
    raise MalformedError("a tensor is made of something that is no tensor")


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Entry:
    return _strided(storage, offset, size, stride)


def _tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any, _hooks: Any, bits: Any = None
) -> Entry:
    entry = _strided(storage, offset, size, stride)
    if isinstance(bits, Dict):
        entry = _with_bits(entry, bits)
    return entry._replace(requires_grad=True) if grad is True else entry


def _with_bits(entry: Entry, bits: Dict) -> Entry:
    """Note the bits that say that the values are yet to be conjugated or negated."""
    _check_few(bits.pairs)
    is_set = bits.strings()
    layout = "-".join(name for bit, name in LAZY_BITS.items() if is_set.get(bit) is True)
    return entry._replace(layout=layout, parts=(entry,)) if layout else entry


def _tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    grad: Any,
    _hooks: Any,
    dtype: Any,
    _extra: Any = None,
) -> Entry:
    entry = _strided(storage, offset, size, stride, read_dtype(dtype))
    return entry._replace(requires_grad=True) if grad is True else entry


def _parameter(data: Any, grad: Any, _hooks: Any, _state: Any = None) -> Entry:
    return _entry(data)._replace(kind="parameter", requires_grad=grad is True)


def _quantized(
    storage: Any, offset: Any, size: Any, stride: Any, _quantizer: Any, _grad: Any, _hooks: Any
) -> Entry:
    plain = _strided(storage, offset, size, stride)
    return plain._replace(layout="quantized", parts=(plain,))


def _sparse(layout: Any, data: Any) -> Entry:
    if not isinstance(layout, str) or not isinstance(data, tuple) or len(data) < 3:
        raise MalformedError("a sparse tensor is not a layout and its parts")
    _check_few(data)
    parts = _plain(data)
    if len(parts) < 2:
        raise MalformedError("a sparse tensor has no indices or no values")
    sizes = [value for value in data if isinstance(value, tuple) and not isinstance(value, Entry)]
    shape = read_sizes(sizes[0] if sizes else None, "shape")
    return Entry("", parts[-1].dtype, shape, None, layout=layout, parts=parts)


def _nested(buffer: Any, sizes: Any, strides: Any, offsets: Any) -> Entry:
    parts = _plain([_entry(part) for part in (buffer, sizes, strides, offsets)])
    return Entry("", parts[0].dtype, parts[0].shape, None, layout="nested", parts=parts)


def _meta(dtype: Any, size: Any, _stride: Any, grad: Any) -> Entry:
    return Entry(
        "",
        read_dtype(dtype),
        read_sizes(size, "shape"),
        None,
        requires_grad=grad is True,
        layout="meta",
    )


def _wrapper(
    tensor_class: Any,
    dtype: Any,
    size: Any,
    _stride: Any,
    _offset: Any,
    _layout: Any,
    _device: Any,
    grad: Any,
) -> Entry:
    shape = read_sizes(size, "shape")
    entry = Entry("", read_dtype(dtype), shape, None, requires_grad=grad is True, layout="wrapper")
    return _as_class(entry, tensor_class)


def _uninitialized(grad: Any) -> Entry:
    """Describe a parameter of a lazy module: its shape is not known yet."""
    return Entry(
        "", UNKNOWN, (), None, kind="parameter", requires_grad=grad is True, layout="uninitialized"
    )


def _on_device(data: Any, _dtype: Any, _device: Any, grad: Any) -> Entry:
    return _entry(data)._replace(requires_grad=grad is True)


def _from_type(function: Any, tensor_class: Any, arguments: Any, state: Any) -> Entry:
    """Read `torch._tensor._rebuild_from_type_v2`: a subclass, or a tensor with attributes."""
    builder = BUILDERS.get(function.path) if isinstance(function, Global) else None
    if builder is None or builder is BUILDERS["torch._tensor._rebuild_from_type_v2"]:
        raise MalformedError(f"a tensor is built by {label(function)}, which is none of torch's")
    entry = _as_class(_entry(builder(arguments)), tensor_class)
    if entry.layout != "wrapper":
        return entry
    attributes = state[0] if isinstance(state, tuple) and state else state
    if not isinstance(attributes, Dict):
        return entry
    _check_few(attributes.pairs)
    return entry._replace(parts=_plain(attributes.strings().values()))


def _plain(values: Iterable[object]) -> tuple[Entry, ...]:
    """Return the tensors among `values`; for one that is made of others, these."""
    entries = [value for value in values if isinstance(value, Entry)]
    parts = tuple(part for entry in entries for part in entry.parts or (entry,))
    _check_few(parts)
    return parts


def _check_few(values: Sequence[object]) -> None:
    """Refuse what 1 MB of calls on the same values would make very long work of."""
    if len(values) > MAX_PARTS:
        raise LimitError(f"a tensor made of {len(values)} values, over the limit of {MAX_PARTS}")


def _as_class(entry: Entry, tensor_class: object) -> Entry:
    name = label(tensor_class)
    if name in PLAIN_CLASSES:
        return entry
    if name in PARAMETER_CLASSES:
        return entry._replace(kind="parameter")
    if name in BUFFER_CLASSES:
        return entry._replace(kind="buffer")
    return entry._replace(subclass=name)


def _layout(name: Any) -> str:
    return label(name).removeprefix("torch.")


def _size(sizes: Any = ()) -> tuple[int, ...]:
    return read_sizes(
        tuple(sizes[: MAX_DIMENSIONS + 1]) if isinstance(sizes, list) else sizes, "shape"
    )


def _spread(describe: Callable[..., Any], name: str) -> Callable[[object], Any]:
    """Make a builder that takes the arguments as one tuple and refuses a wrong number of them."""
    parameters = signature(describe).parameters.values()
    least = sum(parameter.default is parameter.empty for parameter in parameters)
    most = len(parameters)

    def build(arguments: object) -> Any:
        if not isinstance(arguments, tuple):
            raise MalformedError(f"{name} has no tuple of arguments")
        if not least <= len(arguments) <= most:
            raise MalformedError(f"{name} has {len(arguments)} arguments")
        return describe(*arguments)

    return build


_DESCRIBED: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_nested_tensor": _nested,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_wrapper_subclass": _wrapper,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _on_device,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.nn.parameter.UninitializedParameter": _uninitialized,
    "torch.serialization._get_layout": _layout,
    "torch.Size": _size,
}
BUILDERS = {name: _spread(describe, name) for name, describe in _DESCRIBED.items()}


def is_tensor_global(found: Global) -> bool:
    """Whether a global belongs to saved tensors, as against code that a loader would run."""
    name = str(found)
    return (
        name in BUILDERS
        or name in PLAIN_CLASSES + PARAMETER_CLASSES + BUFFER_CLASSES
        or name in ("collections.OrderedDict", "torch.device", "builtins.set", "__builtin__.set")
        or (found.module in STORAGE_MODULES and found.name in STORAGE_DTYPES)
        or (found.module == "torch" and (found.name in BY_NAME or found.name.startswith("per_")))
    )
