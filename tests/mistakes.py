"""Mistakes in the drawing of values, as such code has made them elsewhere: each patches one in."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
import pytest

from paramctl.dtypes import DType
from paramctl.edits import filled, initialization
from paramctl.edits.filled import Filled
from paramctl.init import normals, streams, uniforms
from paramctl.init.distributions import Normal, Uniform
from paramctl.init.schemes import scaled
from paramctl.init.streams import Stream
from paramctl.init.targets import Target
from paramctl.narrowing import narrow

Patch = pytest.MonkeyPatch


def swap_fans(patch: Patch) -> None:
    fans = Target._fans.fget  # type: ignore[attr-defined] # a property
    patch.setattr(Target, "_fans", property(lambda self: fans(self)[::-1]))


def square_the_gain(patch: Patch) -> None:
    gain_of = scaled.gain_of
    patch.setattr(scaled, "gain_of", lambda *given: gain_of(*given) ** 2)


def forget_root_3(patch: Patch) -> None:
    patch.setattr(scaled, "_uniform", lambda std: Uniform(-std, std))


def take_variance_for_std(patch: Patch) -> None:
    patch.setattr(scaled, "Normal", lambda mean, std: Normal(mean, std**2))


def take_std_for_variance(patch: Patch) -> None:
    patch.setattr(scaled, "Normal", lambda mean, std: Normal(mean, sqrt(std)))


def forget_the_cut(patch: Patch) -> None:
    patch.setattr(scaled, "CUT", 1.0)


def begin_one_late(patch: Patch) -> None:
    chunks = Stream.chunks
    patch.setattr(Stream, "chunks", lambda *its: chunks(its[0], its[1] + bool(its[1]), its[2]))


def shift_within_chunks(patch: Patch) -> None:
    chunks = Stream.chunks

    def shifted(*given: Any) -> Iterator[Any]:
        return ((place, np.roll(words, 1)) for place, words in chunks(*given))

    patch.setattr(Stream, "chunks", shifted)


def begin_at_the_first_block(patch: Patch) -> None:
    generator = Stream._generator
    patch.setattr(Stream, "_generator", lambda self, _: generator(self, 0))


def repeat_the_first_chunk(patch: Patch) -> None:
    chunks = Stream.chunks

    def repeated(stream: Stream, start: int, count: int) -> Iterator[Any]:
        for place, _ in chunks(stream, start, count):
            yield place, stream.words(start, place.stop - place.start)

    patch.setattr(Stream, "chunks", repeated)
    patch.setattr(streams, "CHUNK", filled.PART // 8)


def repeat_the_first_part(patch: Patch) -> None:
    stored = Filled._stored
    patch.setattr(Filled, "_stored", lambda *its: stored(its[0], its[1] % filled.PART, its[2]))


def read_one_late(patch: Patch) -> None:
    elements = Filled._elements
    patch.setattr(Filled, "_elements", lambda *its: elements(its[0], its[1] + bool(its[1]), its[2]))


def ignore_the_name(patch: Patch) -> None:
    key = Stream.key
    patch.setattr(Stream, "key", lambda self: key(self._replace(name="")))


def ignore_the_seed(patch: Patch) -> None:
    key = Stream.key
    patch.setattr(Stream, "key", lambda self: key(self._replace(seed=0)))


def ignore_the_draw(patch: Patch) -> None:
    patch.setattr(Stream, "skip", lambda self, _: self)


def name_a_tie_as_it_is_stored(patch: Patch) -> None:
    patch.setattr(initialization, "min", lambda names: names[0], raising=False)


def drop_the_sign(patch: Patch) -> None:
    fill_normals = normals.fill_normals

    def fill(out: Any, *given: Any) -> None:
        fill_normals(out, *given)
        np.abs(out, out=out)

    patch.setattr(normals, "fill_normals", fill)


def use_a_byte_of_each_word(patch: Patch) -> None:
    patch.setattr(uniforms, "BITS", 8)


def cut_instead_of_rounding(patch: Patch) -> None:
    patch.setattr(filled, "narrow", lambda values, _: (values.view("<u4") >> 16).astype("<u2"))


def round_twice(patch: Patch) -> None:
    def by_half(values: Any, dtype: DType) -> Any:
        return narrow(values.astype("<f2") if dtype.bits < 32 else values, dtype)

    patch.setattr(filled, "narrow", by_half)
