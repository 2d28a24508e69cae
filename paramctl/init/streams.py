"""The random numbers of one parameter, each of them addressable."""

from collections.abc import Iterator
from hashlib import blake2b
from threading import local
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paramctl.init import philox
from paramctl.init.cores import FEW_CORES
from paramctl.init.namespaces import Array

CHUNK = 1 << (18 if FEW_CORES else 20)  # words worked on at a time
DEVICE_CHUNK = 1 << 24  # the same on other devices, where it is the calls that cost


class Stream(NamedTuple):
    """The random numbers of one parameter: a pure function of seed, name, draw and element.

    A draw is a sequence of 32-bit words: the output of Philox4x64-10 (Salmon, Moraes, Dror and
    Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) under the draw's own key, each
    64-bit number giving its low half first; 8 words a counter, from 1 on. So numpy can check them:

        generator = numpy.random.Generator(numpy.random.Philox(key=stream.key()))
        words = generator.integers(0, 2**32, size=n, dtype=numpy.uint32)

    The device `cpu` computes with numpy and never imports torch; any other is a torch device that
    knows float64 (mps does not), and gives the same words as int32, which torch can compute with.
    """

    seed: int
    name: str
    draw: int = 0
    device: str = "cpu"

    @property
    def chunk(self) -> int:
        """How many words `chunks` gives at a time; always a multiple of the words in a block."""
        return CHUNK if self.device == "cpu" else DEVICE_CHUNK

    def skip(self, draws: int) -> "Stream":
        """Return the stream from a later draw on."""
        return self._replace(draw=self.draw + draws)

    def key(self) -> npt.NDArray[np.uint64]:
        """Return the draw's key: a hash of seed, name and draw."""
        text = f"{self.seed}\0{self.name}\0{self.draw}"
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return np.frombuffer(digest, "<u8").astype(np.uint64)

    def words(self, start: int, count: int) -> Array:
        """Return words `start` to `start + count` of the draw."""
        if self.device != "cpu":
            return philox.words(self.key().tolist(), start, count, self.device)
        lead = start % philox.BLOCK
        return _next_words(self._generator(start), lead + count)[lead:]

    def chunks(self, start: int, count: int) -> Iterator[tuple[slice, Array]]:
        """Yield the words in chunks, each with its place among the `count`; they may be changed."""
        if self.device != "cpu":
            for begin in range(0, count, self.chunk):
                size = min(self.chunk, count - begin)
                yield slice(begin, begin + size), self.words(start + begin, size)
            return
        generator = self._generator(start)
        for begin in range(-(start % philox.BLOCK), count, self.chunk):
            end, lead = min(begin + self.chunk, count), max(-begin, 0)
            yield slice(begin + lead, end), _next_words(generator, end - begin)[lead:]

    def empty(self, *shape: int) -> Array:
        """Return a float32 array on the device, not filled yet."""
        if self.device == "cpu":
            return np.empty(shape, np.float32)
        import torch  # noqa: PLC0415 (only devices other than the CPU need it)

        return torch.empty(shape, dtype=torch.float32, device=self.device)

    def scratch(self, rows: int) -> Array:
        """Return arrays of a chunk's size to work in: this thread's, whatever is left in them.

        Fresh memory would cost more than the arithmetic: the system clears every page of it. On a
        device torch keeps what is freed, and the arrays of many threads would fill it.
        """
        if self.device != "cpu":
            return self.empty(rows, self.chunk)
        key = (rows, self.chunk)
        if key not in _scratch.arrays:
            _scratch.arrays[key] = self.empty(rows, self.chunk)
        return _scratch.arrays[key]

    def _generator(self, start: int) -> np.random.Philox:
        """Return numpy's bit generator at the block of a word."""
        return np.random.Philox(key=self.key(), counter=start // philox.BLOCK)


class _Scratch(local):
    """The arrays that a thread works in."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[int, int], Array] = {}


_scratch = _Scratch()


def _next_words(generator: np.random.Philox, count: int) -> npt.NDArray[np.uint32]:
    """Draw at least `count` words, 64 bits at a time: that takes half the time of 32."""
    pairs = generator.random_raw((count + 1) // 2)
    return pairs.astype("<u8", copy=False).view("<u4")[:count]
