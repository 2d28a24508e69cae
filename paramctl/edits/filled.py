"""The bytes of an initialized parameter, computed where they are read."""

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from paramctl.checkpoint import Entry
from paramctl.derived import read_units
from paramctl.init.cores import FEW_CORES
from paramctl.init.distributions import Distribution
from paramctl.init.streams import Stream
from paramctl.narrowing import narrow
from paramctl.sources import Source

_whole = Lock()  # one at a time: LAPACK has threads of its own, which get in one another's way
_device = Lock()  # one at a time: a device takes its memory for each
PART = 1 << (18 if FEW_CORES else 20)  # elements that are drawn and narrowed at a time


class Filled(Source):
    """A tensor's elements, little-endian and row-major, as a distribution draws them.

    What needs the whole tensor at once is computed once, and kept until it is released. `announce`
    is called when the first of it is computed.
    """

    def __init__(
        self,
        entry: Entry,
        distribution: Distribution,
        stream: Stream,
        announce: Callable[[], None] | None = None,
    ) -> None:
        self.name = entry.name
        self.size = entry.nbytes
        self.whole = not distribution.is_blockwise
        self.block = PART if stream.device == "cpu" else stream.chunk
        self._entry = entry
        self._distribution = distribution
        self._stream = stream
        self._lock = Lock()
        self._kept: bytes | None = None
        self._announce = announce

    def _read(self, offset: int, length: int) -> bytes:
        self._announce_once()
        if self.whole:
            return self._all()[offset : offset + length]
        return read_units(offset, length, self._entry.dtype.bits // 8, self._elements)

    def release(self) -> None:
        """Let go of a tensor that was computed as a whole; do not wait for one that is."""
        self._kept = None

    def _announce_once(self) -> None:
        with self._lock:
            announce, self._announce = self._announce, None
        if announce is not None:
            announce()

    def _all(self) -> bytes:
        with _whole:
            kept = self._kept
            if kept is None:
                kept = self._kept = self._elements(0, self._entry.numel)
            return kept

    def _elements(self, start: int, count: int) -> bytes:
        if self.whole or self._stream.device != "cpu":
            return self._stored(start, count)
        end = start + count
        begins = range(start, end, PART)
        return b"".join(self._stored(begin, min(PART, end - begin)) for begin in begins)

    def _stored(self, start: int, count: int) -> bytes:
        """Return the bytes of some elements, all of them in memory at once."""
        if self._stream.device != "cpu":
            with _device:
                tensor = _narrow_tensor(self._sample(start, count), self._entry.dtype.name)
            values: bytes = tensor.cpu().numpy().tobytes()
            return values
        return narrow(self._sample(start, count), self._entry.dtype).tobytes()

    def _sample(self, start: int, count: int) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is infinite
            return self._distribution.sample(self._stream, start, count)


def _narrow_tensor(values: Any, dtype: str) -> Any:
    """Return a torch tensor's values in another type, as bytes; the device does the rounding."""
    import torch  # noqa: PLC0415 (only devices other than the CPU need it)

    return values.to(getattr(torch, dtype)).view(torch.uint8)
