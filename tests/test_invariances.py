"""What the values of a parameter do not depend on, by the bytes that are written."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
from devices import DEVICES, OTHERS
from drawn import bytes_of, draw, model, parameter, plan_scheme
from forks import Forks
from golden_files import GOLDEN_FILES, GoldenFile, read_hashes
from hypothesis import given
from hypothesis import strategies as st
from program import paramctl
from safetensors.numpy import load_file

from paramctl import writer
from paramctl.checkpoint import Checkpoint
from paramctl.dtypes import FLOATING
from paramctl.edits import filled
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import parse_rule
from paramctl.edits.tying import tie
from paramctl.formats import open_checkpoint
from paramctl.init import streams
from paramctl.writer import WriteOptions, blocks

SAMPLE = Path(__file__).parents[1] / "sample_models" / "mlp.safetensors"
WIDE = (7, 20_011)  # of more elements than are drawn, and narrowed, at a time
SCHEMES = {
    "uniform": WIDE,
    "normal": WIDE,
    "trunc_normal": WIDE,
    "mixture(1/2: zeros, 1/2: normal)": WIDE,
    "constant(0.1)": WIDE,
    "sparse(0.5)": (33, 65),
    "orthogonal": (33, 65),
    "dirac": (8, 4, 3),
}
NET = model(
    parameter("a.weight", 300, 1000),
    parameter("b.weight", 300, 1000, dtype="bfloat16"),
    parameter("b.bias", 300),
    parameter("c.weight", 100, 60, dtype="float16"),
    parameter("d.weight", 60, 50, dtype="float64"),
)
RULES = [
    "a=normal",
    "b=xavier",
    "b.bias=uniform",
    "c=orthogonal",
    "d=mixture(1/2: zeros, 1/2: normal)",
]
SMALL = {
    name: entry._replace(shape=tuple(max(size // 20, 1) for size in entry.shape))
    for name, entry in NET.items()
}
"""The same parameters of fewer elements."""


def stream(checkpoint: Checkpoint) -> bytes:
    """Return the file that is written of a checkpoint."""
    pieces: list[bytes] = []
    writer.stream(checkpoint, pieces.append, WriteOptions())
    return b"".join(pieces)


def contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    return {name: bytes_of(entry) for name, entry in checkpoint.items()}


SMALL_CONTENTS = contents(draw(model(*SMALL.values()), *RULES))


@pytest.fixture(scope="module")
def expected() -> bytes:
    return stream(draw(NET, *RULES))


@cache
def filled_by(scheme: str, dtype: str) -> tuple[Checkpoint, bytes]:
    checkpoint = draw(model(parameter("w", *SCHEMES[scheme], dtype=dtype)), f"w={scheme}")
    return checkpoint, bytes_of(checkpoint["w"])


@given(scheme=st.sampled_from(list(SCHEMES)), dtype=st.sampled_from(sorted(FLOATING)), at=st.data())
def test_any_range_of_bytes_is_that_of_the_whole(
    scheme: str, dtype: str, at: st.DataObject
) -> None:
    checkpoint, whole = filled_by(scheme, dtype)
    storage = checkpoint["w"].storage
    assert storage is not None
    begin = at.draw(st.integers(0, len(whole)))
    length = at.draw(st.integers(0, min(1000, len(whole) - begin)) | st.just(len(whole) - begin))
    assert storage.source.read(begin, length) == whole[begin : begin + length]


@given(rules=st.permutations(RULES), names=st.permutations(list(NET)))
def test_the_order_of_rules_and_parameters_does_not_count(
    rules: list[str], names: list[str]
) -> None:
    net = model(*(SMALL[name] for name in names))
    assert contents(draw(net, *rules)) == SMALL_CONTENTS


@given(chosen=st.sets(st.sampled_from(range(len(RULES))), min_size=1))
def test_other_parameters_and_rules_do_not_count(chosen: set[int]) -> None:
    rules = [RULES[place] for place in sorted(chosen)]
    net = model(*(SMALL[list(NET)[place]] for place in sorted(chosen)))
    assert contents(draw(net, *rules)) == {name: SMALL_CONTENTS[name] for name in net}
    planned = plan(model(*SMALL.values()), [parse_rule(text) for text in rules])
    for found in planned.draws:
        (name,) = found.names
        alone = planned._replace(draws=(found,))
        drawn = initialize(model(*SMALL.values()), alone, 0)
        assert bytes_of(drawn[name]) == SMALL_CONTENTS[name]


@given(addresses=st.permutations(["a", "b", "b.bias", "c.weight"]))
def test_the_order_of_addresses_does_not_count(addresses: list[str]) -> None:
    net = model(*(SMALL[name] for name in list(NET)[:4]))
    found, expected = (
        initialize(net, plan_scheme(net, "normal", *order), 0)
        for order in (addresses, sorted(addresses))
    )
    assert stream(found) == stream(expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("elements", [1000, 99_991])
def test_threads_and_blocks_do_not_count(
    elements: int, threads: int, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    monkeypatch.setattr(blocks, "ELEMENTS", elements)
    assert stream(draw(NET, *RULES)) == expected


@pytest.mark.parametrize(("words", "elements"), [(64, 1 << 15), (1 << 20, 1), (8000, 999)])
def test_chunks_do_not_count(words: int, elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", words)
    monkeypatch.setattr(filled, "PART", elements)
    assert contents(draw(model(*SMALL.values()), *RULES)) == SMALL_CONTENTS


@pytest.mark.parametrize("device", OTHERS)
@pytest.mark.parametrize("dtype", sorted(FLOATING))
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_device_does_not_count(scheme: str, dtype: str, device: str) -> None:
    net = model(parameter("w", *SCHEMES[scheme], dtype=dtype))
    planned = plan(net, [parse_rule(f"w={scheme}")])
    _, expected = filled_by(scheme, dtype)
    assert bytes_of(initialize(net, planned, 0, device)["w"]) == expected


@pytest.mark.parametrize("device", OTHERS)
def test_a_count_is_zero_on_any_device(device: str) -> None:
    net = model(parameter("bn.num_batches_tracked", dtype="int64"))
    planned = plan_scheme(net, "default")
    assert bytes_of(initialize(net, planned, 0, device)["bn.num_batches_tracked"]) == bytes(8)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scheme", ["normal", "trunc_normal", "orthogonal", "sparse(0.5)"])
@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_no_elements_are_no_bytes(shape: tuple[int, int], scheme: str, device: str) -> None:
    net = model(parameter("w", *shape, dtype="bfloat16"))
    planned = plan(net, [parse_rule(f"w={scheme}")])
    storage = initialize(net, planned, 0, device)["w"].storage
    assert storage is not None
    assert storage.source.read(0, 0) == b""


def test_shards_do_not_count(expected: bytes, tmp_path: Path) -> None:
    filled = draw(NET, *RULES)
    writer.save(filled, str(tmp_path / "net"), WriteOptions(max_shard_size=500_000))
    sharded = open_checkpoint(str(tmp_path / "net"))
    assert len(list((tmp_path / "net").glob("*.safetensors"))) > 2
    assert contents(sharded) == contents(filled)
    assert json.loads(sharded.metadata["paramctl.init"]) == json.loads(
        filled.metadata["paramctl.init"]
    )
    (tmp_path / "one").write_bytes(expected)
    assert contents(open_checkpoint(str(tmp_path / "one"))) == contents(filled)


@pytest.mark.parametrize("scheme", ["normal", "xavier", "default"])
def test_the_order_of_a_tie_does_not_count(scheme: str, tmp_path: Path) -> None:
    """Not of the names in `tie`, nor of those in the file that is written of it."""
    net = model(*(parameter(f"{part}.weight", 40, 30) for part in ("wte", "head", "fc")))
    net = initialize(net, plan_scheme(net, "zeros"), 0)
    found = set()
    for place, names in enumerate([("wte", "head"), ("head", "wte")]):
        path = tmp_path / str(place)
        path.write_bytes(stream(tie(net, names)))
        tied = open_checkpoint(str(path))
        assert len(tied.aliases) == 1
        drawn = contents(initialize(tied, plan_scheme(tied, scheme), 0))
        assert drawn["wte.weight"] == drawn["head.weight"] != drawn["fc.weight"]
        found.add(tuple(sorted(drawn.items())))
    assert len(found) == 1


def test_a_pipe_gives_the_bytes_of_a_file(tmp_path: Path) -> None:
    command = ("init", "--scheme", "xavier", "--seed", "3")
    made = paramctl(*command, SAMPLE, "-o", tmp_path / "file")
    assert made.code == 0, made.err
    with open(tmp_path / "pipe", "wb") as pipe:
        assert paramctl(*command, stdin=SAMPLE.read_bytes(), stdout=pipe).code == 0
    assert (tmp_path / "pipe").read_bytes() == (tmp_path / "file").read_bytes()
    assert load_file(tmp_path / "file").keys() == load_file(SAMPLE).keys()


def test_what_was_drawn_is_still_said_behind_pipes(tmp_path: Path) -> None:
    data, rules = SAMPLE.read_bytes(), ["0=normal", "**.bias=ones"]
    for rule in rules:
        with open(tmp_path / "pipe", "wb") as pipe:
            run = paramctl("init", "--seed", "9", "--rule", rule, stdin=data, stdout=pipe)
        assert run.code == 0, run.err
        data = (tmp_path / "pipe").read_bytes()
    said = json.loads(open_checkpoint(str(tmp_path / "pipe")).metadata["paramctl.init"])
    assert [one["rule"] for one in said] == rules
    assert [one["seed"] for one in said] == [9, 9]


@pytest.mark.parametrize("golden", GOLDEN_FILES, ids=str)
def test_files_never_change(golden: GoldenFile, forks: Forks, tmp_path: Path) -> None:
    """If they must, `python tests/golden_files.py` renews the hashes."""
    assert golden.hash(forks.run, tmp_path) == read_hashes()[str(golden)]


def test_there_is_a_hash_for_every_golden_file_and_no_other() -> None:
    assert list(read_hashes()) == [str(golden) for golden in GOLDEN_FILES]
