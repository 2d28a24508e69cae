"""The pickles of tensors and of a plain state dict, opcode for opcode as `torch.save` writes them.

Source: torch/_tensor.py, `_reduce_ex_internal`; torch/serialization.py, `persistent_id`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.dtypes import DType
from paramctl.formats.torch.storages import STORAGE_DTYPES
from paramctl.slices import row_major
from paramctl.writer.pickler import KEPT, Pickler, integer, text

STORAGE, CPU = text("storage"), text("cpu")
STORAGES = {dtype: name for name, dtype in reversed(STORAGE_DTYPES.items())}


class Item(NamedTuple):
    """A name of a state dict, and the tensor that it names; `key` is that of its storage."""

    name: str
    entry: Entry
    key: str


def pickle_state(items: Sequence[Item]) -> bytes:
    """Return the pickle of a dictionary of contiguous tensors; those of one key are tied."""
    pickler = _Pickler()
    pickler.put(b"}")
    pickler.items(items, pickler.item)
    return bytes(pickler.data + b".")


@lru_cache(KEPT)
def pickle_tensor(dtype: DType, shape: tuple[int, ...]) -> bytes:
    """Return the pickle of a contiguous tensor alone, whose storage has the key 0."""
    pickler = _Pickler()
    pickler.tensor(Entry("", dtype, shape, None), "0")
    return bytes(pickler.data + b".")


class _Pickler(Pickler):
    def item(self, item: Item) -> None:
        """Write a name and its tensor."""
        self.put(text(item.name))
        self.tensor(item.entry, item.key)

    def tensor(self, entry: Entry, key: str) -> None:
        """Write the call that makes a tensor: where no storage has its type, a newer one.

        Its arguments: the storage, the offset, shape and strides, no gradient, no hooks.
        """
        storage = STORAGES.get(entry.dtype.name)
        self.name("torch._utils", f"_rebuild_tensor_v{2 if storage else 3}")
        self.data += b"("
        if storage:
            self._storage(("torch", storage), key, entry.numel)
        else:
            self._storage(("torch.storage", "UntypedStorage"), key, entry.nbytes)
        self.data += integer(0)
        self.integers(entry.shape)
        self.integers(row_major(tuple(max(1, size) for size in entry.shape)))
        self.data += b"\x89"
        self.name("collections", "OrderedDict")
        self.put(b")R")
        if not storage:
            self.name("torch", entry.dtype.name)
        self.put(b"t")
        self.put(b"R")

    def _storage(self, cls: tuple[str, str], key: str, numel: int) -> None:
        """Write the persistent id of a storage."""
        self.data += b"("
        self.once(STORAGE)
        self.name(*cls)
        self.once(text(key))
        self.once(CPU)
        self.data += integer(numel)
        self.put(b"t")
        self.data += b"Q"
