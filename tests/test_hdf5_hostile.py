"""What an HDF5 file or a Keras archive may do to us."""

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from forks import Forks
from hostile import VERBS, Row, assert_bounded, assert_refused
from hypothesis import given
from hypothesis import strategies as st

from paramctl import arrays
from paramctl.checkpoint import MISSING, Checkpoint, ReadOptions
from paramctl.errors import FileError, LimitError, MalformedError
from paramctl.formats import read_checkpoint
from paramctl.formats.hdf5.file import read
from paramctl.sources import BytesSource, Source

FILES = Path(__file__).parent / "files"
EVERYTHING = ReadOptions(everything=True)
NET = (FILES / "net.weights.h5").read_bytes()
KERAS = FILES / "net.keras"
SIGNATURE = b"\x89HDF\r\n\x1a\n"


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what runs the program with h5py in it already."""
    with Forks(tmp_path_factory.mktemp("forks"), "h5py") as forks:
        yield forks


def make(write: Callable[[h5py.File], object], **options: Any) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        write(file)
    return stream.getvalue()


def name_at_length(file: h5py.File) -> None:
    """Write long names, each below the one before: every group's path would hold them all."""
    for depth in range(1, 5):
        file.create_group("/".join(["x" * 50_000] * depth))


def listed(data: bytes) -> Checkpoint:
    return read(BytesSource(data, "x"), EVERYTHING)


def read_values(checkpoint: Checkpoint) -> None:
    for entry in checkpoint.values():
        if entry.layout != MISSING:
            b"".join(arrays.raw(entry))


def zipped(deflated: tuple[str, ...] = (), **members: bytes | str | None) -> bytes:
    """Return the Keras archive with members changed, or left out where they are None."""
    stream = io.BytesIO()
    with zipfile.ZipFile(KERAS) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = members.get(name.partition(".")[0], old.read(name))
            method = zipfile.ZIP_DEFLATED if name in deflated else zipfile.ZIP_STORED
            if content is not None:
                new.writestr(name, content, method)
    return stream.getvalue()


def nest(file: h5py.File) -> None:
    group = file
    for _ in range(10_000):
        group = group.create_group("g")
    group["w"] = np.zeros(2)


def filter_of(code: int) -> bytes:
    """Return a file whose chunks are packed by a filter of this number, which nobody has."""
    data = make(
        lambda file: file.create_dataset("a", data=np.zeros(9), chunks=(3,), compression="gzip")
    )
    place = data.index(b"deflate\0")
    return data[: place - 8] + struct.pack("<H", code) + data[place - 6 :]


def bomb(_: object = None) -> bytes:
    """Return a chunk of 24 bytes that inflates to 1 GB."""

    def write(file: h5py.File) -> None:
        dataset = file.create_dataset("a", (3,), "f8", chunks=(3,), compression="gzip")
        dataset.id.write_direct_chunk((0,), DEFLATED)

    return make(write)


def chunk(stored: bytes, **packing: Any) -> bytes:
    """Return a file in whose one chunk, which should unpack to 24 bytes, others are stored."""

    def write(file: h5py.File) -> None:
        dataset = file.create_dataset("a", (3,), "f8", chunks=(3,), **packing)
        dataset.id.write_direct_chunk((0,), stored)

    return make(write)


def chunks_of_one_place() -> bytes:
    """Return a file whose second chunk is where the first one is, by its place in the index."""
    data = bytearray(make(lambda file: file.create_dataset("a", data=np.arange(6.0), chunks=(3,))))
    index = data.index(b"TREE\1")
    struct.pack_into("<Q", data, index + 24 + 32 + 8, 0)
    return bytes(data)


def heaps_in_one_another() -> bytes:
    """Return a chunk of what looks like heaps, each of which has all behind it in one object."""
    size, count = 64_000, 1_000
    heads = (
        struct.pack("<8sQ2H4xQ", b"GCOL\1\0\0\0", left, 1, 0, left - 32)
        for left in range(size, size - 32 * count, -32)
    )
    data = np.frombuffer(b"".join(heads).ljust(size, b"\0"), "u1")
    return make(lambda file: file.create_dataset("a", data=data, chunks=(size,)))


