"""What listings, values and metadata look like, and that their numbers are right."""

import io
import json
import re
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from hypothesis import given
from hypothesis import strategies as st
from program import paramctl, run_on_terminal
from rich.cells import cell_len
from rich.console import Console
from safetensors.torch import save_file
from safetensors_rows import F32, header, one, tensor

from paramctl import open as open_model
from paramctl.layers import natural_key
from paramctl.views.clipping import clip, cut
from paramctl.views.escaping import escape
from paramctl.views.metadata import read_metadata, text_metadata
from paramctl.views.rows import Row, make_rows, total
from paramctl.views.separators import ASCII_ELLIPSIS, ASCII_SEPARATOR, UNICODE_ELLIPSIS
from paramctl.views.summary import header_line
from paramctl.views.tree import Line, flat_lines
from paramctl.views.tree_table import print_lines
from paramctl.views.units import format_bytes, format_share

SAMPLES = Path(__file__).parents[1] / "sample_models"
MODELS = sorted(path for path in SAMPLES.iterdir() if path.suffix != ".py" and path.name[0] != "_")


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_the_totals_are_the_sums_of_the_lines(model: Path, transformers_forks: Forks) -> None:
    run = transformers_forks.run("ls", model)
    rows = [line.split("\t") for line in run.out.splitlines()]
    own = [row for row in rows if row[7] == "-"]
    weights = [row for row in own if row[5] != "buffer"]
    checkpoint = open_model(model)
    totals = total(checkpoint, make_rows(checkpoint, checkpoint))
    assert totals.parameters == sum(int(row[3]) for row in weights)
    assert totals.tensors == len(weights)
    assert totals.ties == len(rows) - len(own)
    assert totals.stored == sum(int(row[4]) for row in own)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_every_format_tells_the_same(model: Path, transformers_forks: Forks) -> None:
    tsv = [line.split("\t") for line in transformers_forks.run("ls", model).out.splitlines()]
    document = json.loads(transformers_forks.run("ls", model, "--format", "json").out)
    lines = transformers_forks.run("ls", model, "--format", "jsonl").out.splitlines()
    assert document["tensors"] == [json.loads(line) for line in lines]
    assert [[cell(value) for value in row.values()] for row in document["tensors"]] == tsv
    names = transformers_forks.run("ls", model, "--format", "names").out.splitlines()
    assert names == [row[0] for row in tsv]


def cell(value: object) -> str:
    return "-" if value is None else str(value)


def test_views_of_one_storage_are_stored_once(tmp_path: Path) -> None:
    base = torch.zeros(10)
    state = {"low": base[:6], "high": base[4:], "far": base[9:], "wide": torch.zeros(1).expand(99)}
    torch.save(state, tmp_path / "views.pt")
    checkpoint = open_model(tmp_path / "views.pt")
    totals = total(checkpoint, make_rows(checkpoint, checkpoint))
    assert (totals.stored, totals.logical) == (44, (6 + 6 + 1 + 99) * 4)
    run = paramctl("ls", tmp_path / "views.pt", "--format", "tree")
    assert "high  [6]    float32       6   24 B  overlaps low" in run.out
    assert "expanded from 4 bytes" in run.out
    assert run.out.splitlines()[-1].endswith("44 B stored (448 B as shaped)")


def test_show_json_holds_the_values_exactly(tmp_path: Path) -> None:
    state = {
        "w": torch.tensor([[0.1, float("nan")], [float("-inf"), 3.0]]),
        "c": torch.tensor(1 + 2j),
    }
    torch.save(state, tmp_path / "odd.pt")
    w, c = json.loads(paramctl("show", tmp_path / "odd.pt", "--format", "json").out)
    assert w["values"] == [[float(np.float32(0.1)), "nan"], ["-inf", 3.0]]
    assert (w["name"], w["dtype"], w["shape"], w["grad"]) == ("w", "float32", [2, 2], None)
    assert c["values"] == [1.0, 2.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.int64])
def test_show_npy_and_raw_hold_the_values(dtype: torch.dtype, tmp_path: Path) -> None:
    values = torch.arange(24).reshape(4, 6).to(dtype)
    path = tmp_path / "values.safetensors"
    save_file({"w": values}, path)
    raw = run_bytes("show", path, "w[1:3, ::2]", "--format", "raw")
    assert raw == values[1:3, ::2].contiguous().view(torch.uint8).numpy().tobytes()
    array = np.load(io.BytesIO(run_bytes("show", path, "w[1:3, ::2]", "--format", "npy")))
    assert np.array_equal(array, values[1:3, ::2].to(torch.float64).numpy())


def run_bytes(*arguments: str | Path) -> bytes:
    import subprocess  # noqa: PLC0415 (binary output, which `program` decodes)

    from program import PARAMCTL  # noqa: PLC0415

    return subprocess.run([PARAMCTL, *map(str, arguments)], capture_output=True, check=True).stdout


