"""Lines for people on a narrow terminal: broken between words, and in nothing that is copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import run_on_terminal

from paramctl.views.prose import fold

NARROW = (34, 50, 80)
TRAINING = "training.pt torch zip model_state_dict also epoch: 1, optimizer: 12 tensors"


@given(st.lists(st.text("abc,;-", min_size=1, max_size=12), min_size=1), st.integers(30, 60))
def test_words_stay_whole_and_in_order_and_lines_fit(words: list[str], width: int) -> None:
    lines = fold(" ".join(words), width).split("\n")
    assert [word for line in lines for word in line.split()] == words
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 or all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize("width", [10, 20, 40])
@pytest.mark.parametrize(
    "copied",
    [
        "paramctl ls --ties 'my model.pt'",
        "paramctl drop m.gguf 'h.[0-3].ffn' h.5.ffn 'h.[7-9].ffn' --dtype float32",
        "'0.block 0'",
        "--scheme xavier",
        "a" * 60,
    ],
)
def test_what_is_copied_from_a_message_is_in_one_line(copied: str, width: int) -> None:
    lines = fold(f"what is wrong with this one; {copied}; and the rest of it", width).split("\n")
    assert any(copied in line for line in lines)


def test_a_line_ends_with_a_fact_and_with_no_dot() -> None:
    assert fold("model.pt  ·  torch zip  ·  a state dict", 26) == (
        "model.pt  ·  torch zip\n  a state dict"
    )
    assert fold("model.pt  ·  torch zip", 26) == "model.pt  ·  torch zip"


@pytest.mark.parametrize("columns", NARROW)
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("ls", "sample_models/training.pt"), TRAINING),
        (("ls", "sample_models/mlp.pt", "0.wieght"), "closest: 0.weight, 2.weight"),
    ],
)
def test_headers_and_messages_fit_a_narrow_terminal(
    call: tuple[str, ...], said: str, columns: int
) -> None:
    text = run_on_terminal(*call, columns=columns, NO_COLOR="1")
    assert max(map(len, text.splitlines())) <= columns
    assert said in " ".join(text.replace("·", " ").split())


def test_a_caret_stays_below_its_place() -> None:
    call = ("init", "sample_models/mlp.pt", "-s", "normal(std=0.02, mean=oops)", "-n")
    *_, text, caret = run_on_terminal(*call, columns=34).splitlines()
    assert text[caret.index("^") :].startswith("oops")


@pytest.mark.parametrize("width", [45, 46, 47, 80, 200])
def test_a_caret_is_shown_only_where_what_it_points_into_is_in_one_line(width: int) -> None:
    statement = f"0.bias = {' + '.join('1' * 9)} +"  # 44 characters, and what lacks is behind them
    text = run_on_terminal("set", "sample_models/mlp.pt", statement, columns=width)
    pointer = f"\n  {statement}\n  {' ' * len(statement)}^"
    assert pointer in text if width >= 47 else "^" not in text
    assert "(column 45)" in text
