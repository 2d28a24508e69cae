"""Draw the pictures of the documentation: terminals as Rich exports them, and plots."""

import asyncio
import io
from itertools import chain
from pathlib import Path

import torch
from rich.console import Console
from rich.segment import Segments
from rich.text import Text

from paramctl import open as open_model
from paramctl.addresses import resolve
from paramctl.browse.app import Browser
from paramctl.checkpoint import Checkpoint
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import rules_of_scheme
from paramctl.probe.inputs import find_task
from paramctl.probe.network import build
from paramctl.probe.training import RATES, train
from paramctl.views import figures
from paramctl.views.plots import Kind, check_kind, find_plots
from paramctl.views.probe_tables import step_lines
from paramctl.views.rows import make_rows, total
from paramctl.views.separators import UNICODE_ELLIPSIS
from paramctl.views.sparks import UNICODE_BARS
from paramctl.views.subjects import Subject, choose_subjects, join_subjects
from paramctl.views.summary import header_line, total_line
from paramctl.views.tree import UNICODE_GUIDES, TreeBuilder
from paramctl.views.tree_table import print_lines
from paramctl.writer.progress import no_progress

SAMPLES = Path(__file__).parents[1] / "sample_models"
WIDTH = 84
SEED, STEPS = 0, 200
FILTER = "fc.weight"


def draw_listing() -> str:
    """Return `ls` of a real model as SVG."""
    console = _console()
    checkpoint = open_model(SAMPLES / "gpt2")
    checkpoint.file = "gpt2/model.safetensors.index.json"
    rows = make_rows(checkpoint, checkpoint)
    tree = TreeBuilder(checkpoint, rows, fold=True, guides=UNICODE_GUIDES)
    console.print(Text(header_line(checkpoint)))
    print_lines(console, tree.lines(None, "file"), WIDTH)
    console.print(Text(total_line(total(checkpoint, rows))))
    return console.export_svg(title="$ paramctl ls gpt2") + "\n"


def draw_training() -> str:
    """Return the end of a training as SVG: the textbook's MLP with a shared layer."""
    torch.set_num_threads(1)  # of so little work, more threads only wait
    checkpoint = open_model(SAMPLES / "shared.yaml")
    filled = initialize(checkpoint, plan(checkpoint, rules_of_scheme("default", [])), SEED)
    module = build(filled, "cpu").train()
    task = find_task(filled, module, ("", ""), None, SEED)
    steps = list(train(module, task, STEPS, "sgd", RATES["sgd"]))
    console = _console()
    lines = step_lines(steps, STEPS, UNICODE_BARS, WIDTH, UNICODE_ELLIPSIS)
    console.print(Segments(chain.from_iterable(lines)), soft_wrap=True)
    title = f"$ paramctl probe shared.yaml --seed {SEED} --steps {STEPS}"
    return console.export_svg(title=title) + "\n"


def draw_histograms() -> str:
    """Return histograms of two models over each other as SVG."""
    model = open_model(SAMPLES / "gpt2")
    schemes = ["xavier_uniform", "xavier_normal"]
    subjects = join_subjects(*(_fill_and_choose(model, scheme) for scheme in schemes))
    plots, _ = find_plots(subjects, Kind.HIST, figures.SIZE, no_progress)
    picture = figures.draw(plots, ["uniform.safetensors", "normal.safetensors"], "svg").decode()
    return "".join(f"{line.rstrip()}\n" for line in picture.splitlines())


def _fill_and_choose(model: Checkpoint, scheme: str) -> list[Subject]:
    filled = initialize(model, plan(model, rules_of_scheme(scheme, [])), SEED)
    matches = resolve(filled, "h.0.mlp.*.weight")
    return choose_subjects(filled, matches, check_kind(Kind.HIST)).subjects


def draw_browser() -> str:
    """Return the explorer as SVG: a weight of a real model, found by a part of its name."""
    checkpoint = open_model(SAMPLES / "gpt2")
    checkpoint.file = "gpt2"

    async def browse() -> str:
        browser = Browser(checkpoint)
        async with browser.run_test(size=(WIDTH, 26)) as pilot:
            await pilot.press(*FILTER)
            while not all(worker.is_finished for worker in browser.workers):
                await pilot.pause()
            await pilot.pause()
            return browser.export_screenshot(title="$ paramctl browse gpt2")

    return asyncio.run(browse()) + "\n"


PICTURES = {
    "browse.svg": draw_browser,
    "ls.svg": draw_listing,
    "training.svg": draw_training,
    "plot.svg": draw_histograms,
}


def _console() -> Console:
    return Console(
        file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, highlight=False
    )
