"""What `paramctl meta` reaches in a torch checkpoint: every value that is not a tensor."""

import argparse
import collections
import enum
import json
import pathlib
import pickle
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import from_dtype
from nets import mlp
from pickle_bytes import dictionary, number, tensor, tuple_of
from pickle_rows import CYCLE, DEEP, DOUBLED, alone, repeated
from program import paramctl
from test_layouts import adam, lightning

import paramctl as package
from paramctl.checkpoint import ReadOptions
from paramctl.errors import LimitError
from paramctl.formats import open_checkpoint
from paramctl.formats.pickles import Object, read_pickle
from paramctl.formats.torch.keys import MAX_PARTS, MAX_TEXT, name_key
from paramctl.formats.torch.scalars import read_scalar
from paramctl.views.metadata import read_metadata, tell

NUMBERS = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


class Color(enum.Enum):
    """An enum of a script's own."""

    RED = 1


def saved(value: object, folder: Path) -> Path:
    torch.save(value, folder / "m.pt")
    return folder / "m.pt"


def told(path: Path) -> object:
    run = paramctl("meta", path, "--format", "json")
    assert run.code == 0
    return json.loads(run.out)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["optimizer_states.0.param_groups.0.lr"], "0.01\n"),
        (["optimizer_states", "0", "param_groups", "0", "lr"], "0.01\n"),
        (["optimizer_states.0", "param_groups.0.betas"], "[0.9, 0.999]\n"),
        (["optimizer_states.0.param_groups.0.betas.1"], "0.999\n"),
        (["optimizer_states.0.state.0.step"], "float32 []\n"),
        (["optimizer_states.0.state.3"], "step: float32 []\nexp_avg: float32 [1]\nexp_avg_sq: "),
        (["state_dict.net.0.weight"], "float32 [8, 4]\n"),
        (["hyper_parameters"], "lr: 0.01\nclass_weights: float32 [3]\n"),
        (["callbacks.ModelCheckpoint{'monitor': 'loss'}.best_model_score"], "float32 []\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_key_is_a_dotted_path_or_several_arguments(
    keys: list[str], text: str, tmp_path: Path
) -> None:
    run = paramctl("meta", saved(lightning(), tmp_path), *keys)
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith(text)


def test_without_a_key_every_value_is_told_and_tensors_by_their_number(tmp_path: Path) -> None:
    optimizer = adam()
    value = {"epoch": 3, "model": mlp().state_dict(), "optimizer": optimizer, "seen": [{"a": 1}]}
    path = saved(value, tmp_path)
    assert told(path) == {
        "epoch": 3,
        "model": "4 tensors",
        "optimizer": {
            "state": "12 tensors",
            "param_groups": json.loads(json.dumps(optimizer["param_groups"])),
        },
        "seen": [{"a": 1}],
    }
    text = paramctl("meta", path).out
    assert text.startswith("epoch: 3\nmodel: 4 tensors\noptimizer:\n  state: 12 tensors\n")
    assert text.endswith("seen:\n  0:\n    a: 1\n")


def test_what_is_not_there_is_refused_with_the_keys_that_are(tmp_path: Path) -> None:
    run = paramctl("meta", saved({"optimizer": adam()}, tmp_path), "optimizer.param_groups.0.rate")
    assert (run.code, run.out) == (2, "")
    assert "no metadata 'rate' in 'optimizer.param_groups.0'; there is: lr, betas" in run.err
    run = paramctl("meta", tmp_path / "m.pt", "optimizer.param_groups.1")
    assert "no metadata '1' in 'optimizer.param_groups'; there is: 0\n" in run.err


