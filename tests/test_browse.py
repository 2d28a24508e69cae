"""The explorer: what it shows of a model, what its keys do, and that it reads no more than that.

Textual's pilot presses the keys; torch says what the values are.
"""

import asyncio
import os
import pty
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from hostile import CONTROLS
from program import PARAMCTL, paramctl, run_on_terminal
from safetensors.torch import save_file
from states import checkpoint_of
from textual.events import Paste
from textual.pilot import Pilot

from paramctl.browse import app as browse_app
from paramctl.browse import branches
from paramctl.browse.app import Browser
from paramctl.browse.histograms import EIGHTHS, HEIGHT, draw_histogram, most_bars
from paramctl.browse.tree import OPEN_LINES
from paramctl.checkpoint import Checkpoint
from paramctl.formats import open_checkpoint
from paramctl.passes import TASK
from paramctl.sources import BytesSource
from paramctl.stats.bins import Bins

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP = SAMPLES / "mlp.pt"
SMALL, LARGE = (80, 24), (160, 50)
WIDE = (130, 36)
STEER = re.compile(f"[{CONTROLS}]")

Steps = Callable[[Pilot[None]], Coroutine[Any, Any, None]]

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor.* are deprecated:UserWarning"
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse_app, "PATIENCE", 0.0)


def browse(steps: Steps, *models: Checkpoint, size: tuple[int, int] = SMALL) -> None:
    """Open the models in an explorer of this size and carry out the steps."""

    async def run() -> None:
        async with Browser(*models).run_test(size=size) as pilot:
            await pilot.pause()
            await settle(pilot)
            await steps(pilot)

    asyncio.run(run())


async def settle(pilot: Pilot[None]) -> None:
    """Wait until everything is read and drawn."""
    while not all(worker.is_finished for worker in pilot.app.workers):
        await pilot.pause(0.005)
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def find(pilot: Pilot[None], text: str) -> None:
    """Filter by a text, all of it at once."""
    pilot.app.post_message(Paste(text))
    await pilot.pause()
    await settle(pilot)


def browser(pilot: Pilot[None]) -> Browser:
    assert isinstance(pilot.app, Browser)
    return pilot.app


def screen(pilot: Pilot[None]) -> list[str]:
    """Return the lines on the terminal."""
    strips = pilot.app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def seen(pilot: Pilot[None]) -> str:
    """Return all that is on the terminal."""
    return "\n".join(screen(pilot))


def panel(pilot: Pilot[None]) -> str:
    """Return what is to the right on the terminal, blanks as one."""
    return " ".join(" ".join(line.partition("▏")[2] for line in screen(pilot)).split())


def tree(pilot: Pilot[None]) -> list[str]:
    """Return the labels of the tree, from top to bottom."""
    lines = browser(pilot).parameters._tree_lines
    return [str(line.node.label) for line in lines]


def test_the_model_is_told_first() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert tree(pilot) == [
            *("mlp.pt", "0  40", "weight  [8, 4]", "bias  [8]"),
            *("2  9", "weight  [1, 8]", "bias  [1]"),
        ]
        assert "49 parameters in 4 tensors, 196 B" in panel(pilot)
        assert "torch zip" in panel(pilot)

    browse(steps, open_checkpoint(MLP))


def test_moving_shows_the_parameter_its_statistics_and_its_values() -> None:
    weight = torch.load(MLP)["0.weight"].double()

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down")
        assert panel(pilot).startswith("0 values 40 size 160 B")
        await press(pilot, "down")
        told = panel(pilot)
        assert "0.weight shape [8, 4] dtype float32 values 32 size 128 B" in told
        assert f"mean {weight.mean():.4g} std {weight.std(correction=0):.4g}" in told
        assert f"min {weight.min():.4g} max {weight.max():.4g}" in told
        assert f"norm {weight.norm():.4g} zeros 0% NaN 0 Inf 0" in told
        assert str(weight.float()[0].tolist()[0])[:6] in told
        await press(pilot, "end", "up")
        assert "2.weight shape [1, 8]" in panel(pilot)

    browse(steps, open_checkpoint(MLP))


def test_values_are_those_that_torch_prints() -> None:
    state = {"w": torch.randn(3, 4), "i": torch.arange(6).reshape(2, 3)}

    async def steps(pilot: Pilot[None]) -> None:
        for name, tensor in state.items():
            await press(pilot, "down")
            printed = str(tensor).removeprefix("tensor(").removesuffix(")")
            assert browser(pilot).under_cursor == name
            assert " ".join(printed.split()) in panel(pilot)

    browse(steps, checkpoint_of(state))


