from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paramctl.init.streams import CHUNK, Stream

DEVICES = ["cpu", "cpu:0", *(["cuda"] if torch.cuda.is_available() else [])]
"""numpy, torch's CPU tensors by the code for other devices, and a GPU where there is one."""

WINDOW = CHUNK + 40
PLACES = st.integers(0, CHUNK + 20).flatmap(
    lambda start: st.tuples(st.just(start), st.integers(0, WINDOW - start))
)
FAR = 2**35 - 8 * 5  # past what 32 bits can count


def numpys_words(stream: Stream, count: int) -> Any:
    """Draw the words by the lines that the documentation gives to those who want to check."""
    generator = np.random.Generator(np.random.Philox(key=stream.key()))
    return generator.integers(0, 2**32, size=count, dtype=np.uint32)


def as_numpy(words: Any) -> Any:
    """Bring words of any device to uint32 of numpy."""
    return words.cpu().numpy().view(np.uint32) if isinstance(words, torch.Tensor) else words


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["0.weight", "", "größe\0", "lone \ud800"])
@pytest.mark.parametrize("seed", [0, 1, 2**64, -3])
def test_words_are_those_of_numpys_philox(seed: int, name: str, device: str) -> None:
    stream = Stream(seed, name, 2, device)
    assert np.array_equal(as_numpy(stream.words(0, 999)), numpys_words(stream, 999))


def test_the_key_is_a_hash_of_seed_name_and_draw() -> None:
    """As b2sum -l 128 gives it, of the three with a zero byte between each."""
    expected = np.frombuffer(bytes.fromhex("8c9e91d6b1b773796f9d978d596265b0"), "<u8")
    assert np.array_equal(Stream(7, "0.weight").skip(3).key(), expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 15, 16, 17])
def test_words_from_any_start_are_a_part_of_the_whole(count: int, device: str) -> None:
    stream = Stream(5, "w", device=device)
    whole = numpys_words(stream, 64)
    for start in range(41):
        assert np.array_equal(as_numpy(stream.words(start, count)), whole[start : start + count])


@pytest.mark.parametrize("device", DEVICES)
@given(place=PLACES)
def test_chunks_are_the_words_cut(device: str, place: tuple[int, int]) -> None:
    start, count = place
    stream = Stream(5, "w", device=device)
    found = np.zeros(count, np.uint32)
    ends = [0]
    for part, words in stream.chunks(start, count):
        found[part] = as_numpy(words)
        assert part.start == ends[-1]
        ends.append(part.stop)
    assert ends[-1] == count
    assert np.array_equal(found, numpys_words(stream, WINDOW)[start : start + count])


@pytest.mark.parametrize("device", DEVICES)
def test_words_far_out_are_those_that_numpy_advances_to(device: str) -> None:
    stream = Stream(5, "w", device=device)
    philox = np.random.Philox(key=stream.key()).advance(FAR // 8)
    expected = np.random.Generator(philox).integers(0, 2**32, size=80, dtype=np.uint32)
    assert np.array_equal(as_numpy(stream.words(FAR + 3, 70)), expected[3:73])


def test_every_seed_name_and_draw_has_words_of_its_own() -> None:
    streams = [
        Stream(seed, name, draw) for seed in range(3) for name in ("a", "b") for draw in (0, 1)
    ]
    words = {stream.words(0, 16).tobytes() for stream in streams}
    assert len(words) == len(streams)
