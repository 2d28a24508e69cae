"""What `show` writes: values of any size in little memory, and why where there are none."""

import io
import json
import os
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from index_rows import index
from memory import describe, zeros
from nets import STATES
from oracle import SPARSE_PARTS, TORCH_WARNINGS, to_numpy
from program import PARAMCTL, paramctl
from safetensors_rows import F32, one
from safetensors_rows import tensor as tensor_json
from test_arrays import READABLE, VIEWS, every_pattern, of_bytes
from torch import Tensor

from paramctl import open as open_model
from paramctl.addresses import Match
from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.errors import MalformedError
from paramctl.groups import Groups
from paramctl.slices import Index
from paramctl.views.json_values import json_blocks, nested_lists
from paramctl.views.shown import Shown
from paramctl.views.values import npy_blocks, texts

pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCH_WARNINGS]

MIB = 1 << 20
FACTS = "grad: none stored"
OPAQUE = "values of float4_e2m1fn_x2 are not unpacked; paramctl show --format raw writes its bytes"


def coo(indices: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.sparse_coo_tensor(indices, values, shape, check_invariants=True)


SPARSE: dict[str, Callable[[], Tensor]] = {
    "coo": lambda: coo(
        torch.tensor([[0, 1, 2], [2, 0, 1]]), torch.tensor([0.5, 40.0, -1.0]), (3, 3)
    ),
    "coo of rows": lambda: torch.rand(4, 3).to_sparse(1),
    "coo of one number": lambda: coo(torch.empty(0, 2, dtype=torch.int64), torch.rand(2), ()),
    "coo of nothing": lambda: coo(torch.empty(2, 0, dtype=torch.int64), torch.empty(0), (3, 3)),
    "coo of 2000": lambda: torch.eye(2000, dtype=torch.bfloat16).to_sparse(),
    "coo of rows of nothing": lambda: torch.empty(3, 0, 2).to_sparse(1),
    "coo to be learned": lambda: torch.eye(3).to_sparse().requires_grad_(),
    "coo of complex numbers": lambda: torch.eye(3, dtype=torch.complex128).to_sparse(),
    "csr": lambda: torch.eye(30).to_sparse_csr(),
    "csr of integers": lambda: torch.eye(3, dtype=torch.int16).to_sparse_csr(),
    "csr of nothing": lambda: torch.zeros(3, 4).to_sparse_csr(),
    "csc": lambda: torch.eye(3, dtype=torch.float64).to_sparse_csc(),
    "bsr": lambda: torch.rand(4, 4).to_sparse_bsr((2, 2)),
    "bsc": lambda: torch.rand(4, 6).to_sparse_bsc((2, 3)),
    "csr of a batch": lambda: torch.ones(2, 3, 3).to_sparse_csr(),
}


def joined(entry: Entry) -> str:
    return "".join(nested_lists(entry))


def plain_json(value: Any) -> Any:
    """Turn what JSON lacks into what it has."""
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, complex):
        return [plain_json(value.real), plain_json(value.imag)]
    is_strange = isinstance(value, float) and value - value != 0
    return str(value) if is_strange else value


def as_json(tensor: Tensor) -> str:
    values = to_numpy(tensor)
    assert values is not None
    return json.dumps(plain_json(values.tolist()))


# Arrays