def test_layers_fold_and_unfold() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        whole = tree(pilot)
        await press(pilot, "down", "left")
        assert tree(pilot) == [*whole[:2], *whole[4:]]
        await press(pilot, "right", "right")
        assert tree(pilot) == whole
        assert browser(pilot).under_cursor == "0.weight"
        await press(pilot, "left")
        assert browser(pilot).under_cursor == "0"
        await press(pilot, "enter")
        assert tree(pilot) == [*whole[:2], *whole[4:]]

    browse(steps, open_checkpoint(MLP))


def test_what_is_typed_filters_and_escape_stays_where_the_cursor_is() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        whole = tree(pilot)
        await press(pilot, *"2.B", "x")
        assert tree(pilot) == ["mlp.pt"]
        assert "2.Bx" in seen(pilot)
        assert "0 of 4" in seen(pilot)
        await press(pilot, "backspace")
        assert tree(pilot) == ["mlp.pt", "2.bias  [1]"]
        assert "2.bias shape [1]" in panel(pilot)
        assert "1 of 4" in seen(pilot)
        await press(pilot, "escape")
        assert tree(pilot) == whole
        assert browser(pilot).under_cursor == "2.bias"
        assert "type to filter" in seen(pilot)

    browse(steps, open_checkpoint(MLP))


def test_names_with_spaces_are_typed_too() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, *"ock", "space", *"1.0.w")
        assert browser(pilot).under_cursor == "0.block 1.0.weight"
        assert "1 of 18" in seen(pilot)

    browse(steps, open_checkpoint(SAMPLES / "rgnet.pt"))


def test_a_slice_is_shown_of_each_parameter_that_the_cursor_comes_to() -> None:
    state = {"a": torch.arange(24).reshape(4, 6), "b": torch.arange(5) + 100}

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down", "[", *"1,:3]")
        assert "[6, 7, 8]" in panel(pilot)
        assert "[12" not in panel(pilot)
        await press(pilot, "down")
        assert "'b' of shape [5]: 2 indices are too many" in panel(pilot)
        await press(pilot, *["backspace"] * 4)
        assert panel(pilot).endswith(" 101")
        await press(pilot, "x")
        assert "'1x' is no index" in panel(pilot)
        await press(pilot, "escape")
        assert "[100, 101, 102, 103, 104]" in panel(pilot)
        await press(pilot, *"a")
        assert tree(pilot) == ["state.pt", "a  [4, 6]"]

    browse(steps, checkpoint_of(state))


def test_ties_are_told() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await find(pilot, "4.b")
        assert tree(pilot)[1] == "4.bias  [8]  = 2.bias"
        assert "tied to 2.bias" in panel(pilot)

    browse(steps, open_checkpoint(SAMPLES / "shared.safetensors"))


NAN, INF = float("nan"), float("inf")
ODD: Mapping[str, tuple[Callable[[], torch.Tensor], list[str]]] = {
    "nan": (lambda: torch.full((5,), NAN), ["mean - std - min - max -", "NaN 5 Inf 0", "[nan, "]),
    "inf": (
        lambda: torch.tensor([1, INF, -INF, 2]),
        ["mean 1.5 std 0.5", "NaN 0 Inf 2", "[1., inf, -inf, 2.]"],
    ),
    "empty": (lambda: torch.zeros(0, 3), ["shape [0, 3]", "values 0 size 0 B", "mean -", "[]"]),
    "scalar": (lambda: torch.tensor(3.5), ["shape [] dtype float32", "mean 3.5 std 0", "3.5000"]),
    "huge": (lambda: torch.tensor([3e38, -3e38]), ["min -3e+38 max 3e+38", "norm 4.243e+38"]),
    "half": (lambda: torch.tensor([1.5, 0]).bfloat16(), ["bfloat16", "mean 0.75", "zeros 50%"]),
    "bool": (lambda: torch.tensor([True, False]), ["mean 0.5", "[ True, False]"]),
    "complex": (lambda: torch.tensor([1 + 2j]), ["no statistics of complex64", "[1.+2.j]"]),
    "sparse": (
        (2 * torch.eye(3)).to_sparse,
        ["note sparse_coo", "mean 2 std 0", "indices [[0, 1, 2], [0, 1, 2]] values [2., 2., 2.]"],
    ),
    "quantized": (
        lambda: torch.quantize_per_tensor(torch.tensor([0.5, 1.0]), 0.1, 2, torch.qint8),
        ["note quantized", "mean 9.5", "int_repr [ 7, 12]"],
    ),
    "meta": (lambda: torch.empty(3, device="meta"), ["'meta' is meta: only its shape"]),
}