def test_show_of_nothing_named_shows_everything() -> None:
    run = paramctl("show", SAMPLES / "mlp.pt")
    assert re.findall(r"^(\S+)  ·", run.out, re.MULTILINE) == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    ]


def test_show_says_what_is_known_of_gradients_and_ties() -> None:
    module = paramctl("show", SAMPLES / "mlp_module.pt", "2.bias").out.splitlines()[0]
    assert "parameter  ·  requires_grad: True  ·  grad: none stored" in module
    shared = paramctl("show", SAMPLES / "shared.pt", "4.bias").out.splitlines()[0]
    assert shared.endswith("tied to 2.bias")


def test_metadata_in_a_string_is_opened(tmp_path: Path) -> None:
    inner = json.dumps({"lr": 0.1, "tags": ["a", "b"], "name": "x\x1b"})
    text = json.dumps({"__metadata__": {"format": "pt", "config": inner}, "w": json.loads(F32)})
    (tmp_path / "m").write_bytes(header(text, bytes(4)))
    run = paramctl("meta", tmp_path / "m")
    assert run.out == ('format: pt\nconfig:\n  lr: 0.1\n  tags: ["a", "b"]\n  name: x\\x1b\n')
    assert paramctl("meta", tmp_path / "m", "config", "lr").out == "0.1\n"
    assert (
        json.loads(paramctl("meta", tmp_path / "m", "--format", "json").out)["config"]["lr"] == 0.1
    )


def test_a_pair_that_looks_like_a_tie_is_listed_and_shown(tmp_path: Path) -> None:
    pairs = '{"monitor":"weight","chain":"monitor","note":"nothing"}'
    (tmp_path / "m").write_bytes(header(f'{{"__metadata__":{pairs},"weight":{F32}}}', bytes(4)))
    run = paramctl("ls", tmp_path / "m")
    assert [line.split("\t")[::7] for line in run.out.splitlines()] == [
        ["weight", "-"],
        ["monitor", "weight"],
    ]
    run = paramctl("meta", tmp_path / "m")
    assert (run.out, run.err) == ("monitor: weight\nchain: monitor\nnote: nothing\n", "")


def test_no_metadata_is_said_aside(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(one(F32))
    run = paramctl("meta", tmp_path / "m")
    assert (run.code, run.out) == (0, "")
    assert run.err.endswith("no metadata\n")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (5_240_000, "5.24 MB"),
        (10**12, "1.00 TB"),
        (10**24, "1,000,000 EB"),
    ],
)
def test_bytes_have_three_digits(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1e-6, "0.0001%"),
        (0.99949, "99.9%"),
        (1 - 1e-9, ">99.9%"),
        (1, "100%"),
        (None, ""),
    ],
)
def test_only_all_is_a_hundred_percent(share: float | None, text: str) -> None:
    assert format_share(share) == text


@given(st.text())
def test_escaped_text_prints_and_keeps_what_did(text: str) -> None:
    assert escape(text).isprintable()
    assert escape(text) == text or not text.isprintable() or "\\" in text


@given(st.text(max_size=1000))
def test_escaped_text_is_what_python_would_read_back(text: str) -> None:
    plain = "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in escape(text))
    assert plain.encode("ascii").decode("unicode_escape") == text


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    names = ["h.10.w", "h.2.w", "h.w", "a", "h.2.b", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "h.2.b", "h.2.w", "h.10.w", "h.w"]


@given(st.recursive(st.none() | st.text() | st.floats() | st.booleans(), st.lists))
def test_any_metadata_is_printed_in_safe_lines(value: object) -> None:
    text = text_metadata(read_metadata({"k": value}))
    assert all(c == "\n" or c.isprintable() for c in text)


def test_a_table_names_whole_parameters() -> None:
    lines = paramctl("ls", SAMPLES / "rgnet.pt", "--format", "table").out.splitlines()
    assert lines[2].split("  ")[0] == "0.block 0.0.weight"
    assert len(lines) == 18 + 3


def test_a_long_class_is_clipped_and_a_long_tie_told_below_before_columns_go() -> None:
    row = Row("w", (4, 4), "float32", 16, 64, "", "", "", "")
    long = "Attention" + "WithEverything" * 9
    lines = [
        Line("", "layer", None, "", long, 1, 16, 64),
        *flat_lines([row, row._replace(name="v", tied="some.layer." * 9 + "weight")]),
    ]
    out = io.StringIO()
    print_lines(Console(file=out, width=80), lines, 80)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "       type                                        shape   dtype    values  size",
        "layer  AttentionW…ingWithEverythingWithEverything                       16  64 B",
        "w                                                  [4, 4]  float32      16  64 B",
        "v                                                  [4, 4]  float32      16  64 B",
        "    = some.layer.some.layer.some.layer.some.layer.some.layer.some.layer.some.lay",
        "    er.some.layer.some.layer.weight",
    ]