def deflate_zeros(nbytes: int) -> bytes:
    packer = zlib.compressobj()
    packed = [packer.compress(bytes(1 << 20)) for _ in range(nbytes >> 20)]
    return b"".join(packed) + packer.flush()


DEFLATED = deflate_zeros(1 << 30)


def texts(change: Callable[[bytearray, int], None]) -> bytes:
    """Return a file with an attribute in whose heap, or reference to it, something is changed."""
    data = bytearray(make(lambda file: file.attrs.__setitem__("told", "a" * 24)))
    change(data, data.index(b"GCOL"))
    return bytes(data)


def change_reference(data: bytearray, heap: int) -> None:
    reference = data.index(struct.pack("<LQL", 24, heap, 1))
    data[reference : reference + 3] = b"\xff" * 3


def change_heap(data: bytearray, heap: int) -> None:
    """Make the first free object's size 0, so that it is its own successor."""
    free = heap + 16 + 16 + 24
    data[free : free + 16] = bytes(16)


def change_size(data: bytearray, heap: int) -> None:
    data[heap + 8 : heap + 16] = struct.pack("<Q", 1 << 40)


def lead_in_a_circle() -> bytes:
    """Return a file in which the first free place of a group's names is its own successor."""
    data = bytearray(make(lambda file: file.create_group("g")))
    place = data.index(b"HEAP")
    _, free, begin = struct.unpack_from("<3Q", data, place + 8)
    struct.pack_into("<Q", data, begin + free, free)
    return bytes(data)


def path_for_a_name() -> bytes:
    """Return a file in which a link's name leads through a group whose tree is in itself."""

    def write(file: h5py.File) -> None:
        file["g/y"] = np.zeros(2)
        file["g_x"] = np.zeros(2)

    data = bytearray(make(write).replace(b"g_x", b"g/x"))
    tree = data.rindex(b"TREE\0\0")
    data[tree + 5] = 1
    struct.pack_into("<Q", data, tree + 24 + 8, tree)
    return bytes(data)


def tree_in_itself(kind: int, key: int) -> bytes:
    """Return a file in which what is below the nodes of trees of a kind are these again."""

    def write(file: h5py.File) -> None:
        file.create_dataset("a", data=np.arange(6.0), chunks=(3,))

    data, place = bytearray(make(write)), 0
    while (place := data.find(b"TREE" + bytes([kind, 0]), place)) >= 0:
        data[place + 5] = 1
        for child in range(data[place + 6]):
            struct.pack_into("<Q", data, place + 24 + key + child * (key + 8), place)
        place += 1
    return bytes(data)


def write_large(file: h5py.File) -> None:
    """Write what takes trees of version 2: many links, and chunks, attributes, a large one."""
    for number in range(2_000):
        file.create_group(f"group {number}")
    file.create_dataset("a", data=np.ones((40, 40)), chunks=(2, 2), maxshape=(None, None))
    file.create_dataset("growing", data=np.ones((40, 4)), chunks=(1, 2), maxshape=(None, 4))
    file.create_dataset("fixed", data=np.ones((40, 4)), chunks=(1, 2))
    for number in range(20):
        file["a"].attrs[f"n{number}"] = number
    file["a"].attrs["large"] = np.zeros(20_000)


LARGE = make(write_large, libver="latest")
LINKS, CHUNKS, ATTRIBUTES, LARGE_OBJECTS = 5, 10, 8, 1  # what trees of version 2 are for


def of_tree(purpose: int, offset: int, value: int, width: int = 8) -> bytes:
    """Return the file with another number in the header of a tree."""
    data = bytearray(LARGE)
    place = data.index(b"BTHD\0" + bytes([purpose])) + offset
    data[place : place + width] = value.to_bytes(width, "little")
    return bytes(data)