def test_keys_lead_from_one_into_the_next_and_two_beside_each_other_are_told(
    tmp_path: Path,
) -> None:
    path = saved({"epoch": 3, "optimizer": adam()}, tmp_path)
    for first, second in (("epoch", "optimizer"), ("optimizer", "epoch")):
        run = paramctl("meta", path, first, second)
        assert (run.code, run.out) == (2, "")
        assert run.err == (
            f"paramctl: {path}: no metadata '{second}' in '{first}';"
            f" a key is looked up in the one before it: ask for '{second}' alone\n"
        )
    assert paramctl("meta", path, "epoch", "no").err.endswith("'epoch'; 'epoch' holds no keys\n")


@pytest.mark.parametrize("key", ["epoch", "losses", "losses.0", "arch"])
def test_ls_of_a_plain_value_points_to_meta(key: str, tmp_path: Path) -> None:
    path = saved({"model": mlp().state_dict(), "epoch": 3, "losses": [1.5], "arch": "x"}, tmp_path)
    run = paramctl("ls", path, "--key", key)
    assert (run.code, run.out) == (2, "")
    assert f"'{key}' is no part with tensors; see it with: paramctl meta {path} {key}\n" in run.err
    assert paramctl("meta", path, key).code == 0


@pytest.mark.parametrize("key", ["my arch", "it's", "config", "scheduler"])
def test_the_way_to_meta_can_be_pasted_into_a_shell(key: str, tmp_path: Path) -> None:
    plain = {
        "my arch": "x",
        "it's": 1,
        "config": {"depth": 2},
        "scheduler": collections.OrderedDict(),
    }
    folder = tmp_path / "my models"
    folder.mkdir()
    run = paramctl("ls", saved({"model": mlp().state_dict()} | plain, folder), "--key", key)
    assert (run.code, run.out) == (2, "")
    _, verb, *arguments = shlex.split(run.err.partition("see it with: ")[2])
    assert (verb, arguments) == ("meta", [str(folder / "m.pt"), key])


def test_a_storage_is_told_by_its_bytes(tmp_path: Path) -> None:
    storages = {"s": torch.ones(5).untyped_storage(), "l": [torch.ones(1).untyped_storage()]}
    path = saved({"w": torch.ones(2)} | storages | {"d": torch.float16}, tmp_path)
    header = paramctl("ls", path, "--format", "tree").out.splitlines()[0]
    assert header.endswith("also s: a storage of 20 bytes, l: 1 value, d: torch.float16")
    assert told(path) == {
        "w": "float32 [2]",
        "s": "a storage of 20 bytes",
        "l": ["a storage of 4 bytes"],
        "d": "torch.float16",
    }


def test_a_state_dict_has_no_metadata(tmp_path: Path) -> None:
    run = paramctl("meta", saved(mlp().state_dict(), tmp_path))
    assert (run.code, run.out) == (0, "")
    assert run.err.endswith("no metadata\n")


def test_of_a_module_its_own_attributes_are_told(tmp_path: Path) -> None:
    net = mlp()
    net.names = {0: "cat", 1: "dog"}  # type: ignore[assignment]
    assert told(saved({"model": net}, tmp_path)) == {
        "model": {"training": True, "names": {"0": "cat", "1": "dog"}, "0": "2 tensors"}
        | {"1": {}, "2": "2 tensors"}
    }


def test_values_of_many_classes_are_told_in_words(tmp_path: Path) -> None:
    value = {
        "args": argparse.Namespace(lr=0.1, inner=argparse.Namespace(b=2)),
        "queue": collections.deque([1, 2]),
        "default": collections.defaultdict(list, {"a": [1]}),
        "color": Color.RED,
        "path": pathlib.PurePosixPath("/a/b"),
        "dtype": torch.float16,
        "device": torch.device("cuda", 0),
        "bytes": b"xyz",
        "nan": float("nan"),
        "tuple": (1, "a"),
    }
    assert told(saved(value, tmp_path)) == {
        "args": {"lr": 0.1, "inner": {"b": 2}},
        "queue": [1, 2],
        "default": {"a": [1]},
        "color": f"{__name__}.Color(1)",
        "path": "pathlib.PurePosixPath('/', 'a', 'b')",
        "dtype": "torch.float16",
        "device": "torch.device('cuda', 0)",
        "bytes": "3 bytes",
        "nan": "nan",
        "tuple": [1, "a"],
    }


