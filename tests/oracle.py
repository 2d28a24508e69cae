"""What torch and safetensors say that a file holds, and paramctl's answer held against it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from paramctl import arrays
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import BY_SAFETENSORS

TORCH_WARNINGS = (
    "ignore:.torch.jit.* is deprecated:DeprecationWarning",
    "ignore:ComplexHalf support is experimental:UserWarning",
    "ignore:Sparse .* tensor support is in beta state:UserWarning",
    "ignore:The PyTorch API of nested tensors is in prototype stage:UserWarning",
    "ignore:TypedStorage is deprecated:UserWarning",
    "ignore:torch.quantize_per_tensor.* are deprecated:UserWarning",
)
"""What torch says of the kinds of tensors that it wants to drop, or is not sure of."""

SPARSE_PARTS = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}


class Named(NamedTuple):
    """A tensor of a loaded value, by its dotted name; `kind` as `Entry`'s."""

    name: str
    tensor: Tensor
    kind: str | None


def walk(value: object, prefix: str = "", kind: str | None = None) -> Iterator[Named]:
    """Yield the tensors of what `torch.load` returned, modules opened up."""
    if isinstance(value, Tensor):
        yield Named(prefix, value, "parameter" if isinstance(value, nn.Parameter) else kind)
    for key, child, child_kind in _children(value):
        yield from walk(child, f"{prefix}.{key}" if prefix else str(key), child_kind)


def _children(value: object) -> Iterator[tuple[object, object, str | None]]:
    if isinstance(value, nn.Module):
        yield from ((name, child, "parameter") for name, child in value._parameters.items())
        transient = value._non_persistent_buffers_set
        buffers = (pair for pair in value._buffers.items() if pair[0] not in transient)
        yield from ((name, child, "buffer") for name, child in buffers)
        yield from ((name, child, None) for name, child in value._modules.items())
    elif isinstance(value, Mapping):
        yield from ((key, child, None) for key, child in value.items())
    elif isinstance(value, list | tuple):
        yield from ((place, child, None) for place, child in enumerate(value))


def assert_same(checkpoint: Checkpoint, value: object) -> None:
    """Check names, order, kinds, types, shapes, gradients, ties and values against torch's."""
    named = list(walk(value))
    assert list(checkpoint) == [name for name, _, _ in named]
    assert {name: entry.kind for name, entry in checkpoint.items()} == {
        name: kind for name, _, kind in named
    }
    for name, tensor, _ in named:
        entry = checkpoint[name]
        assert entry.name == name
        assert bool(entry.requires_grad) == tensor.requires_grad, name
        assert_same_tensor(entry, tensor)
    assert checkpoint.aliases == shared_views({name: tensor for name, tensor, _ in named})


def shared_views(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return name -> the first name of the same view of the same storage.

    A storage without bytes is nobody's: torch writes one key for all of them that it meets, and
    loads one of its own for each.
    """
    first: dict[tuple[object, ...], str] = {}
    aliases = {}
    for name, tensor in tensors.items():
        if has_storage(tensor):
            storage = tensor.untyped_storage()._cdata
            offset, strides = tensor.storage_offset(), tensor.stride()
            view = (storage, tensor.dtype, offset, tensor.shape, strides)
            if first.setdefault(view, name) != name:
                aliases[name] = first[view]
    return aliases


def has_storage(tensor: Tensor) -> bool:
    """Whether the tensor has one storage, and some bytes in it."""
    plain = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_nested
    return plain and tensor.untyped_storage().nbytes() > 0


def assert_same_tensor(entry: Entry, tensor: Tensor) -> None:
    """Check type, shape, layout and values against a tensor of torch's."""
    assert f"torch.{entry.dtype.name}" == str(tensor.dtype), entry.name
    assert entry.layout == layout(tensor), entry.name
    if tensor.is_nested:
        return  # it has no shape, and its values are its parts' business
    assert entry.shape == tuple(tensor.shape), entry.name
    if tensor.layout in SPARSE_PARTS:
        for part, method in zip(entry.parts, SPARSE_PARTS[tensor.layout], strict=True):
            assert_same_tensor(part, getattr(tensor, method)())
    elif tensor.is_quantized:
        assert b"".join(arrays.raw(entry.parts[0])) == tensor.int_repr().numpy().tobytes()
    elif not tensor.is_meta:
        assert_same_values(entry, tensor)


def layout(tensor: Tensor) -> str:
    """Return what `Entry` calls the tensor's layout."""
    if tensor.is_nested:
        return "nested"
    if tensor.is_quantized:
        return "quantized"
    if tensor.is_conj() or tensor.is_neg():
        lazy = (("conjugate", tensor.is_conj()), ("negative", tensor.is_neg()))
        return "-".join(name for name, is_set in lazy if is_set)
    return "meta" if tensor.is_meta else str(tensor.layout).removeprefix("torch.")


def assert_same_values(entry: Entry, tensor: Tensor) -> None:
    """Check every value, NaN payloads too where numpy has the type."""
    expected = to_numpy(tensor)
    if expected is None:
        assert b"".join(arrays.raw(entry)) == own_bytes(tensor)
        return
    array = arrays.read(entry)
    assert array.dtype == expected.dtype, entry.name
    assert array.shape == expected.shape, entry.name
    if entry.dtype.numpy:
        assert array.tobytes() == expected.tobytes(), entry.name
    else:
        assert np.array_equal(array, expected, equal_nan=True), entry.name


def to_numpy(tensor: Tensor) -> "np.ndarray[Any, Any] | None":
    """Return the values in numpy's type, else losslessly in a wider one, else None."""
    plain = tensor.detach().resolve_conj().resolve_neg()
    if plain.dtype == torch.complex32:
        return plain.to(torch.complex64).numpy()
    if plain.is_floating_point() and plain.dtype != torch.float4_e2m1fn_x2:
        has_numpy = plain.dtype in (torch.float16, torch.float32, torch.float64)
        return plain.numpy() if has_numpy else plain.float().numpy()
    return None if plain.dtype in OPAQUE else plain.numpy()


OPAQUE = {
    getattr(torch, name)
    for name in ("float4_e2m1fn_x2", "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2")
}
"""Types that torch stores and cannot calculate with: their bytes are compared."""


def own_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor's values, row by row."""
    integers = torch.empty(0, dtype=torch.uint8 if tensor.itemsize == 1 else torch.int16)
    place = (tensor.storage_offset(), tensor.shape, tensor.stride())
    return integers.set_(tensor.untyped_storage(), *place).numpy().tobytes()


def read_header(path: str) -> dict[str, Any]:
    """Return a safetensors file's header, its names in order."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return header


def assert_same_safetensors(checkpoint: Checkpoint, path: str) -> None:
    """Check names, order, types, shapes, values, aliases and metadata against the library's."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        stored = [name for name in read_header(path) if name != "__metadata__"]
        assert sorted(stored) == sorted(file.keys())
        aliases = {alias: name for alias, name in metadata.items() if name in stored}
        assert [name for name in checkpoint if name not in aliases] == stored
        assert checkpoint.aliases == aliases
        assert checkpoint.metadata == metadata
        for name, entry in checkpoint.items():
            stored_name = aliases.get(name, name)
            header = file.get_slice(stored_name)
            assert entry.name == name
            assert entry.dtype == BY_SAFETENSORS[header.get_dtype()]
            assert entry.shape == tuple(header.get_shape())
            assert_same_values(entry, file.get_tensor(stored_name))
