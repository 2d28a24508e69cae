"""Flax's msgpack files: those that flax wrote, those of the msgpack library, and hostile ones."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from forks import Forks
from hostile import VERBS, Row, assert_refused
from hypothesis import given
from hypothesis import strategies as st

import paramctl
from paramctl.arrays import raw
from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import AddressError, LimitError, MalformedError, UsageError
from paramctl.formats import open_checkpoint
from paramctl.formats.flax import read
from paramctl.sources import BytesSource, Source

FILES = Path(__file__).parent / "files"
SAMPLES = ["variables", "train_state", "tree"]
STATE = FILES / "train_state.msgpack"
EVERYTHING = ReadOptions(everything=True)
Array = tuple[str, tuple[int, ...], bytes]  # name of dtype, shape, bytes


def unpack(data: bytes) -> Any:
    """Return what msgpack reads, as flax has it do."""

    def extension(code: int, inner: bytes) -> object:
        values = msgpack.unpackb(inner)
        if code == 2:
            return complex(*values)
        shape, name, elements = values
        return (name, tuple(shape), elements)

    return msgpack.unpackb(data, ext_hook=extension)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a tree by their dotted names, those in chunks as one."""
    for key, value in tree.items():
        if isinstance(value, tuple):
            yield f"{prefix}{key}", value
        elif isinstance(value, dict) and "__msgpack_chunked_array__" in value:
            chunks = value["chunks"].values()
            elements = b"".join(chunk[2] for chunk in chunks)
            yield (
                f"{prefix}{key}",
                (value["chunks"]["0"][0], tuple(value["shape"].values()), elements),
            )
        elif isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")


def held(checkpoint: Checkpoint) -> dict[str, Array]:
    return {
        name: (entry.dtype.name, entry.shape, b"".join(raw(entry)))
        for name, entry in checkpoint.items()
    }


def open_bytes(data: bytes, options: ReadOptions = EVERYTHING) -> Checkpoint:
    return read(BytesSource(data, "x"), options)


def extension(code: int, *values: object) -> msgpack.ExtType:
    return msgpack.ExtType(code, msgpack.packb(values))


def array(shape: object = (2,), name: object = "float32", data: object = bytes(8)) -> bytes:
    """Return a file with one array, `a`."""
    packed: bytes = msgpack.packb({"a": extension(1, shape, name, data)})
    return packed


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_file_of_flax_holds_what_flax_put_there(sample: str) -> None:
    path = FILES / f"{sample}.msgpack"
    expected = dict(flatten(unpack(path.read_bytes())))
    assert list(held(open_checkpoint(path, EVERYTHING)).items()) == list(expected.items())


def test_the_model_is_all_but_the_state_of_the_optimizer() -> None:
    state, variables = (paramctl.open(FILES / f"{name}.msgpack") for name in SAMPLES[:2])
    assert {name.partition(".")[0] for name in state} == {"params", "batch_stats"}
    assert {name.partition(".")[0] for name in variables} == {"params"}
    assert variables.others == {"step": "1", "opt_state": "13 tensors"}
    assert variables.metadata == {"step": 1}


def test_a_part_is_listed_by_its_key() -> None:
    part = open_checkpoint(STATE, ReadOptions(key="opt_state.0.nu.Dense_0"))
    assert list(part) == ["bias", "kernel"]
    with pytest.raises(AddressError, match="no key 'opt'"):
        open_checkpoint(STATE, ReadOptions(key="opt"))


def test_values_beside_arrays_are_metadata() -> None:
    assert paramctl.open(FILES / "tree.msgpack").metadata["plain"] == {
        "complex": "(1+2j)",
        "text": "é",
        "bytes": "3 bytes",
        "none": None,
        "nothing": {},
    }


ARRAYS = st.builds(
    lambda name, shape: np.arange(np.prod(shape)).reshape(shape).astype(name),
    st.sampled_from(["bool", "uint8", "int16", "float16", "float32", "complex64", "float64"]),
    st.lists(st.integers(0, 3), max_size=3),
)
TEXT = st.sampled_from(["", "a", "a.b", "é" * 20, "\n" * 300])
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(width=32) | TEXT
TREES = st.recursive(
    ARRAYS | PLAIN | st.sampled_from([b"", b"\x80" * 300]) | st.lists(PLAIN, max_size=20),
    lambda values: st.dictionaries(TEXT, values, max_size=20),
    max_leaves=20,
)