@pytest.fixture(params=[1, 7, 1 << 17])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many values are handed on at a time."""
    monkeypatch.setattr("paramctl.arrays.NUMBERS", request.param)
    return int(request.param)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dtype", READABLE)
def test_json_holds_nested_lists_of_every_type(dtype: str) -> None:
    for shape in ((), (1,), (9,), (3, 4), (2, 1, 3), (1, 5, 2, 1), (0,), (2, 0, 3), (0, 2)):
        tensor = of_bytes(dtype, shape)
        assert joined(describe(tensor)) == as_json(tensor)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_json_has_strings_for_what_is_no_number(dtype: str) -> None:
    tensor = every_pattern(dtype)
    assert joined(describe(tensor)) == as_json(tensor)


@given(st.lists(st.integers(0, 5), max_size=5), st.integers(1, 9), st.booleans())
def test_json_opens_and_closes_lists_of_any_shape(
    shape: list[int],
    few: int,
    is_complex: bool,  # noqa: FBT001 (hypothesis names them)
) -> None:
    tensor = torch.arange(np.prod(shape, dtype=int), dtype=torch.float64).reshape(shape)
    tensor = torch.complex(tensor, -tensor) if is_complex else tensor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paramctl.arrays.NUMBERS", few)
        assert joined(describe(tensor)) == as_json(tensor)


def test_json_of_endless_empty_lists_begins_at_once() -> None:
    entry, _ = zeros("float32", 1 << 40, 0)
    assert next(iter(nested_lists(entry))).startswith("[[], [], []")


def shown(*entries: Entry) -> list[Shown]:
    checkpoint = Checkpoint("file", "format", {entry.name: entry for entry in entries})
    return [
        Shown.of(checkpoint, Match(name, ()), Groups(checkpoint.aliases)) for name in checkpoint
    ]


def part_of(path: Path, index: Index = ()) -> Shown:
    """Take a part of the only tensor of a file."""
    checkpoint = open_model(path)
    (name,) = checkpoint
    return Shown.of(checkpoint, Match(name, index), Groups(checkpoint.aliases))


def printed(part: Shown) -> str:
    (text,) = texts([part])
    return text.partition("\n")[2]


def said_of(part: Shown) -> Any:
    (said,) = json.loads("".join(json_blocks([part])))
    return said


@pytest.mark.parametrize("name", VIEWS)
def test_npy_is_what_numpy_saves(name: str) -> None:
    expected = io.BytesIO()
    np.save(expected, VIEWS[name].contiguous().numpy())
    assert b"".join(npy_blocks(*shown(describe(VIEWS[name])))) == expected.getvalue()


@pytest.mark.parametrize("dtype", READABLE)
def test_npy_is_what_numpy_saves_of_every_type(dtype: str) -> None:
    for tensor in (of_bytes(dtype, (3, 4)), of_bytes(dtype, ()), of_bytes(dtype, (0, 2))):
        values, expected = to_numpy(tensor), io.BytesIO()
        assert values is not None
        np.save(expected, values)
        assert b"".join(npy_blocks(*shown(describe(tensor)))) == expected.getvalue()


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize(("form", "mebibytes"), [("npy", 400), ("raw", 400), ("json", 8)])
def test_values_of_any_size_take_little_memory(
    form: str, mebibytes: int, dtype: str, tmp_path: Path
) -> None:
    path = zeros_file(tmp_path, mebibytes * MIB, dtype)
    with open(os.devnull, "wb") as nowhere:
        run = paramctl("show", path, "w", "--format", form, stdout=nowhere)
    assert (run.code, run.err) == (0, "")
    assert run.megabytes < 150


def zeros_file(folder: Path, nbytes: int, dtype: str) -> Path:
    """Write a file of zeros that takes no room on the disk."""
    shape = [1024, nbytes // 1024 // {"F32": 4, "BF16": 2}[dtype]]
    path = folder / "zeros.safetensors"
    path.write_bytes(one(tensor_json(dtype, str(shape), 0, nbytes), b""))
    with path.open("ab") as file:
        file.truncate(path.stat().st_size + nbytes)
    return path


def test_an_array_that_memory_cannot_hold_is_shown(tmp_path: Path) -> None:
    """So are its corners, which are all that is printed."""
    path = zeros_file(tmp_path, 5 << 30, "F32")
    with subprocess.Popen(
        [PARAMCTL, "show", path, "--format", "json"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.read(1000).count(b", 0.0") > 100
        process.stdout.close()
    assert process.returncode == 141
    assert "[0., 0., 0.,  ..., 0., 0., 0.]" in paramctl("show", path).out


# What is no array


@pytest.mark.parametrize("name", SPARSE)
def test_a_sparse_tensor_prints_as_torch_prints_it(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save({"s": SPARSE[name]()}, tmp_path / "s.pt")
    sparse = torch.load(tmp_path / "s.pt")["s"]
    assert printed(part_of(tmp_path / "s.pt")) == str(sparse)


def test_json_has_the_parts_of_a_sparse_tensor(tmp_path: Path) -> None:
    for name, make in SPARSE.items():
        sparse = make()
        torch.save({"s": sparse}, tmp_path / "s.pt")
        said = said_of(part_of(tmp_path / "s.pt"))
        methods = SPARSE_PARTS[sparse.layout]
        parts = [getattr(sparse, method)().detach() for method in methods]
        assert (said["values"], f"torch.{said['layout']}") == (None, str(sparse.layout)), name
        assert [part["name"] for part in said["parts"]] == [name.strip("_") for name in methods]
        assert [part["shape"] for part in said["parts"]] == [list(part.shape) for part in parts]
        assert [json.dumps(part["values"]) for part in said["parts"]] == list(map(as_json, parts))


@pytest.mark.parametrize("name", ["qint8", "quint8", "qint32", "quantized per channel"])
def test_a_quantized_tensor_shows_its_integers(name: str, tmp_path: Path) -> None:
    state = STATES[name]()
    assert isinstance(state, dict)
    torch.save(state, tmp_path / "q.pt")
    for choice in ((), (1,), (slice(1, None),)):
        integers = state["q"][choice].int_repr()
        part = part_of(tmp_path / "q.pt", choice)
        assert printed(part) == f"int_repr:\n{integers!s}"
        assert said_of(part)["parts"][0]["values"] == integers.tolist()


def mixed(folder: Path) -> Path:
    """A layer of what has values and of what has none."""
    values = {
        "first": torch.ones(2),
        "coo": SPARSE["coo"](),
        "q": torch.quantize_per_tensor(torch.ones(2), 0.5, 2, torch.qint8),
        "meta": torch.empty(3, 4, device="meta"),
        "fp4": torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        "last": torch.zeros(1),
    }
    torch.save({f"layer.{name}": value for name, value in values.items()}, folder / "mixed.pt")
    return folder / "mixed.pt"


def test_a_layer_is_shown_whatever_is_in_it(tmp_path: Path) -> None:
    run = paramctl("show", mixed(tmp_path), "layer")
    assert (run.code, run.err) == (0, "")
    layer = [value.partition("\n") for value in run.out.rstrip("\n").split("\n\n")]
    assert [facts for facts, _, _ in layer] == [
        f"layer.first  ·  [2] float32  ·  {FACTS}",
        f"layer.coo  ·  [3, 3] float32  ·  sparse_coo  ·  {FACTS}",
        f"layer.q  ·  [2] qint8  ·  quantized  ·  {FACTS}",
        f"layer.meta  ·  [3, 4] float32  ·  meta  ·  requires_grad: False  ·  {FACTS}",
        f"layer.fp4  ·  [4] float4_e2m1fn_x2  ·  {FACTS}",
        f"layer.last  ·  [1] float32  ·  {FACTS}",
    ]
    assert [values for _, _, values in layer] == [
        "tensor([1., 1.])",
        str(SPARSE["coo"]()),
        "int_repr:\ntensor([4, 4], dtype=torch.int8)",
        "'layer.meta' is meta: only its shape and its type are stored",
        f"'layer.fp4': {OPAQUE}",
        "tensor([0.])",
    ]
    assert paramctl("show", mixed(tmp_path), "*").out == run.out


def test_json_says_what_has_no_values(tmp_path: Path) -> None:
    said = json.loads(paramctl("show", mixed(tmp_path), "--format", "json").out)
    assert [value.get("layout") for value in said] == [
        *(None, "sparse_coo", "quantized", "meta", "strided", None)
    ]
    assert [value["values"] for value in said] == [[1.0, 1.0], None, None, None, None, [0.0]]
    assert "parts" not in said[3]


def test_slices_of_a_glob_are_taken_where_there_are_slices(tmp_path: Path) -> None:
    run = paramctl("show", mixed(tmp_path), "layer.*[:1]")
    assert run.code == 0
    assert "layer.first[:1]  ·  [1] of [2]" in run.out
    assert "'layer.coo' is sparse_coo: no slice of it can be taken, name it whole" in run.out


@pytest.mark.parametrize(
    ("address", "form", "message"),
    [
        ("layer.meta", "text", "'layer.meta' is meta: only its shape and its type are stored"),
        ("layer.meta", "json", "'layer.meta' is meta: only its shape and its type are stored"),
        ("layer.meta", "npy", "'layer.meta' is meta: only its shape and its type are stored"),
        ("layer.meta[0]", "raw", "'layer.meta' is meta: only its shape and its type are stored"),
        ("layer.coo[0]", "text", "no slice of it can be taken, name it whole"),
        ("layer.coo", "npy", "it is no single array; --format json shows its parts"),
        ("layer.q", "raw", "it is no single array; --format json shows its parts"),
        ("layer.fp4", "json", OPAQUE),
        ("layer.fp4", "npy", OPAQUE),
    ],
)
def test_what_has_no_values_is_an_error_where_it_is_all_that_is_named(
    address: str, form: str, message: str, tmp_path: Path
) -> None:
    run = paramctl("show", mixed(tmp_path), address, "--format", form)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.endswith(f"{message}\n")


def test_a_nested_tensor_shows_its_parts(tmp_path: Path) -> None:
    torch.save({"n": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, tmp_path / "n")
    run = paramctl("show", tmp_path / "n")
    assert "values:\ntensor([1., 1., 1., 1., 1.])\nsizes:\ntensor([[2],\n        [3]])" in run.out


def test_a_layer_that_has_not_been_run_is_shown(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.LazyLinear(3), torch.nn.Linear(1, 1)), tmp_path / "m")
    run = paramctl("show", tmp_path / "m", "--quiet")
    assert run.code == 0
    assert "'0.weight' is uninitialized: its shape is not known yet\n" in run.out
    assert "1.bias  ·  [1] float32" in run.out


def test_of_a_missing_file_is_said_which_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(one(F32, name='"a"'))
    path = index(tmp_path, {"a": "a.safetensors", "b": "gone.safetensors", "c": "a.safetensors"})
    gone = "'b' is missing: gone.safetensors is not there; put it beside the index"
    for address, form in product(("b", "b[0]"), ("text", "json", "npy", "raw")):
        run = paramctl("show", path, address, "--format", form)
        assert (run.code, run.out) == (3, "")
        assert run.err.endswith(f"{gone}\n")
    assert paramctl("ls", path, "b").code == 3
    assert "'c' is missing: a.safetensors does not hold it" in paramctl("show", path, "c").err
    everything = paramctl("show", path)
    assert everything.code == 0
    assert f"a  ·  [1] float32  ·  {FACTS}\ntensor([0.])\n" in everything.out
    assert f"b  ·  missing  ·  {FACTS}\n{gone}\n" in everything.out
    said = json.loads(paramctl("show", path, "--format", "json").out)
    assert (said[1]["values"], said[1]["layout"], said[1]["shape"]) == (None, "missing", None)


LAYOUTS = [
    *(str(layout)[6:] for layout in SPARSE_PARTS),
    "quantized",
    "nested",
    "strided",
    "conjugate",
    "wrapper",
    "\x1b[31m",
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shapes", [[], [()], [(), ()], [(0,), (), (2, 0)], [(3,)] * 4])
def test_whatever_a_file_says_that_a_tensor_is_made_of_is_shown_or_refused(
    layout: str, shapes: list[tuple[int, ...]]
) -> None:
    parts = tuple(zeros("int64", *shape)[0] for shape in shapes)
    odd = zeros("float32", 2)[0]._replace(name="odd", layout=layout, parts=parts, storage=None)
    text, _ = texts(shown(odd, describe(torch.ones(1))))
    assert all(c == "\n" or c.isprintable() for c in text)
    first, _ = json.loads("".join(json_blocks(shown(odd, describe(torch.ones(1))))))
    assert first["values"] is None


def test_a_tensor_that_prints_as_too_many_numbers_does_not_hide_the_others() -> None:
    large = zeros("float32", 7)[0]._replace(name="large", shape=(7,) * 20, strides=(0,) * 20)
    text, after = texts(shown(large, describe(torch.ones(1))))
    assert text.endswith("over 1048576; name a slice of it")
    assert after.endswith("tensor([1.])")


def test_json_of_a_malformed_file_is_refused_before_it_begins() -> None:
    short = Storage(zeros("uint8", 4)[1], 0, 4)
    entries = [zeros("float32", 2)[0], zeros("float32", 2)[0]._replace(name="v", storage=short)]
    with pytest.raises(MalformedError, match="'v' takes bytes 0 to 8 of a storage of 4"):
        json_blocks(shown(*entries))
