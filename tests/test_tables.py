"""Tables on narrow terminals: what the user came for stays, wherever there is room for it."""

import io
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from program import run_on_terminal
from rich.cells import cell_len
from rich.console import Console
from safetensors.torch import save_file

from paramctl.views.clipping import wrap
from paramctl.views.columns import PLAIN, Column, Row
from paramctl.views.tables import print_rows

STACK = "base_model.model.transformer.layers"
COLUMNS = {
    "shape": Column("shape", PLAIN, 0),
    "mean": Column("mean", PLAIN, 1, right=True),
    "norm": Column("norm", PLAIN, 2, right=True),
    "note": Column("", PLAIN, 9, flows=True),
}
LETTERS = "abcdefgh0123456789._-é層"
TEXT = st.text(LETTERS, min_size=1, max_size=60)
ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["", "├─ ", "│  └─ "]),
        TEXT,
        st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, TEXT)),
        st.just(PLAIN),
        st.just(frozenset()),
        st.sampled_from([(), ("mean",), ("norm", "shape")]),
        st.lists(TEXT, max_size=1).map(tuple),
    ),
    min_size=1,
    max_size=8,
)
DIFF = """\
                                    shape   dtype               max diff  rel L2
~ base_m…yers.0.attention.q.weight  [2, 3]  float32                    1       1
~ base_m…yers.1.attention.q.weight  [2, 3]  float32 → bfloat16
~ base_m…yers.1.attention.v.weight  [2, 3]  float32                    1       1
4 parameters: 1 equal, 3 changed
"""


STATS = """\
                                   shape   mean  std  min  max  histogram
rotary.frequencies                 [2]     complex64 has no order
base_mod…ers.0.attention.q.weight  [2, 2]   0.5  0.5    0    1  █▁▁▁▁▁▁▁▁▁▁▁▁▁▁█
base_mod…ers.0.attention.v.weight  [2, 2]   0.5  0.5    0    1  █▁▁▁▁▁▁▁▁▁▁▁▁▁▁█
base_mod…ers.1.attention.q.weight  [2, 2]   0.5  0.5    0    1  █▁▁▁▁▁▁▁▁▁▁▁▁▁▁█
base_mod…ers.1.attention.v.weight  [2, 2]     0    0    0    0
lm_head.weight                     [2, 2]   0.5  0.5    0    1  █▁▁▁▁▁▁▁▁▁▁▁▁▁▁█
    = base_model.model.transformer.layers.0.attention.q.weight
16 values
"""
LS = """\
                                     shape   dtype      values  size
rotary.frequencies                   [2]     complex64       2  16 B
base_model.model.transformer.layers                         16  64 B
├─ 0.attention                                               8  32 B
│  ├─ q.weight                       [2, 2]  float32         4  16 B
│  └─ v.weight                       [2, 2]  float32         4  16 B
└─ 1.attention                                               8  32 B
   ├─ q.weight                       [2, 2]  float32         4  16 B
   └─ v.weight                       [2, 2]  float32         4  16 B
lm_head.weight                       [2, 2]  float32         4  16 B
    = base_model.model.transformer.layers.0.attention.q.weight
18 parameters in 5 tensors, 1 tie counted once, 80 B
"""
CHECK = """\
base_model.model.transformer.layers.1.attention.v.weight  zeros
    all 4 values are 0
base_model.model.transformer.layers.0.attention.v.weight  duplicate
    equal to base_model.model.transformer.layers.0.attention.q.weight
base_model.model.transformer.layers.1.attention.q.weight  duplicate
    equal to base_model.model.transformer.layers.0.attention.q.weight
1 warning, 2 notes; 5 tensors checked, 80 B
zeros: 'paramctl init' draws values for what was never trained
duplicate: 'paramctl tie --equal' stores them once
"""


def printed(rows: list[Row], width: int | None) -> list[str]:
    out = io.StringIO()
    print_rows(Console(file=out, width=width or 1000), rows, COLUMNS, width)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def squeezed(lines: list[str]) -> str:
    return re.sub(r"[\s│├└─]", "", "".join(lines))


def test_a_text_that_flows_has_a_column_where_there_is_room() -> None:
    rows = [
        Row("", "a", {"shape": "[2, 2]", "mean": "0.25"}),
        Row("", "b", {"shape": "[2, 2]", "mean": "0.25", "note": "= a"}),
    ]
    assert printed(rows, 80) == ["   shape   mean", "a  [2, 2]  0.25", "b  [2, 2]  0.25  = a"]


def test_it_takes_the_place_of_empty_columns_else_it_stands_below() -> None:
    why = "complex64 has no order"
    rows = [
        Row("", "a.weight", {"shape": "[2, 2]", "mean": "0.25", "norm": "0.5"}),
        Row("", "b.weight", {"shape": "[2, 2]", "note": why}),
        Row(
            "└─ ", "c", {"shape": "[2, 2]", "mean": "0.25", "norm": "0.5", "note": "= " + "a." * 9}
        ),
    ]
    assert printed(rows, 42) == [
        "          shape   mean  norm",
        "a.weight  [2, 2]  0.25   0.5",
        f"b.weight  [2, 2]  {why}",
        "└─ c      [2, 2]  0.25   0.5",
        "       = a.a.a.a.a.a.a.a.a.",
    ]