def test_odd_tensors_are_shown() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        for name, (_, expected) in ODD.items():
            await press(pilot, "down")
            assert browser(pilot).under_cursor == name
            for text in expected:
                assert text in panel(pilot), panel(pilot)

    browse(steps, checkpoint_of({name: make() for name, (make, _) in ODD.items()}), size=WIDE)


def test_a_model_without_values_says_so() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await find(pilot, "2.bias")
        assert panel(pilot).count("it has no values yet, init gives it some") == 1
        assert "class Linear" in panel(pilot)

    browse(steps, open_checkpoint(SAMPLES / "mlp.yaml"), size=WIDE)


HOSTILE = {
    "[bold red]x[/]": "[bold red]x[/]",
    "[@click=app.quit]y[/]": "[@click=app.quit]y[/]",
    "esc\x1b[2Jz": r"esc\x1b[2Jz",
    "evil\u202egnp": r"evil\u202egnp",
    "line\nfeed": r"line\nfeed",
    "": "''",
    "n" * 5000: "nnn…nnn",
    "a.." + "b." * 40 + "c": "b.b.b.",
}


def test_names_are_text_and_steer_nothing() -> None:
    state = {name: torch.ones(2) for name in HOSTILE}

    async def steps(pilot: Pilot[None]) -> None:
        for _ in state:
            await press(pilot, "down")
            assert not STEER.search("".join(screen(pilot)))
            assert "shape [2]" in panel(pilot)
        labels = "\n".join(tree(pilot))
        for shown in HOSTILE.values():
            assert all(half in labels for half in shown.split("…")), shown

    browse(steps, checkpoint_of(state))


def test_a_parameter_without_a_name_is_not_the_model() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert "2 parameters in 1 tensor, 8 B" in panel(pilot)
        await press(pilot, "down")
        assert panel(pilot).startswith("'' shape [2]")
        await find(pilot, "nothing")
        assert "2 parameters in 1 tensor, 8 B" in panel(pilot)

    browse(steps, checkpoint_of({"": torch.ones(2)}))


def test_whole_numbers_have_a_bar_each() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down")
        assert "█" * browser(pilot).panel.room in panel(pilot)

    browse(steps, checkpoint_of({"w": torch.arange(12).reshape(3, 4)}))


def two_models() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    first = {
        "h.0.w": torch.randn(30, 40),
        "h.0.b": torch.zeros(4),
        "h.1.w": torch.randn(3),
        "old": torch.ones(2),
        "grown": torch.zeros(2),
        "cast": torch.tensor([1.0, 2.0]),
    }
    second = {name: tensor.clone() for name, tensor in first.items() if name != "old"}
    second["h.0.w"][7, 8] += 0.5
    second |= {"new": torch.ones(1), "grown": torch.zeros(3), "cast": first["cast"].half()}
    return first, second


def test_two_models_side_by_side() -> None:
    first, second = two_models()
    gap = float((second["h.0.w"] - first["h.0.w"]).abs().max())

    async def steps(pilot: Pilot[None]) -> None:
        assert "4 of 7 names, shapes or types differ" in panel(pilot)
        labels = tree(pilot)
        assert {"-  old  [2]", "+  new  [1]", "≠  grown  [2]", "≠  cast  [2]"} <= set(labels)
        assert {"w  [30, 40]", "b  [4]"} <= set(labels)
        await find(pilot, "h.0.w")
        assert f"max |A - B| {gap:.4g}, not equal in 1 value" in panel(pilot)
        mean = [f"{float(each['h.0.w'].double().mean()):.4g}" for each in (first, second)]
        assert f"mean {' '.join(mean)}" in panel(pilot)
        for name, told in {
            "h.0.b": "all values are equal",
            "cast": "dtype float32 float16 values 2 2 size 8 B 4 B all values are equal",
            "grown": "shape [2] [3]",
            "old": "shape [2] -",
            "new": "shape - [1]",
        }.items():
            await press(pilot, "escape")
            await find(pilot, name)
            assert told in panel(pilot)

    browse(steps, checkpoint_of(first), checkpoint_of(second), size=WIDE)


