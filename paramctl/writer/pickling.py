"""The pickle of a plain state dict, opcode for opcode as `torch.save` writes it.

Source: torch/_tensor.py, `_reduce_ex_internal`; torch/serialization.py, `persistent_id`;
CPython's Lib/pickle.py, protocol 2.
"""

from collections.abc import Sequence
from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.formats.torch.storages import STORAGE_DTYPES
from paramctl.slices import row_major

BATCH = 1000  # items that one opcode adds to a dictionary
STORAGES = {dtype: name for name, dtype in reversed(STORAGE_DTYPES.items())}
SHORT_TUPLES = (b")", b"\x85", b"\x86", b"\x87")


class Item(NamedTuple):
    """A name of a state dict, and the tensor that it names; `key` is that of its storage."""

    name: str
    entry: Entry
    key: str


def pickle_state(items: Sequence[Item]) -> bytes:
    """Return the pickle of a dictionary of contiguous tensors; those of one key are tied."""
    pickler = _Pickler()
    pickler.save(items)
    return bytes(pickler.data)


class _Pickler:
    """What is written so far, and the places in the memo of what may be named again."""

    def __init__(self) -> None:
        self.data = bytearray(b"\x80\x02")
        self._places: dict[tuple[str, ...], int] = {}
        self._count = 0  # of the memo's places, most of which nothing leads to

    def save(self, items: Sequence[Item]) -> None:
        self._put(b"}")
        if len(items) == 1:
            self._item(items[0])
            self.data += b"s"
        elif items:
            for start in range(0, len(items) + 1, BATCH):  # behind a full batch comes an empty one
                self.data += b"("
                for item in items[start : start + BATCH]:
                    self._item(item)
                self.data += b"u"
        self.data += b"."

    def _item(self, item: Item) -> None:
        """Write a name, and the call that makes its tensor: where no storage has its type, a newer.

        Its arguments: the storage, the offset, shape and strides, no gradient, no hooks.
        """
        self._put(_text(item.name))
        entry = item.entry
        storage = STORAGES.get(entry.dtype.name)
        self._global("torch._utils", f"_rebuild_tensor_v{2 if storage else 3}")
        self.data += b"("
        if storage:
            self._storage(("torch", storage), item.key, entry.numel)
        else:
            self._storage(("torch.storage", "UntypedStorage"), item.key, entry.nbytes)
        self.data += _int(0)
        self._ints(entry.shape)
        self._ints(row_major(tuple(max(1, size) for size in entry.shape)))
        self.data += b"\x89"
        self._global("collections", "OrderedDict")
        self._put(b")R")
        if not storage:
            self._global("torch", entry.dtype.name)
        self._put(b"t")
        self._put(b"R")

    def _storage(self, cls: tuple[str, str], key: str, numel: int) -> None:
        """Write the persistent id of a storage."""
        self.data += b"("
        self._once(_text("storage"), "storage")
        self._global(*cls)
        self._once(_text(key), "key", key)
        self._once(_text("cpu"), "cpu")
        self.data += _int(numel)
        self._put(b"t")
        self.data += b"Q"

    def _global(self, module: str, name: str) -> None:
        self._once(f"c{module}\n{name}\n".encode(), module, name)

    def _ints(self, numbers: Sequence[int]) -> None:
        """Write a tuple; the empty one is not in the memo."""
        self.data += b"(" if len(numbers) >= len(SHORT_TUPLES) else b""
        self.data += b"".join(map(_int, numbers))
        end = SHORT_TUPLES[len(numbers)] if len(numbers) < len(SHORT_TUPLES) else b"t"
        if numbers:
            self._put(end)
        else:
            self.data += end

    def _once(self, opcodes: bytes, *what: str) -> None:
        """Write something for the first time, or lead to where it is in the memo."""
        place = self._places.get(what)
        if place is None:
            self._places[what] = self._count
            self._put(opcodes)
        else:
            self.data += _indexed(b"hj", place)

    def _put(self, opcodes: bytes) -> None:
        """Write what makes a value, and put it into the memo."""
        self.data += opcodes + _indexed(b"qr", self._count)
        self._count += 1


def _indexed(opcodes: bytes, place: int) -> bytes:
    """Return the shorter of two opcodes that can name a place in the memo."""
    short, long = opcodes
    return bytes((short, place)) if place < 1 << 8 else bytes((long,)) + place.to_bytes(4, "little")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def _int(number: int) -> bytes:
    """Return the shortest opcode that holds a number of a shape."""
    for opcode, nbytes, bits in ((b"K", 1, 8), (b"M", 2, 16), (b"J", 4, 31)):
        if number < 1 << bits:
            return opcode + number.to_bytes(nbytes, "little")
    nbytes = number.bit_length() // 8 + 1
    return b"\x8a" + bytes((nbytes,)) + number.to_bytes(nbytes, "little")
