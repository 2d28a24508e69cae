"""torch.export archives (`.pt2`): weights by a JSON index, one record each.

Source: torch/export/pt2_archive and torch/_export/serde/schema.py of torch 2.13.
"""

from typing import Any

from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME, DType
from paramctl.errors import MalformedError
from paramctl.formats.strict_json import load_json
from paramctl.formats.torch.archive import Archive
from paramctl.ties import resolve_shared

WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SCALAR_TYPES = {  # schema.py's ScalarType
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}


def read(archive: Archive) -> Checkpoint:
    """List the weights of an exported program; those that are pickled by what the index says.

    Raises:
        MalformedError: the index of weights is not what torch.export writes.
    """
    checkpoint = Checkpoint(archive.source.name, "torch.export", {}, holds="an exported program")
    pickles: list[str] = []
    for index in (WEIGHTS, CONSTANTS):
        folder = index.rpartition("/")[0]
        for name, payload in _payloads(archive, index).items():
            record = f"{folder}/{payload.get('path_name')}"
            if _is_pickled(name, payload):
                pickles.append(f"the pickle {record}")
                _add_pickled(checkpoint, name, payload)
            else:
                checkpoint.entries[name] = _stored(_entry(name, payload), archive.storage(record))
    checkpoint.foreign = tuple(pickles)
    resolve_shared(checkpoint)
    return checkpoint


def _payloads(archive: Archive, index: str) -> dict[str, Any]:
    if index not in archive.members:
        raise MalformedError(f"the archive has no record '{index}'")
    config = load_json(archive.pickle(index), index)
    payloads = config.get("config") if isinstance(config, dict) else None
    if not isinstance(payloads, dict) or not all(isinstance(p, dict) for p in payloads.values()):
        raise MalformedError(f"{index} is not an index of weights")
    return payloads


def _is_pickled(name: str, payload: dict[str, Any]) -> bool:
    is_pickled = payload.get("use_pickle")
    if type(is_pickled) is not bool:
        raise MalformedError(f"weight '{name}' has no use_pickle that is true or false")
    return is_pickled


def _add_pickled(checkpoint: Checkpoint, name: str, payload: dict[str, Any]) -> None:
    """Note what is a pickle of its own: a tensor of a subclass, or an object that is no tensor."""
    if payload.get("tensor_meta") is None:
        checkpoint.others[name] = "a pickled object"
    else:
        checkpoint.entries[name] = _entry(name, payload)._replace(layout="pickled")


def _entry(name: str, payload: dict[str, Any]) -> Entry:
    meta = payload.get("tensor_meta")
    if not isinstance(meta, dict):
        raise MalformedError(f"weight '{name}' has no tensor_meta")
    entry = Entry(
        name,
        _dtype(name, meta.get("dtype")),
        _sizes(name, meta.get("sizes")),
        None,
        _sizes(name, [meta.get("storage_offset")])[0],
        _sizes(name, meta.get("strides")),
        "parameter" if payload.get("is_param") is True else "buffer",
        meta.get("requires_grad") is True,
    )
    if len(entry.shape) != len(entry.strides or ()):
        raise MalformedError(f"weight '{name}' has other numbers of sizes and of strides")
    return entry


def _stored(entry: Entry, storage: Storage) -> Entry:
    if entry.extent[1] > storage.nbytes:
        raise MalformedError(f"weight '{entry.name}' reaches past its record")
    return entry._replace(storage=storage)


def _dtype(name: str, code: object) -> DType:
    if type(code) is not int or code not in SCALAR_TYPES:
        raise MalformedError(f"weight '{name}' has the unknown dtype {code}")
    return BY_NAME[SCALAR_TYPES[code]]


def _sizes(name: str, sizes: object) -> tuple[int, ...]:
    """Read `[{"as_int": 8}, ...]`."""
    if isinstance(sizes, list):
        numbers = [size.get("as_int") if isinstance(size, dict) else None for size in sizes]
        whole = tuple(number for number in numbers if type(number) is int and number >= 0)
        if len(whole) == len(sizes):
            return whole
    raise MalformedError(f"weight '{name}' has sizes that are not whole numbers")