def test_a_depth_is_that_of_a_tree() -> None:
    run = paramctl("ls", SAMPLES / "gpt2", "--depth", "1")
    assert (run.code, run.out) == (2, "")
    assert run.err == "paramctl: --depth is of a tree, this is tsv; add --format tree\n"
    tree = paramctl("ls", SAMPLES / "gpt2", "--depth", "1", "--format", "tree")
    assert len(tree.out.splitlines()) == 4 + 3


def test_sorting_by_size_puts_the_largest_first() -> None:
    sizes = [
        int(line.split("\t")[4])
        for line in paramctl("ls", SAMPLES / "rgnet.pt", "--sort", "size").out.splitlines()
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_a_scalar_and_an_empty_tensor_are_listed(tmp_path: Path) -> None:
    text = f'{{"e":{tensor("F32", "[0,3]", 0, 0)},"s":{tensor("F64", "[]", 0, 8)}}}'
    (tmp_path / "m").write_bytes(header(text, bytes(8)))
    assert paramctl("ls", tmp_path / "m").out.splitlines() == [
        "e\t[0, 3]\tfloat32\t0\t0\t-\t-\t-\t-",
        "s\t[]\tfloat64\t1\t8\t-\t-\t-\t-",
    ]
    assert "tensor([], size=(0, 3))" in paramctl("show", tmp_path / "m").out


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (torch.ones(2), "a tensor"),
        ([{"w": torch.ones(2)}], "a list"),
        ({"epoch": 3}, "no tensors"),
        ({"w": torch.ones(2)}, "a state dict"),
        ({"model": {"w": torch.ones(2)}}, "model"),
        ({"model": torch.nn.Linear(1, 1)}, "model, a whole module: Linear"),
        (torch.nn.Linear(1, 1), "a whole module: Linear"),
    ],
)
def test_the_header_says_what_a_torch_file_holds(value: object, holds: str, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "m.pt")
    run = paramctl("ls", tmp_path / "m.pt", "--format", "tree")
    assert run.out.splitlines()[0].split("  ·  ")[2] == holds


def test_the_header_can_be_written_in_ascii() -> None:
    line = header_line(open_model(SAMPLES / "training.pt"), ASCII_SEPARATOR)
    assert line.isascii()
    assert line.split("  -  ")[1] == "torch zip"


def test_objects_in_metadata_are_told_by_their_class(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1), "seen": np.zeros(3), "args": Namespace(lr=0.1)}, tmp_path / "m")
    run = paramctl("meta", tmp_path / "m")
    assert run.out == "w: float32 [1]\nseen: numpy.ndarray\nargs:\n  lr: 0.1\n"


def test_a_slice_of_a_big_tensor_is_stored_with_all_of_it(tmp_path: Path) -> None:
    torch.save({"slice": torch.zeros(1000, 1000)[:2, :2]}, tmp_path / "m.pt")
    run = paramctl("ls", tmp_path / "m.pt", "--format", "tree")
    assert run.out.endswith("4.00 MB stored (16 B as shaped)\n")


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    st.integers(1, 20),
    st.sampled_from([UNICODE_ELLIPSIS, ASCII_ELLIPSIS]),
)
def test_what_is_shortened_fits_and_begins_as_before(text: str, width: int, ellipsis: str) -> None:
    for shorten in (cut, clip):
        short = shorten(text, width, ellipsis)
        assert cell_len(short) <= width
        assert (short == text) == (cell_len(text) <= width)
        assert text[:1].startswith(short[: width > 2 * len(ellipsis)]) or cell_len(text[:1]) > 1


@pytest.mark.parametrize(
    "call",
    [
        ["ls", "a"],
        ["diff", "a", "b"],
        ["check", "a"],
        ["plot", "a", "x.0.{}"],
        ["plot", "a", "x.0.{}", "--kind", "heat"],
        ["rename", "a", "s/x/y/"],
        ["probe", "net.yaml", "--seed", "0"],
    ],
    ids=" ".join,
)
def test_what_is_left_out_is_told_where_there_is_no_unicode(
    call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "long" * 30
    state = {f"x.{i}.{long}": torch.full((1 + i, 2), torch.nan) for i in range(4)}
    save_file(state, tmp_path / "a", {"note": long})
    save_file({name: torch.zeros_like(each) for name, each in state.items()}, tmp_path / "b")
    (tmp_path / "net.yaml").write_text(f"layers:\n  - {long}: {{Linear: [2, 3]}}\n")
    monkeypatch.chdir(tmp_path)
    arguments = [each.format(long) for each in call]
    shown = run_on_terminal(*arguments, columns=60, PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert "..." in shown
    assert shown.isascii()
    assert "\\u2026" not in shown
