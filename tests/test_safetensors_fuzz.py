"""Our reading of safetensors headers against the safetensors library's."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from paramctl.checkpoint import Checkpoint
from paramctl.dtypes import BY_SAFETENSORS
from paramctl.errors import MalformedError
from paramctl.formats import open_checkpoint

STRICTER = {
    "does not start with '{'": "the format's README says that it must",
    "is listed twice": "the format's README forbids it; the library lets the last one win",
    "holds the key": "a metadata key given twice is ambiguous in the same way",
    "has the unknown field": "the format's schema says additionalProperties: false",
    "over 2^48 - 1": "the format's schema says so; a product of such sizes overflows elsewhere",
    "at most 64 whole numbers": "no tensor library has more than 64 dimensions",
}
"""What we refuse and the library accepts: part of our message -> why."""

numbers = st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16, 2**48, 2**63, 2**64]) | st.integers(0, 40)
shapes = st.lists(st.integers(0, 4), max_size=3) | st.lists(numbers, max_size=3)
names = st.sampled_from(["a", "b", "__metadata__", "", "a.b", "\0", "é", "\u202e"]) | st.text(
    max_size=4
)
values: st.SearchStrategy[object] = st.one_of(
    numbers,
    shapes,
    st.sampled_from(list(BY_SAFETENSORS)),
    st.sampled_from([None, True, -1, 1.5, "F32", "f32", [], {}, [[1]], "x"]),
)
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(list(BY_SAFETENSORS)),
        "shape": shapes,
        "data_offsets": st.tuples(numbers, numbers),
    }
)
odd_entries = st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "zz"]), values)
metadata = st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.none(), max_size=2)
members = st.lists(st.tuples(names, entries | odd_entries | metadata | values), max_size=4)


@st.composite
def sound_headers(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a header that is right, and the size of its data."""
    header: dict[str, object] = {}
    position = 0
    for name in draw(
        st.lists(names.filter(lambda n: n != "__metadata__"), unique=True, max_size=4)
    ):
        dtype = draw(st.sampled_from(list(BY_SAFETENSORS)))
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        bits = BY_SAFETENSORS[dtype].bits
        for size in shape:
            bits *= size
        if bits % 8:
            shape, bits = [*shape, 8], bits * 8
        end = position + bits // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    if draw(st.booleans()):
        header["__metadata__"] = draw(st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
    return json.dumps(header, ensure_ascii=draw(st.booleans())), position


@st.composite
def broken_headers(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a header of parts that may be wrong, duplicate names among them."""
    pairs = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in draw(members)]
    return "{" + ",".join(pairs) + "}", draw(st.integers(0, 40))


@st.composite
def mutated_headers(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a sound header with a few characters changed, cut or put in."""
    text, size = draw(sound_headers())
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = (
            text[:place]
            + draw(st.sampled_from([*list('{}[]",:0129 \n\\eE.-'), ""]))
            + text[place + cut :]
        )
    return text, size + draw(st.sampled_from([0, 0, 0, 1, -1]))


def deserialize(data: bytes) -> Iterable[tuple[str, dict[str, Any]]]:
    """Parse a whole file with the library."""
    parsed: Iterable[tuple[str, dict[str, Any]]] = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    return parsed


def read_ours(data: bytes, folder: Path) -> Checkpoint:
    path = folder / "model"
    path.write_bytes(data)
    return open_checkpoint(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=500)
@given(st.one_of(sound_headers(), broken_headers(), mutated_headers()))
def test_what_we_accept_the_library_accepts_alike(folder: Path, header: tuple[str, int]) -> None:
    text, size = header
    encoded = text.encode("utf-8", "surrogatepass")
    data = struct.pack("<Q", len(encoded)) + encoded + bytes(max(size, 0))
    try:
        theirs = {name: (t["dtype"], tuple(t["shape"])) for name, t in deserialize(data)}
    except safetensors.SafetensorError:
        with pytest.raises(MalformedError):
            read_ours(data, folder)
        return
    try:
        ours = read_ours(data, folder)
    except MalformedError as error:
        assert any(reason in str(error) for reason in STRICTER), error  # noqa: PT017 (a written list)
        return
    stored = [entry for name, entry in ours.items() if name not in ours.aliases]
    assert {e.name: (e.dtype.safetensors, e.shape) for e in stored} == theirs


@settings(max_examples=300)
@given(sound_headers())
def test_a_sound_header_is_accepted_by_both(folder: Path, header: tuple[str, int]) -> None:
    text, size = header
    data = struct.pack("<Q", len(text.encode())) + text.encode() + bytes(size)
    theirs = dict(deserialize(data))
    ours = read_ours(data, folder)
    assert theirs.keys() == ours.keys() - ours.aliases.keys()
