"""Sources that need no file and count what is read, and entries that describe torch's tensors."""

import torch
from torch import Tensor

from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.sources import Source


class Memory(Source):
    """The bytes of a `bytes` object; `reads` are the (offset, length) asked for."""

    def __init__(self, data: bytes) -> None:
        self.name = "memory"
        self.size = len(data)
        self.reads: list[tuple[int, int]] = []
        self._data = data

    @property
    def nbytes_read(self) -> int:
        """How many bytes have been asked for, twice those asked for twice."""
        return sum(length for _, length in self.reads)

    def _read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self._data[offset : offset + length]


class Zeros(Memory):
    """Any number of zero bytes, of which only those that are read take memory."""

    def __init__(self, size: int) -> None:
        super().__init__(b"")
        self.size = size

    def _read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return bytes(length)


def zeros(dtype: str, *shape: int) -> tuple[Entry, Zeros]:
    """Return a contiguous entry, and the source of zeros that it fills."""
    entry = Entry("w", BY_NAME[dtype], shape, None)
    source = Zeros(entry.nbytes)
    return entry._replace(storage=Storage(source, 0, entry.nbytes)), source


def describe(tensor: Tensor) -> Entry:
    """Return the entry of a strided tensor, over a copy of all of its storage."""
    storage = tensor.untyped_storage()
    data = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().tobytes()
    return Entry(
        "w",
        BY_NAME[str(tensor.dtype).removeprefix("torch.")],
        tuple(tensor.shape),
        Storage(Memory(data), 0, len(data)),
        int(tensor.storage_offset()),
        tensor.stride(),
        requires_grad=tensor.requires_grad,
    )
