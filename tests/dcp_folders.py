"""Folders of torch.distributed.checkpoint, put together by hand of torch's own classes."""

import io
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

Offsets = tuple[int, ...]


def saved(value: object) -> bytes:
    """Return what `torch.save` makes of a value."""
    data = io.BytesIO()
    torch.save(value, data)
    return data.getvalue()


class Folder:
    """A folder to be: what was saved in it, by name, and the files that hold it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata = Metadata({}, {}, {})
        self.files: dict[str, bytes] = {}

    def put(
        self, name: str, offsets: Offsets | None, data: bytes, file: str = "__0_0.distcp"
    ) -> None:
        """Put bytes into a file, and note where they are."""
        before = self.files.get(file, b"")
        self.files[file] = before + data
        index = MetadataIndex(name, offsets)
        self.metadata.storage_data[index] = _StorageInfo(file, len(before), len(data))

    def add(self, name: str, value: object) -> None:
        """Add a value, a tensor in one piece."""
        if isinstance(value, torch.Tensor):
            self.add_chunks(name, value, [((0,) * value.ndim, tuple(value.shape))])
        else:
            self.metadata.state_dict_metadata[name] = BytesStorageMetadata()
            self.put(name, None, saved(value))

    def add_chunks(
        self, name: str, tensor: torch.Tensor, boxes: Iterable[tuple[Offsets, Offsets]]
    ) -> None:
        """Add a tensor cut into boxes, each of them in a file of its own."""
        chunks = []
        for rank, (offsets, sizes) in enumerate(boxes):
            places = tuple(slice(o, o + s) for o, s in zip(offsets, sizes, strict=True))
            self.put(name, offsets, saved(tensor[places].clone()), f"__{rank}_0.distcp")
            chunks.append(ChunkStorageMetadata(torch.Size(offsets), torch.Size(sizes)))
        self.metadata.state_dict_metadata[name] = TensorStorageMetadata(
            TensorProperties(tensor.dtype), tensor.shape, chunks
        )

    def tensor(self, name: str = "w") -> Any:
        """Return what is noted of a tensor, to be changed."""
        return self.metadata.state_dict_metadata[name]

    def place(self, name: str = "w", offsets: Offsets | None = (0, 0)) -> Any:
        """Return what is noted of a place, to be changed."""
        return self.metadata.storage_data[MetadataIndex(name, offsets)]

    def write(self) -> Path:
        """Write it, and return its path."""
        self.path.mkdir(exist_ok=True)
        for name, data in self.files.items():
            (self.path / name).write_bytes(data)
        (self.path / ".metadata").write_bytes(pickle.dumps(self.metadata))
        return self.path


def write(path: Path, values: Mapping[str, object]) -> Path:
    """Write a folder of values."""
    folder = Folder(path)
    for name, value in values.items():
        folder.add(name, value)
    return folder.write()