def of_root(purpose: int, pointer: int) -> bytes:
    """Return the file with a tree whose root leads to its first node twice."""
    data = bytearray(LARGE)
    head = data.index(b"BTHD\0" + bytes([purpose]))
    (record,) = struct.unpack_from("<H", data, head + 10)
    root, count = struct.unpack_from("<QH", data, head + 16)
    first = root + 6 + count * record
    data[first + pointer : first + 2 * pointer] = data[first : first + pointer]
    return bytes(data)


def of_heap(offset: int, width: int) -> bytes:
    """Return the file with a number in the headers of its heaps that is 0."""
    data = bytearray(LARGE)
    for found in re.finditer(b"FRHP", LARGE):
        data[found.start() + offset : found.start() + offset + width] = bytes(width)
    return bytes(data)


def of_array(signature: bytes, offset: int, value: int, width: int) -> bytes:
    """Return the file with another number in the header of an array of chunks."""
    data = bytearray(LARGE)
    place = data.index(signature) + offset
    data[place : place + width] = value.to_bytes(width, "little")
    return bytes(data)


def of_no_dimensions() -> bytes:
    """Return a file whose layout says that chunks have no dimensions."""
    data = bytearray(
        make(lambda file: file.create_dataset("a", (3,), "f4", chunks=(2,)), libver="latest")
    )
    data[data.index(b"\4\2\0\2\1\2") + 3] = 0
    return bytes(data)


def of_attributes(begin: int, changed: bytes) -> bytes:
    """Return the file with other places of its attributes in their heap."""
    data = bytearray(LARGE)
    head = data.index(b"BTHD\0" + bytes([ATTRIBUTES]))
    leaf, count = struct.unpack_from("<QH", data, head + 16)
    for place in range(leaf + 6, leaf + 6 + 17 * count, 17):
        data[place + begin : place + begin + len(changed)] = changed
    return bytes(data)


def behind(data: bytes, base: int = 512) -> bytes:
    """Return a file of a superblock of version 0 behind a user block, with a base address."""
    end = int.from_bytes(data[40:48], "little") + 512
    places = struct.pack("<Q", base) + data[32:40] + struct.pack("<Q", end)
    return bytes(512) + data[:24] + places + data[48:]