def test_only_what_differs() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        whole = tree(pilot)
        await press(pilot, "ctrl+d")
        assert [label[0] for label in tree(pilot)[1:]] == ["-", "≠", "≠", "+"]
        await press(pilot, "ctrl+d")
        assert tree(pilot) == whole

    browse(steps, *map(checkpoint_of, two_models()))


def test_a_layer_tells_how_much_in_it_differs() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down")
        assert tree(pilot)[1] == "a  3  1 ≠"
        assert "differ 1" in panel(pilot)

    first = {"a.x": torch.ones(1), "a.y": torch.ones(2)}
    browse(steps, checkpoint_of(first), checkpoint_of(first | {"a.y": torch.ones(3)}))


def test_what_is_no_array_is_not_called_equal() -> None:
    """The same integers stand for other values under another scale."""
    states = [
        {"w": torch.quantize_per_tensor(torch.tensor([scale]), scale, 0, torch.qint8)}
        for scale in (0.1, 0.2)
    ]

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down")
        assert "not compared: it is no single array" in panel(pilot)
        assert "equal" not in panel(pilot)

    browse(steps, *map(checkpoint_of, states), size=WIDE)


@pytest.mark.parametrize("width", [8, 45, 100])
@pytest.mark.parametrize("size", [1, 9, 5000])
def test_a_histogram_counts_as_numpy_does(width: int, size: int) -> None:
    values = np.random.default_rng(0).normal(size=size)
    low, high = float(values.min()) - 1, float(values.max()) + 1
    bars = most_bars(size, width)
    lines = draw_histogram(values, Bins.between(low, high, bars), width)
    assert [len(line) for line in lines] == [width] * HEIGHT
    heights = np.array([[EIGHTHS.index(bar) for bar in line] for line in lines]).sum(axis=0)
    counts = np.histogram(values, bars, (low, high))[0]
    assert sorted(set(heights.tolist())) == sorted(
        {int(np.ceil(count * 8 * HEIGHT / counts.max())) for count in counts.tolist()}
    )
    assert (heights > 0).any()


def test_a_histogram_of_all_that_a_float_holds() -> None:
    bins = Bins.between(-1.7e308, 1.7e308, 8)
    lines = draw_histogram(np.array([-1.7e308, 1.7e308]), bins, 16)
    assert lines == ["██            ██"] * HEIGHT


def test_the_screen_may_change_its_size() -> None:
    weight = torch.load(MLP)["0.weight"]
    low, high = f"{weight.min():.4g}", f"{weight.max():.4g}"

    async def steps(pilot: Pilot[None]) -> None:
        await find(pilot, "0.weight")
        for size in (LARGE, SMALL):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await settle(pilot)
            lines = screen(pilot)
            assert (len(lines[0]), len(lines)) == size
            assert "0.weight" in panel(pilot)
            assert "^q" in lines[-1]
            axis = re.compile(f" {low} +{high} ")
            (drawn,) = [found[0] for found in map(axis.search, lines) if found]
            assert len(drawn.strip()) == browser(pilot).panel.room

    browse(steps, open_checkpoint(MLP))


def test_the_panel_is_scrolled_with_the_keys() -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down", "tab", "end")
        assert browser(pilot).panel.scroll_offset.y > 0
        assert browser(pilot).under_cursor == "w"
        await press(pilot, "tab", "up")
        assert browser(pilot).under_cursor is None

    browse(steps, checkpoint_of({"w": torch.randn(20, 20)}))


@pytest.mark.parametrize(("key", "before"), [("ctrl+q", ["["]), ("ctrl+c", ["tab"])])
def test_it_ends_from_anywhere(key: str, before: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, *before)
        await pilot.press(key)
        await pilot.pause()
        assert not pilot.app.is_running
        assert pilot.app.return_code == 0

    browse(steps, open_checkpoint(MLP))


class Watched(BytesSource):
    """Bytes that note how many of them are read at a time."""

    reads: list[int]

    def _read(self, offset: int, length: int) -> bytes:
        self.reads.append(length)
        return super()._read(offset, length)


def watch(checkpoint: Checkpoint) -> dict[str, Watched]:
    """Put bytes that are watched in the place of each parameter's."""
    watched = {}
    for name, entry in checkpoint.entries.items():
        assert entry.storage is not None
        source = entry.storage.source
        watched[name] = Watched(source.read(0, source.size), name)
        watched[name].reads = []
        storage = entry.storage._replace(source=watched[name])
        checkpoint.entries[name] = entry._replace(storage=storage)
    return watched


