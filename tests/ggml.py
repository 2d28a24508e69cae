"""GGUF files as llama.cpp's package writes them, and blocks of every type of ggml's."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGUFWriter
from gguf import GGMLQuantizationType as Quantization

from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import BY_GGML
from paramctl.sources import BytesSource

Array = np.ndarray[Any, np.dtype[Any]]

FIELDS: dict[Quantization, dict[int, str]] = {  # of several bytes, by their place: ggml-common.h
    Quantization.Q4_0: {0: "f2"},
    Quantization.Q4_1: {0: "f2", 2: "f2"},
    Quantization.Q5_0: {0: "f2", 2: "u4"},
    Quantization.Q5_1: {0: "f2", 2: "f2", 4: "u4"},
    Quantization.Q8_0: {0: "f2"},
    Quantization.Q2_K: {80: "f2", 82: "f2"},
    Quantization.Q3_K: {108: "f2"},
    Quantization.Q4_K: {0: "f2", 2: "f2"},
    Quantization.Q5_K: {0: "f2", 2: "f2"},
    Quantization.Q6_K: {208: "f2"},
    Quantization.IQ4_NL: {0: "f2"},
    Quantization.IQ4_XS: {0: "f2", 2: "u2"},
    Quantization.TQ1_0: {52: "f2"},
    Quantization.TQ2_0: {64: "f2"},
    Quantization.MXFP4: {},
}


def write(
    path: Path,
    tensors: Mapping[str, tuple[Array, Quantization | None]],
    say: Callable[[GGUFWriter], object] = lambda _: None,
    **options: Any,
) -> Path:
    """Write tensors as llama.cpp's package does; those with a type are bytes that are quantized."""
    writer = GGUFWriter(path, "llama", **options)
    say(writer)
    for name, (values, kind) in tensors.items():
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def quantized(kind: Quantization, data: bytes, *, big_endian: bool = False) -> Entry:
    """Return an entry of blocks, two in a row where there are so many."""
    block, size = GGML_QUANT_SIZES[kind]
    count = len(data) // size
    shape = (count // 2, 2 * block) if count % 2 == 0 else (count * block,)
    storage = Storage(BytesSource(data, "x"), 0, len(data), big_endian=big_endian)
    return Entry("w", BY_GGML[kind], shape, storage)


def random_blocks(kind: Quantization, count: int) -> Array:
    """Return the bytes of blocks, a row for each; any bits may be set but in the scales."""
    random = np.random.default_rng(kind)
    blocks = random.integers(0, 256, (count, GGML_QUANT_SIZES[kind][1]), "u1")
    for place, field in FIELDS[kind].items():
        if field == "f2":
            scales = (random.standard_normal(count) / 100).astype("<f2")
            blocks[:, place : place + 2] = scales[:, None].view("u1")
    if kind is Quantization.MXFP4:
        blocks[:, 0] = random.integers(118, 124, count)  # an exponent
    return blocks


def swapped(kind: Quantization, blocks: Array) -> Array:
    """Return the blocks as a big-endian machine has them."""
    swapped = blocks.copy()
    for place, field in FIELDS[kind].items():
        end = place + np.dtype(field).itemsize
        swapped[:, place:end] = blocks[:, place:end][:, ::-1]
    return swapped