def pack_array(value: Any) -> object:
    if isinstance(value, np.ndarray):
        return extension(1, value.shape, value.dtype.name, value.tobytes())
    raise TypeError


@given(tree=st.dictionaries(st.sampled_from("abc"), TREES), single=st.booleans())
def test_any_tree_is_read_as_msgpack_reads_it(*, tree: dict[str, Any], single: bool) -> None:
    data = msgpack.packb(tree, default=pack_array, use_single_float=single)
    expected = list(flatten(unpack(data)))
    if len(dict(expected)) == len(expected):
        assert list(held(open_bytes(data)).items()) == expected
    else:
        with pytest.raises(MalformedError, match="two tensors have the name"):
            open_bytes(data)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_file_cut_anywhere_is_malformed(sample: str) -> None:
    data = (FILES / f"{sample}.msgpack").read_bytes()
    for length in range(1, len(data)):
        with pytest.raises(MalformedError, match=r"truncated|bytes"):
            open_bytes(data[:length])
    with pytest.raises(MalformedError, match="1 bytes after its end"):
        open_bytes(data + b"\0")


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0), st.binary(max_size=3))))
def test_a_changed_file_is_read_or_refused(sample: str, edits: list[tuple[int, bytes]]) -> None:
    data = bytearray((FILES / f"{sample}.msgpack").read_bytes())
    for place, new in edits:
        data[place % len(data) : place % len(data) + len(new)] = new
    with suppress(UsageError, MalformedError, LimitError):  # the first: a type that numpy lacks
        held(open_bytes(bytes(data)))


class Counting(Source):
    """A file of zeros behind its beginning; `count` is the number of bytes that were read."""

    def __init__(self, beginning: bytes, size: int) -> None:
        self.name, self.size, self.count = "x", size, 0
        self._beginning = beginning

    def _read(self, offset: int, length: int) -> bytes:
        self.count += length
        return self._beginning[offset : offset + length].ljust(length, b"\0")


def test_no_byte_of_an_array_is_read_to_list_it() -> None:
    nbytes = 1 << 31
    head = (
        b"\x93\x91\xce" + struct.pack(">I", nbytes) + b"\xa5uint8\xc6" + struct.pack(">I", nbytes)
    )
    beginning = b"\x81\xa1a\xc9" + struct.pack(">Ib", len(head) + nbytes, 1) + head
    source = Counting(beginning, len(beginning) + nbytes)
    checkpoint = read(source, EVERYTHING)
    assert checkpoint["a"].shape == (nbytes,)
    assert source.count < 20_000


def nested(levels: int) -> bytes:
    return b"\x81\xa1a" * levels + b"\xc0"


def chunked(**parts: object) -> bytes:
    packed: bytes = msgpack.packb({"a": {"__msgpack_chunked_array__": True, **parts}})
    return packed


