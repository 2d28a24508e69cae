"""Entries that lie together are read together, and come to what each read by itself does."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from memory import Memory, describe

from paramctl.arrays import read
from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.errors import MalformedError
from paramctl.runs import MAX_RUN, SMALL_GAP, read_all

DATA = bytes(place % 251 for place in range(1 << 14))
DTYPES = [*("uint8", "bfloat16", "float32", "float64", "complex64", "float8_e4m3fn")]


def entry_at(offset: int, numel: int, dtype: str = "float32", *, source: Memory) -> Entry:
    kind = BY_NAME[dtype]
    return Entry("w", kind, (numel,), Storage(source, offset, numel * kind.bits // 8))


@st.composite
def layouts(draw: st.DrawFn) -> list[Entry]:
    """Draw entries of any types, in any order, with any gaps, of two files."""
    sources = Memory(DATA), Memory(DATA[::-1])
    entries, position = [], 0
    for _ in range(draw(st.integers(0, 12))):
        dtype = draw(st.sampled_from(DTYPES))
        numel, gap = draw(st.integers(0, 9)), draw(st.sampled_from([0, 0, 0, 3, -40, SMALL_GAP]))
        position = max(0, position + gap)
        entry = entry_at(position, numel, dtype, source=draw(st.sampled_from(sources)))
        storage = entry.storage
        assert storage
        turned = storage._replace(big_endian=draw(st.booleans()))
        entries.append(entry._replace(storage=turned))
        position = min(position + entry.nbytes, len(DATA) - 2 * SMALL_GAP)
    return entries


@given(layouts())
def test_values_are_those_of_each_read_by_itself(entries: list[Entry]) -> None:
    found = list(read_all(entries))
    assert len(found) == len(entries)
    for entry, values in zip(entries, found, strict=True):
        assert values.dtype == read(entry).dtype
        assert values.tobytes() == read(entry).tobytes()


def test_neighbours_take_one_read() -> None:
    source = Memory(DATA)
    far = 200 + SMALL_GAP
    places = [0, 12, 50, far, far + 12]
    list(read_all([entry_at(place, 3, source=source) for place in places]))
    assert source.reads == [(0, 62), (far, 24)]


def test_a_run_is_no_longer_than_its_limit() -> None:
    source = Memory(bytes(3 * MAX_RUN))
    numel = MAX_RUN // 16
    list(read_all([entry_at(4 * numel * place, numel, source=source) for place in range(10)]))
    assert [length for _, length in source.reads] == [MAX_RUN, MAX_RUN, MAX_RUN // 2]


def test_views_are_read_as_they_lie() -> None:
    base = torch.arange(60.0).reshape(6, 10)
    entries = [describe(view) for view in (base, base.t(), base[2], base[:, 3], base[4:, 5:6])]
    expected = [base, base.t(), base[2], base[:, 3], base[4:, 5:6]]
    for values, tensor in zip(read_all(entries), expected, strict=True):
        assert np.array_equal(values, tensor.reshape(-1).numpy())


@pytest.mark.parametrize("offset", [1, -1])
def test_an_entry_that_leaves_its_storage_reads_no_neighbour(offset: int) -> None:
    source = Memory(DATA)
    first, last = entry_at(0, 4, source=source), entry_at(16, 4, source=source)
    with pytest.raises(MalformedError, match=r"takes bytes .* of a storage of 16"):
        list(read_all([first, last._replace(offset=offset)]))
