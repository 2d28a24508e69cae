"""The lists of GGUF files, vocabularies among them: checked, and read when they are looked at."""

import json
import struct
from pathlib import Path

import gguf_rows
import pytest
from forks import Forks
from hypothesis import given
from hypothesis import strategies as st
from memory import Memory
from safetensors import safe_open

from paramctl import open as open_model
from paramctl.checkpoint import ReadOptions
from paramctl.errors import FileError
from paramctl.formats import gguf
from paramctl.formats.gguf import cursor

SAMPLE = Path(__file__).parents[1] / "sample_models" / "llama.gguf"


def test_a_listing_leaves_vocabularies_where_they_are(tmp_path: Path, forks: Forks) -> None:
    path = gguf_rows.vocabulary(tmp_path)
    run = forks.run("ls", path)
    assert (run.code, run.out[:5]) == (0, "w\t[2]")
    assert run.megabytes < 60
    tokens, scores, types, merges = open_model(path).metadata.values()
    assert list(tokens) == [f"token{place}" for place in range(256_000)]
    assert (scores[-2:], set(types), merges.count("to ken")) == ([255998, 255999], {1}, 256_000)


@given(st.lists(st.text(max_size=40)), st.lists(st.floats(width=32)), st.integers(1, 80))
def test_lists_are_the_same_by_any_window(
    texts: list[str], floats: list[float], window: int
) -> None:
    lists = [
        gguf_rows.array(gguf_rows.STRING, len(texts), b"".join(map(string, texts))),
        gguf_rows.array(gguf_rows.FLOAT32, len(floats), struct.pack(f"<{len(floats)}f", *floats)),
        gguf_rows.array(gguf_rows.BOOL, window, b"\1" * window),
    ]
    pairs = [gguf_rows.pair(b"k%d" % n, gguf_rows.ARRAY, each) for n, each in enumerate(lists)]
    data = gguf_rows.gguf(gguf_rows.info(b"w"), pairs=pairs)
    near, far = Memory(data), Memory(data)
    far.is_far = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "FIRST", window)
        patch.setattr(cursor, "WINDOW", window)
        found = [gguf.read(source, ReadOptions()) for source in (near, far)]
        assert max(near.nbytes_read, far.nbytes_read) <= len(data)
        near.reads.clear()
        far.reads.clear()
        for checkpoint in found:
            assert list(checkpoint) == ["w"]
            told = list(map(list, checkpoint.metadata.values()))
            assert repr(told) == repr([texts, floats, [True] * window])  # some are NaN
    assert far.reads == []
    assert near.nbytes_read <= sum(map(len, lists))


def string(text: str) -> bytes:
    return gguf_rows.string(text.encode())


def test_a_list_of_a_file_that_changed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(SAMPLE.read_bytes())
    tokens = open_model(path).metadata["tokenizer.ggml.tokens"]
    path.write_bytes(SAMPLE.read_bytes() + bytes(1))
    with pytest.raises(FileError, match="file changed since it was listed"):
        list(tokens)


def test_lists_are_written_and_compared_whole(tmp_path: Path, forks: Forks) -> None:
    tokens = [f"<{place}>" for place in range(64)]
    forks.run("convert", SAMPLE, "--dtype", "f32", "-o", tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", "pt") as written:
        assert json.loads(written.metadata()["tokenizer.ggml.tokens"]) == tokens
    shards = tmp_path / "shards"
    forks.run("convert", SAMPLE, "--dtype", "f32", "--max-shard-size", "9KB", "-o", shards)
    index = json.loads((shards / "model.safetensors.index.json").read_bytes())
    assert index["metadata"]["tokenizer.ggml.tokens"] == tokens
    assert forks.run("diff", SAMPLE, shards, "--ignore", "dtype").code == 0