CHUNK = extension(1, (1,), "int8", b"a")
REFUSED = [
    Row("a key that is no text", msgpack.packb({"a": {1: 2}}), 3, "a key that is no text"),
    Row("a key given twice", b"\x81\xa1a\x82\xa1b\xc0\xa1b\xc0", 3, "the key 'b' is given twice"),
    Row("an unknown byte", b"\x81\xa1a\xc1", 3, "no value begins with the byte 0xc1"),
    Row("text that is not UTF-8", b"\x82\xa1a\xc0\xa1\xff\xc0", 3, "a msgpack text is not UTF-8"),
    Row("a map of 2^32 pairs", b"\x81\xa1a\xdf\xff\xff\xff\xff", 3, "truncated: 8589934590 bytes"),
    Row("a list of 2^32 values", b"\x81\xa1a\xdd\xff\xff\xff\xff", 3, "truncated: 4294967295"),
    Row("a text of 2^32 bytes", b"\x81\xa1a\xdb\xff\xff\xff\xff", 5, "a text of 4294967295 bytes"),
    Row("bytes of 2^32", b"\x81\xa1a\xc6\xff\xff\xff\xff", 3, "truncated: 4294967295"),
    Row("an extension of 2^32", b"\x81\xa1a\xc9\xff\xff\xff\xff\1", 3, "truncated: 4294967295"),
    Row("100,000 maps in one another", nested(100_000), 5, "nested over 128 deep"),
    Row("lists in one another", b"\x81\xa1a" + b"\x91" * 100_000, 5, "nested over 128 deep"),
    Row("an unknown type", array(name="object"), 3, "of the unknown type 'object'"),
    Row("a type that is no text", array(name=7), 3, "of the unknown type '7'"),
    Row("too few bytes", array((3,)), 3, "an array float32 [3] in 8 bytes"),
    Row("too many bytes", array(()), 3, "an array float32 [] in 8 bytes"),
    Row("2^64 elements", array((2**63, 2)), 3, f"[{2**63}, 2] in 8 bytes"),
    Row("a negative size", array((-1, -2)), 3, "no shape, type and bytes"),
    Row("a size that is no number", array((2.0,)), 3, "no shape, type and bytes"),
    Row("65 dimensions", array((1,) * 64 + (2,)), 3, "no shape, type and bytes"),
    Row("a shape that is no list", array(2), 3, "no shape, type and bytes"),
    Row("a text for the bytes", array(data="aaaaaaaa"), 3, "no shape, type and bytes"),
    Row("an array in an array", array(data=CHUNK), 3, "no shape, type and bytes"),
    Row("an array of two values", msgpack.packb({"a": extension(1, (), "f4")}), 3, "no list of 3"),
    Row("an array that is cut", b"\x81\xa1a\xc7\1\1\x93", 3, "truncated: 3 bytes are needed"),
    Row("no complex number", msgpack.packb({"a": extension(2, "1", 2.0)}), 3, "no complex number"),
    Row("chunks without a shape", chunked(chunks={"0": CHUNK}), 3, "keys that are no 0, 1, 2"),
    Row("chunks that are none", chunked(shape={"0": 1}, chunks={}), 3, "no shape and chunks"),
    Row("a chunk that is none", chunked(shape={}, chunks={"0": 1}), 3, "no arrays of one type"),
    Row(
        "chunks in another order",
        chunked(shape={"0": 2}, chunks={"1": CHUNK, "0": CHUNK}),
        3,
        "keys that are no 0, 1, 2",
    ),
    Row(
        "chunks of two types",
        chunked(shape={"0": 2}, chunks={"0": CHUNK, "1": extension(1, (1,), "bool", b"\0")}),
        3,
        "no arrays of one type",
    ),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_a_malformed_file_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_refuses_it(verb: tuple[str, ...], tmp_path: Path, forks: Forks) -> None:
    for row in REFUSED[:2]:
        assert_refused(forks.run(*verb, row.write(tmp_path)), row)


def test_a_name_from_a_file_is_escaped(tmp_path: Path, forks: Forks) -> None:
    name = "<b>\x1b[31m\u202e\n[red]"
    (tmp_path / "x").write_bytes(msgpack.packb({"p": {name: extension(1, (), "int8", b"\1")}}))
    run = forks.run("ls", tmp_path / "x")
    assert run.out.startswith("p.<b>\\x1b[31m\\u202e\\n[red]\t[]\tint8"), run.out


@pytest.mark.parametrize(
    ("data", "format_"),
    [
        (b"\x80", "flax msgpack"),
        (b"\x81\xa6params\x80", "flax msgpack"),
        (b"\xde\0\1\xd9\1a\x80", "flax msgpack"),
        (b"\xdf\0\0\0\1\xa1a\x80", "flax msgpack"),
    ],
)
def test_an_empty_tree_is_a_model_without_parameters(
    data: bytes, format_: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(data)
    checkpoint = paramctl.open(tmp_path / "x")
    assert (checkpoint.format, dict(checkpoint)) == (format_, {})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02}.", "a pickle, but not a torch checkpoint"),
        (b"\x81\x01\xc0", "in no format|safetensors|header"),
        (b"\x93\xc0\xc0\xc0", "in no format|safetensors|header"),
    ],
)
def test_what_is_no_map_with_names_is_not_taken_for_flax(
    data: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(MalformedError, match=message):
        paramctl.open(tmp_path / "x")