def test_only_what_is_shown_is_read() -> None:
    checkpoint = checkpoint_of({name: torch.randn(50) for name in "abc"})
    watched = watch(checkpoint)

    async def steps(pilot: Pilot[None]) -> None:
        assert not any(each.reads for each in watched.values())
        await find(pilot, "b")
        assert {name: each.reads for name, each in watched.items()} == {
            "a": [],
            "b": [200, 200],  # for the values that are shown, and for the statistics of all
            "c": [],
        }

    browse(steps, checkpoint)


def test_what_the_cursor_has_left_is_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass stands still until the cursor has moved on; of 40 tasks, few are done then."""
    state = {"large": torch.zeros(40 * TASK, dtype=torch.uint8), "small": torch.ones(3)}
    checkpoint = checkpoint_of(state)
    watched = watch(checkpoint)
    moved = Event()
    read = Watched._read

    def wait(self: Watched, offset: int, length: int) -> bytes:
        if length > 1000:
            moved.wait(10)
        return read(self, offset, length)

    monkeypatch.setattr(Watched, "_read", wait)

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("down")
        await pilot.pause(0.05)
        await pilot.press("down")
        await pilot.pause()
        moved.set()
        await settle(pilot)
        assert "small shape [3]" in panel(pilot)
        assert "mean 1 std 0" in panel(pilot)

    browse(steps, checkpoint)
    assert 0 < sum(watched["large"].reads) < 35 * TASK


def test_a_file_that_changes_is_told(tmp_path: Path) -> None:
    save_file({"w": torch.randn(1000)}, tmp_path / "m")
    checkpoint = open_checkpoint(tmp_path / "m")
    os.utime(tmp_path / "m", (1, 1))

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "down")
        assert "file changed since it was listed" in panel(pilot)

    browse(steps, checkpoint, size=WIDE)


@pytest.mark.parametrize("name", ["t{}", "layers.{}.w"])
def test_very_many_tensors_fold_into_pages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "PAGE", 20)
    checkpoint = checkpoint_of({"w": torch.zeros(())})
    names = [name.format(number) for number in range(8_123)]
    entry = checkpoint.entries.pop("w")
    checkpoint.entries.update({each: entry._replace(name=each) for each in names})

    async def steps(pilot: Pilot[None]) -> None:
        assert len(tree(pilot)) < OPEN_LINES
        await press(pilot, *["end", "right"] * 4, "end")
        assert browser(pilot).under_cursor == names[-1]
        await find(pilot, name.format(7654))
        assert browser(pilot).under_cursor == name.format(7654)
        await press(pilot, "escape")
        assert browser(pilot).under_cursor == name.format(7654)
        assert len(tree(pilot)) < 100

    browse(steps, checkpoint)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((str(MLP),), f"browse needs a terminal; without one: paramctl ls {MLP}"),
        ((), "browse needs a terminal; without one: paramctl ls"),
        (("-",), "standard input is the keyboard here, and no model can come from it; "),
    ],
)
def test_without_a_terminal_it_says_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    run = paramctl("browse", *arguments)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"paramctl: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MLP, "no-such-model"), "paramctl: no-such-model: No such file or directory"),
        ((MLP, MLP, "third"), "paramctl: two models at most, not 'third' too"),
    ],
)
def test_a_wrong_call_on_a_terminal(arguments: tuple[str | Path, ...], message: str) -> None:
    assert message in run_on_terminal("browse", *arguments, columns=200)


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "textual.py").write_text("raise ImportError")
    out = run_on_terminal("browse", MLP, columns=200, PYTHONPATH=str(tmp_path))
    assert out == "paramctl: browse needs textual; pip install 'paramctl[browse]'\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
@pytest.mark.parametrize("by_key", [True, False])
def test_the_terminal_is_left_as_it_was(*, by_key: bool) -> None:
    pid, terminal = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm-256color"
        os.execv(PARAMCTL, [PARAMCTL, "browse", str(MLP)])  # noqa: S606 (a shell would add echo)
    out = b""
    while b"49 parameters" not in out:
        out += os.read(terminal, 65536)
    if by_key:
        os.write(terminal, b"\x11")  # Ctrl-Q
    else:
        os.kill(pid, signal.SIGTERM)
    try:
        while chunk := os.read(terminal, 65536):
            out += chunk
    except OSError:  # the terminal's other end is closed
        pass
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    assert code == (0 if by_key else -signal.SIGTERM)
    assert out.rindex(b"\x1b[?1049l") > out.rindex(b"\x1b[?1049h")  # the other screen is left