REFUSED = [
    Row("a-heap-of-no-signature", of_heap(0, 4), 3, "a broken heap"),
    Row("a-heap-of-no-rows", of_heap(110, 2), 3, "a broken heap"),
    Row("a-heap-of-no-blocks", of_heap(112, 8), 3, "a broken heap"),
    Row("a-heap-of-larger-blocks-than-any", of_heap(120, 8), 3, "a broken heap"),
    Row("attributes-on-one-another", of_attributes(6, b"\0\x80"), 3, "attributes that overlap"),
    Row("attributes-beyond-the-end", of_attributes(0, b"\0" + b"\xff" * 5), 3, "truncated"),
    Row("attributes-of-all-objects", of_attributes(8, b"\2"), 3, "attributes that objects share"),
    Row("attributes-of-two-bytes", of_tree(ATTRIBUTES, 10, 2, 2), 3, "a broken tree"),
    Row("links-in-a-tree-of-others", of_tree(LINKS, 5, LARGE_OBJECTS, 1), 3, "a broken tree"),
    Row("chunks-up-to-2^40", of_array(b"EAHD", 44, 1 << 40, 8), 3, "a broken array of chunks"),
    Row("chunks-in-blocks-of-none", of_array(b"EAHD", 9, 0, 1), 3, "a broken array of chunks"),
    Row("chunks-in-2^40-bytes", of_array(b"FAHD", 8, 1 << 40, 8), 3, "a broken array of chunks"),
    Row("chunks-of-no-dimensions", of_no_dimensions(), 3, "chunks of no dimensions"),
    Row("links-more-than-told", of_tree(LINKS, 26, 10), 3, "a tree of 10 records that holds 2"),
    Row("links-of-no-tree", of_tree(LINKS, 26, 0), 3, "a tree of 0 records that holds 2"),
    Row("links-in-nodes-of-1-GB", of_tree(LINKS, 6, 1 << 30, 4), 3, "a broken tree"),
    Row("links-of-no-bytes", of_tree(LINKS, 10, 0, 2), 3, "a broken tree"),
    Row("links-in-another-node", of_tree(LINKS, 16, 0), 3, "a broken tree"),
    Row("links-beyond-the-end", of_tree(LINKS, 16, 1 << 40), 3, "truncated"),
    Row("links-60,000-levels-down", of_tree(LINKS, 12, 60_000, 2), 3, "a broken tree"),
    Row("links-more-than-a-node-holds", of_tree(LINKS, 24, 60_000, 2), 3, "a broken tree"),
    Row("links-in-a-node-twice", of_root(LINKS, 11), 3, "a tree with a node twice"),
    Row("chunks-more-than-told", of_tree(CHUNKS, 26, 1), 3, "a tree of 1 records"),
    Row("attributes-more-than-told", of_tree(ATTRIBUTES, 26, 1), 3, "1 records that holds 21"),
    Row("large-ones-more-than-told", of_tree(LARGE_OBJECTS, 26, 0), 3, "0 records that holds 1"),
    Row("cut-before-its-end", NET[:9_000], 3, "HDF5: "),
    Row("nothing-but-a-signature", SIGNATURE, 3, "of other addresses"),
    Row("addresses-of-4-bytes", NET[:13] + b"\4" + NET[14:], 3, "of other addresses"),
    Row("another-base", NET[:24] + b"\1" + NET[25:], 3, "HDF5: "),
    Row("another-base-behind-a-user-block", behind(NET, base=1024), 3, "HDF5: "),
    Row("a-base-beyond-any-file", behind(NET, base=2**64 - 1), 3, "HDF5: "),
    Row("cut-behind-a-user-block", behind(NET)[:9_000], 3, "HDF5: "),
    Row("nothing-behind-a-user-block", bytes(512) + SIGNATURE, 3, "of other addresses"),
    Row("a-user-block-of-no-such-size", b"\xff\1".ljust(768) + NET, 3, "in no format that"),
    Row("a-circle-behind-one", behind(lead_in_a_circle()), 3, "free places lead in a circle"),
    Row("a-tree-in-itself-behind-one", behind(tree_in_itself(0, 8)), 3, "with a node twice"),
    Row("groups-in-groups", make(nest), 5, "nested more than 256 deep"),
    Row("a-long-name-above-many", make(name_at_length), 5, "more than 4,096 characters"),
    Row("a-text-of-16-MB", texts(change_reference), 3, "no text of 16777215 bytes"),
    Row("a-heap-without-an-end", texts(change_heap), 3, "a broken heap"),
    Row("a-heap-of-1-TB", texts(change_size), 5, "a heap of 1099511627776 bytes"),
    Row("free-places-in-a-circle", lead_in_a_circle(), 3, "free places lead in a circle"),
    Row("a-path-for-a-name", path_for_a_name(), 3, "a link with the name 'g/x', which is a path"),
    Row("a-group-s-tree-in-itself", tree_in_itself(0, 8), 3, "a tree with a node twice"),
    Row("a-tree-of-chunks-in-itself", tree_in_itself(1, 24), 3, "with a node twice"),
    Row("a-tree-of-another-level", NET.replace(b"TREE\0\0", b"TREE\0\1"), 3, "a broken tree"),
    Row("also-a-zip", NET + b"PK\5\6" + bytes(18), 3, "both a hdf5 file"),
    Row("no-weights", zipped(model=None), 3, "without model.weights.h5; it holds metadata.json"),
    Row("no-config", zipped(config=None), 3, "without config.json"),
    Row("weights-of-no-format", zipped(model=b"x" * 100), 3, "HDF5: "),
    Row("metadata-of-no-format", zipped(metadata="[]"), 3, "metadata.json is no object"),
    Row("a-config-of-no-text", zipped(config=b"\xff"), 3, "config.json is not UTF-8"),
    Row(
        "weights-that-inflate",
        zipped(("model.weights.h5",), model=NET + bytes((1 << 30) + 1)),
        5,
        "model.weights.h5 inflates from",
    ),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
def test_a_malformed_file_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_refuses_it(verb: tuple[str, ...], tmp_path: Path, forks: Forks) -> None:
    for row in REFUSED[:2]:
        assert_refused(forks.run(*verb, row.write(tmp_path)), row)


UNPACKED = "a chunk of '/a' does not unpack to its 24 bytes"
UNREADABLE = [
    Row(
        "an-unknown-filter",
        filter_of(32_001),
        3,
        "packed by 'deflate', filter 32001, which is not read",
    ),
    Row("a-chunk-that-inflates-to-1-GB", bomb(), 3, UNPACKED),
    Row(
        "a-chunk-that-inflates-to-8",
        chunk(zlib.compress(bytes(8)), compression="gzip"),
        3,
        UNPACKED,
    ),
    Row("a-chunk-of-lzf-that-is-8", chunk(b"\7" + bytes(8), compression="lzf"), 3, UNPACKED),
    Row(
        "a-chunk-of-lzf-that-is-cut", chunk(b"\7" + bytes(4), compression="lzf"), 3, "is cut short"
    ),
    Row("a-chunk-without-its-checksum", chunk(b"ab", fletcher32=True), 3, UNPACKED),
    Row("a-chunk-that-is-cut", chunk(bytes(8), shuffle=True), 3, UNPACKED),
    Row("two-chunks-of-one-place", chunks_of_one_place(), 3, "two chunks of '/a' have one place"),
    Row("heaps-in-one-another", heaps_in_one_another(), 3, "heaps that overlap"),
]


@pytest.mark.parametrize("row", UNREADABLE, ids=lambda row: row.id)
def test_values_that_cannot_be_unpacked_are_listed_and_not_read(
    row: Row, tmp_path: Path, forks: Forks
) -> None:
    path = row.write(tmp_path)
    assert forks.run("ls", path).out.startswith("a\t[")
    run = forks.run("show", path, "a", "--format", "json")
    assert run.code == row.code
    assert row.message in run.err
    assert_bounded(run)


def test_values_that_are_only_claimed_are_missing(tmp_path: Path, forks: Forks) -> None:
    def write(file: h5py.File) -> None:
        file.create_dataset("large", (10**6, 10**6), "f8", chunks=(1000, 1000))
        file.create_dataset("many", (10**8,), "i1", chunks=(1,))

    (tmp_path / "x").write_bytes(make(write))
    run = forks.run("ls", tmp_path / "x")
    assert (run.code, run.out.count("missing")) == (3, 2)
    assert "'large': of its 8000000000000 bytes 0 are stored" in run.err
    assert "'many': of its 100000000 chunks few are stored" in run.err
    for verb, *address in (("stats",), ("show", "large"), ("show", "many[5]")):
        run = forks.run(verb, tmp_path / "x", *address)
        assert run.code == 3
        assert_bounded(run)


def test_many_chunks_that_are_not_stored_take_little_memory(tmp_path: Path, forks: Forks) -> None:
    path = tmp_path / "x"
    path.write_bytes(make(lambda file: file.create_dataset("a", (60_000,), "i1", chunks=(1,))))
    for verb in ("stats", "show"):
        run = forks.run(verb, path)
        assert run.code == 0
        assert_bounded(run)


def test_names_and_texts_are_escaped(tmp_path: Path, forks: Forks) -> None:
    name = "<b>\x1b[31m\u202e\n[red]"

    def write(file: h5py.File) -> None:
        file[f"a/{name}"] = np.zeros(2)
        file.attrs[name] = name

    (tmp_path / "x").write_bytes(make(write))
    assert forks.run("ls", tmp_path / "x").out.startswith("a.<b>\\x1b[31m\\u202e\\n[red]\t[2]")
    run = forks.run("meta", tmp_path / "x")
    assert "\x1b" not in run.out
    assert "\\x1b[31m" in run.out


def test_groups_that_unfold_to_very_many_values_are_over_a_limit() -> None:
    def write(file: h5py.File) -> None:
        file["0/w"] = np.zeros(2)
        for level in range(1, 40):
            for name in ("a", "b"):
                file[f"{level}/{name}"] = file[f"{level - 1}"]

    with pytest.raises(LimitError, match="a small file that unfolds to very"):
        listed(make(write))


def test_a_file_cut_anywhere_is_malformed() -> None:
    for length in range(16, len(NET), 501):
        with pytest.raises(MalformedError):
            listed(NET[:length])


RICH = make(
    lambda file: (
        file.attrs.update(text="a text", texts=["a", "b"], numbers=np.arange(3)),
        file.create_dataset("a/packed", data=np.arange(99.0), chunks=(9,), compression="gzip"),
        file.create_dataset("whole", data=np.arange(9, dtype=">i4")),
        file.__setitem__("link", h5py.SoftLink("/a")),
        file.__setitem__("texts", ["a", "b"]),
    )
)


@given(
    data=st.sampled_from([NET, RICH, behind(RICH)]),
    edits=st.lists(
        st.tuples(st.integers(0, len(NET) - 1), st.binary(min_size=1, max_size=4)),
        min_size=1,
        max_size=4,
    ),
)
def test_a_changed_file_is_read_or_refused(data: bytes, edits: list[tuple[int, bytes]]) -> None:
    changed = bytearray(data)
    for edit, new in edits:
        place = edit % (len(data) - len(new))
        changed[place : place + len(new)] = new
    with suppress(MalformedError, LimitError):
        read_values(listed(bytes(changed)))


class Failing(Source):
    """A file whose bytes cannot be had any more when so many were read."""

    def __init__(self, data: bytes, left: int) -> None:
        self.name, self.size = "x", len(data)
        self._data, self._left = data, left

    def _read(self, offset: int, length: int) -> bytes:
        self._left -= length
        if self._left < 0:
            raise FileError("the disk is gone")
        return self._data[offset : offset + length]


@pytest.mark.parametrize("left", [0, 8, 100, 1_000, 5_000])
def test_an_error_of_a_file_is_told_as_it_is(left: int) -> None:
    with pytest.raises(FileError, match="the disk is gone"):
        read_values(read(Failing(RICH, left), EVERYTHING))


def test_a_deflated_archive_is_read_like_a_stored_one() -> None:
    names = ("model.weights.h5", "config.json")
    packed, stored = (read_checkpoint(BytesSource(zipped(each), "x")) for each in (names, ()))
    assert packed.types == stored.types
    for name, entry in stored.items():
        assert b"".join(arrays.raw(packed[name])) == b"".join(arrays.raw(entry))


def test_code_that_loading_a_model_would_run_is_named(tmp_path: Path, forks: Forks) -> None:
    layers = [
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": "hidden"}},
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "x", "function": {}}},
        {"module": "os", "class_name": "system", "config": "reboot"},
    ]
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}
    (tmp_path / "x").write_bytes(zipped(config=json.dumps(config)))
    run = forks.run("ls", tmp_path / "x")
    assert "names code that loading it would run: keras.Lambda, os.system" in run.err
    assert forks.run("ls", "--fail-on-globals", tmp_path / "x").code == 4


@pytest.mark.parametrize(
    "config", ["{}", "nonsense", "[" * 100_000, '{"class_name": 7, "config": []}', "NaN", '"x"']
)
def test_a_config_that_says_nothing_tells_no_classes(config: str) -> None:
    checkpoint = read_checkpoint(BytesSource(zipped(config=config), "x"))
    assert (len(checkpoint), checkpoint.types, checkpoint.foreign) == (8, {}, ())