def test_a_column_that_is_told_stands_below_where_it_is_left_out() -> None:
    cells = {"shape": "[2, 2]", "mean": "1.25e-05"}
    rows = [Row("", "some.name", cells, told=("mean",)), Row("", "other", cells)]
    assert printed(rows, 20) == [
        "           shape",
        "some.name  [2, 2]",
        "    mean 1.25e-05",
        "other      [2, 2]",
    ]


def test_names_of_layers_are_told_apart_by_their_numbers() -> None:
    rows = [Row("", f"{STACK}.{n}.attention.output.weight", {"shape": "[2, 2]"}) for n in range(3)]
    rows += [Row("", "head", {"norm": "0.123456789012345678901234567890123456789"})]
    header, *lines = printed(rows, 60)
    assert header.split() == ["shape"]
    assert lines[:3] == [
        f"base_model.m…former.layers.{n}.attention.output.weight  [2, 2]" for n in range(3)
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@given(ROWS)
def test_no_line_is_too_wide_and_no_text_that_flows_is_lost(width: int, rows: list[Row]) -> None:
    lines = printed(rows, width)
    assert max(map(cell_len, lines)) <= width
    told = squeezed(lines)
    for row in rows:
        for text in (*(row.cells.get(name, "") for name in (*row.told, "note")), *row.below):
            assert squeezed([text]) in told


@given(st.text(LETTERS + " "), st.integers(2, 30))
def test_wrapped_lines_fit_and_hold_the_whole_text(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def on_80_columns(*arguments: str | Path) -> list[str]:
    lines = run_on_terminal(*arguments, NO_COLOR="1").splitlines()
    return [line.rstrip() for line in lines]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Return two models of long names that differ in values, in a type, and in a tie."""
    one = {f"{STACK}.{n}.attention.{k}.weight": torch.zeros(2, 3) for n in range(2) for k in "qv"}
    names = list(one)
    other = {name: value.clone() for name, value in one.items()}
    other[names[0]][0, 1] = 1
    other[names[2]] = other[names[2]].bfloat16()
    other[names[3]][1, 2] = 1
    monkeypatch.chdir(tmp_path)
    save_file(one, "a")
    save_file(other, "b")
    return "a", "b"


def test_diff_keeps_the_type_that_is_the_reason(models: tuple[str, str]) -> None:
    assert on_80_columns("diff", *models)[2:] == DIFF.splitlines()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a model of long names, one of them a tie, with a tensor that has no order."""
    state = {f"{STACK}.{n}.attention.{k}.weight": torch.eye(2) for n in range(2) for k in "qv"}
    state[f"{STACK}.1.attention.v.weight"] = torch.zeros(2, 2)
    state["rotary.frequencies"] = torch.ones(2, dtype=torch.complex64)
    monkeypatch.chdir(tmp_path)
    save_file(state, "model", {"lm_head.weight": f"{STACK}.0.attention.q.weight"})
    return "model"


def test_stats_say_what_is_tied_and_why_there_are_no_numbers(model: str) -> None:
    assert on_80_columns("stats", model) == STATS.splitlines()


def test_ls_says_what_is_tied_without_clipping_names_for_it(model: str) -> None:
    assert on_80_columns("ls", model, "--no-fold")[1:] == LS.splitlines()


def test_show_goes_on_in_a_second_line_and_says_nothing_of_what_is_unknown(model: str) -> None:
    assert on_80_columns("show", model, "lm_head.weight[0]") == [
        "lm_head.weight[0]  ·  [2] of [2, 2] float32  ·  grad: none stored",
        f"    tied to {STACK}.0.attention.q.weight",
        "tensor([1., 0.])",
    ]


METADATA = f"""\
metadata
~ short: 1 → 2
~ a.key.{"k" * 70}:
    one
  → other
~ template:
    …{"same" * 10}{"A" * 34}…
  → …{"same" * 10}{"B" * 34}…
- gone:
    {"x" * 75}…
1 parameter: 1 equal
4 keys of the metadata changed
"""


def test_diff_shows_where_long_texts_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = {"w": torch.ones(2)}
    long = f"a.key.{'k' * 70}"
    one = {"short": "1", long: "one", "template": "same" * 50 + "A" * 99, "gone": "x" * 200}
    other = {"short": "2", long: "other", "template": "same" * 50 + "B" * 99}
    save_file(state, "a", one)
    save_file(state, "b", other)
    shown = on_80_columns("diff", "a", "b")[2:]
    assert sorted(shown) == sorted(METADATA.splitlines())


def test_the_page_of_a_scheme_fits() -> None:
    text = "\n".join(on_80_columns("schemes", "xavier"))
    source = "Glorot & Bengio 2010, Understanding the difficulty of training deep"
    assert f"\nsource  {source}\n        networks\n" in text


def test_check_names_both_that_are_equal(model: str) -> None:
    assert on_80_columns("check", model)[1:] == CHECK.splitlines()