@given(st.data(), st.sampled_from(NUMBERS), st.integers(2, 5))
def test_a_number_of_numpy_is_its_value(data: st.DataObject, code: str, protocol: int) -> None:
    scalar = np.dtype(code).type(data.draw(from_dtype(np.dtype(code), allow_nan=False)))
    described = read_pickle(pickle.dumps(scalar, protocol)).value
    assert isinstance(described, Object)
    assert read_scalar(described) == scalar.item()


def test_a_number_of_numpy_may_be_big_endian_or_none_that_is_known() -> None:
    data = pickle.dumps(np.int32(1), 2)
    big = read_pickle(data.replace(b"<", b">")).value
    assert read_scalar(big) == 1 << 24  # type: ignore[arg-type]
    odd = read_pickle(data.replace(b"i4", b"i8")).value
    assert read_scalar(odd) is None  # type: ignore[arg-type]


atoms = (
    *(st.none(), st.booleans(), st.integers(), st.floats()),
    *(st.text(max_size=MAX_TEXT), st.binary(max_size=MAX_TEXT)),
)
tuples = st.lists(st.one_of(*atoms), max_size=MAX_PARTS).map(tuple)
nested = st.lists(st.one_of(*atoms, tuples), max_size=MAX_PARTS).map(tuple)


@given(nested)
def test_a_tuple_is_named_as_python_writes_it(key: tuple[object, ...]) -> None:
    assert name_key(key) == repr(key)


def test_keys_of_many_classes_name_tensors(tmp_path: Path) -> None:
    keys = [(1, 2), (1, 3), (1,), (), True, None, 2.5, b"k", torch.float16, Color.RED, (("a", 1),)]
    checkpoint = package.open(saved({key: torch.ones(1) for key in keys}, tmp_path))
    written = {torch.float16: "torch.float16", Color.RED: f"{__name__}.Color(1)"}
    assert list(checkpoint) == [written.get(key) or str(key) for key in keys]
    one = saved({frozenset([1]): {"w": torch.ones(1)}}, tmp_path)
    assert list(package.open(one)) == ["frozenset({1}).w"]


@pytest.mark.parametrize("key", [CYCLE, DEEP, DOUBLED, b"(" + number(1) * 99 + b"t"])
@pytest.mark.parametrize("depth", range(3))
def test_the_name_of_a_hostile_key_is_short(key: bytes, depth: int, tmp_path: Path) -> None:
    for _ in range(depth):
        key = tuple_of(key, key)
    (tmp_path / "m.pt").write_bytes(alone(b"}" + key + tensor() + b"s"))
    (name,) = package.open(tmp_path / "m.pt")
    assert len(name) < 1000
    assert "..." in name


def test_names_of_tuples_are_counted(tmp_path: Path) -> None:
    wide = repeated(number(1), *[b"(" + b"h\0" * MAX_PARTS + b"t"] * 3)
    (tmp_path / "m.pt").write_bytes(alone(b"}(" + wide + number(1) + b"h\0N" * 9000 + b"u"))
    with pytest.raises(LimitError, match="very much text"):
        open_checkpoint(tmp_path / "m.pt", ReadOptions(nested=True))


def test_metadata_that_unfolds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(alone(dictionary(x=DOUBLED, ok=tensor())))
    run = paramctl("meta", tmp_path / "m.pt", "ok")
    assert (run.code, run.out) == (5, "")


def test_json_in_a_string_that_is_nested_very_deep_stays_text() -> None:
    for depth in (300, 900, 100_000):
        deep = "[" * depth + "]" * depth
        assert tell(read_metadata({"deep": deep})).value == {"deep": deep}
