"""Attributes: what an HDF5 file says of its groups and datasets, in JSON's types."""

from math import prod
from typing import Any

from paramctl.formats.hdf5.headers import Message, read_raw_attributes
from paramctl.formats.hdf5.library import File, load_h5py

MAX_BYTES = 1 << 20  # of an attribute's numbers
MAX_TEXTS = 1 << 26  # bytes of all texts
REFERENCE = 16  # bytes of what stands for a text of any length


class Attributes:
    """Reads attributes; what is no number and no text, or is too long, is told in words."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._h5py = load_h5py()
        self._left = MAX_TEXTS

    def read(self, node: Any, header: list[Message]) -> dict[str, Any]:
        """Return the attributes of a group or dataset."""
        if not self._h5py.h5a.get_num_attrs(node):  # going through none takes long
            return {}
        raw = read_raw_attributes(self._file.source, header)
        is_group = isinstance(node, self._h5py.h5g.GroupID)
        attributes = (self._h5py.Group if is_group else self._h5py.Dataset)(node).attrs
        # names that are no UTF-8 are bytes in h5py
        return {_to_json(name): self._read(attributes, name, raw) for name in attributes}

    def _read(self, attributes: Any, name: str | bytes, raw: dict[bytes, bytes]) -> Any:
        attribute = attributes.get_id(name)
        shape = attribute.shape
        if shape is None:
            return None
        try:
            dtype = attribute.dtype
        except TypeError:  # numpy has no such type
            return "a value of a type of its own"
        count = prod(shape)
        if dtype.kind in "biufcS" and count * dtype.itemsize <= MAX_BYTES:
            value = attributes[name] if count else []
            return _to_json(value.tolist() if hasattr(value, "tolist") else value)
        if dtype.kind == "O" and self._h5py.check_string_dtype(dtype):
            key = name.encode() if isinstance(name, str) else name
            texts = self._read_texts(raw.get(key, b""), count)
            if texts is not None:
                return texts if shape else texts[0]
            return f"text {list(shape)}"
        return f"{dtype} {list(shape)}"

    def _read_texts(self, raw: bytes, count: int) -> list[str] | None:
        """Return texts of any length; None if they are not in the header, or too long."""
        references = [raw[place : place + REFERENCE] for place in range(0, len(raw), REFERENCE)]
        references = references[:count]
        if len(references) != count or any(len(each) != REFERENCE for each in references):
            return None
        heaps = self._file.heaps
        self._left -= sum(map(heaps.text_size, references))
        if self._left < 0:
            return None
        return [_to_json(heaps.text(reference)) for reference in references]


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(element) for element in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value) if isinstance(value, complex) else value
