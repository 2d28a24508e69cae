"""`paramctl plot`: pictures that are whole and the same in every run, characters, numbers."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forks import Forks
from PIL import Image
from program import paramctl, run_on_terminal
from safetensors.torch import save_file
from test_stats import quiet

from paramctl.addresses import Match
from paramctl.formats import open_checkpoint
from paramctl.views import figures
from paramctl.views.matplotlib import load_matplotlib
from paramctl.views.plots import Kind, Plot, find_plots
from paramctl.views.subjects import choose_subjects, join_subjects

ROOT = Path(__file__).parents[1]
MLP = ROOT / "sample_models" / "mlp.pt"
GPT2 = ROOT / "sample_models" / "gpt2"
HOSTILE = "$x_{1}$ \\frac <b>&\x1b[31m\n\u202ename 名"
FORMATS = ["png", "svg", "pdf"]
KINDS = list(Kind)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of all that is hard to draw."""
    torch.manual_seed(0)
    odd = torch.randn(40, 30)
    odd[3, 4], odd[20, 20] = torch.nan, -torch.inf
    state = {
        HOSTILE: torch.randn(8, 8),
        "odd": odd,
        "nan": torch.full((3, 4), torch.nan),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "bool": torch.rand(30, 8) > 0.3,
        "complex": torch.randn(20, 30, dtype=torch.complex64),
        "huge": torch.tensor([[1.7e308, -1.7e308]], dtype=torch.float64),
        "tiny": torch.tensor([[0, 5e-324]], dtype=torch.float64),
        "constant": torch.full((9, 9), 1.5e308, dtype=torch.float64),
        "float8": torch.randn(8, 8).to(torch.float8_e4m3fn),
        "sparse": torch.eye(3).to_sparse(),
        "x" * 5000: torch.randn(3),
    }
    path = tmp_path_factory.mktemp("plots") / "model.pt"
    torch.save(state, path)
    return path


def plots_of(kind: Kind, *models: Path) -> list[Plot]:
    """Return the plots of a model, or of two of them."""
    found = []
    for path in models:
        checkpoint = open_checkpoint(path)
        matches = [Match(name, ()) for name in checkpoint]
        found.append(choose_subjects(checkpoint, matches, lambda _: None).subjects)
    subjects = found[0] if len(found) == 1 else join_subjects(*found)
    return find_plots(subjects, kind, figures.SIZE, quiet)[0]


@pytest.mark.parametrize(("kind", "number"), [(Kind.HIST, 2), (Kind.HEAT, 1)])
@pytest.mark.parametrize("form", FORMATS)
def test_pictures_of_hard_models_are_whole(model: Path, kind: Kind, number: int, form: str) -> None:
    plots = plots_of(kind, *[model] * number)
    assert len(plots) == 12
    CHECKS[form](figures.draw(plots, ["one $x$", "other"][:number], form))


def check_png(picture: bytes) -> None:
    with Image.open(BytesIO(picture)) as image:
        image.load()
        assert min(image.size) >= 400
        assert image.info.keys() <= {"Software", "dpi"}


def check_svg(picture: bytes) -> None:
    """Make sure that it is XML without scripts, and that it loads nothing."""
    root = ET.fromstring(picture)  # noqa: S314 (our own)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    for element in root.iter():
        assert not element.tag.endswith(("script", "foreignObject"))
        links = [value for key, value in element.attrib.items() if key.endswith("href")]
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
        assert all("url(" not in v or "url(#" in v for v in element.attrib.values())


def check_pdf(picture: bytes) -> None:
    assert picture.startswith(b"%PDF-")
    assert picture.rstrip().endswith(b"%%EOF")
    assert b"Date" not in picture


CHECKS: dict[str, Callable[[bytes], None]] = {"png": check_png, "svg": check_svg, "pdf": check_pdf}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_two_processes_draw_the_same_bytes(
    kind: Kind, form: str, forks: Forks, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{place}.{form.upper()}" for place in range(2)]
    for path in paths:
        run = forks.run("plot", MLP, "--kind", kind, "-o", path, "--against", MLP, "--quiet")
        assert (run.code, run.out, run.err) == (0, "", "")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    CHECKS[form](paths[0].read_bytes())
    assert len(list(tmp_path.iterdir())) == 2


def test_settings_of_the_user_change_no_picture(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsvg.hashsalt: x\nbackend: tkagg\n")
    for name, env in ("a.svg", {}), ("b.svg", {"MATPLOTLIBRC": str(tmp_path)}):
        run = paramctl("plot", MLP, "-o", tmp_path / name, env=env)
        assert (run.code, run.err[:15]) == (0, "paramctl: wrote")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_drawing_changes_nothing_of_matplotlib() -> None:
    matplotlib = load_matplotlib()
    before = matplotlib.rcParams.copy()
    figures.draw(plots_of(Kind.HIST, MLP), ["mlp"], "svg")
    assert matplotlib.rcParams.copy() == before
    assert "matplotlib.pyplot" not in sys.modules


def bars(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


def test_a_pipe_gets_edges_and_counts(forks: Forks) -> None:
    run = forks.run("plot", MLP, "0.weight", "--bins", "5")
    values = torch.load(MLP)["0.weight"].double().numpy()
    counts, edges = np.histogram(values, 5)
    assert bars(run.out) == [
        ["0.weight", repr(low), repr(high), str(count)]
        for low, high, count in zip(
            edges.tolist(), edges[1:].tolist(), counts.tolist(), strict=False
        )
    ]


def test_a_pipe_gets_singular_values_of_both_models(forks: Forks, tmp_path: Path) -> None:
    torch.manual_seed(0)
    one, other = torch.randn(5, 3), torch.randn(4, 2)
    for name, tensor in ("a", one), ("b", other):
        save_file({"w": tensor}, tmp_path / name)
    run = forks.run("plot", tmp_path / "a", "--kind", "spectrum", "--against", tmp_path / "b")
    columns: Any = list(zip(*bars(run.out), strict=True))
    assert columns[:2] == [("w",) * 3, ("1", "2", "3")]
    for told, tensor in zip(columns[2:], (one, other), strict=True):
        numbers = [float(each) for each in told if each != "-"]
        assert numbers == pytest.approx(torch.linalg.svdvals(tensor.double()).numpy())
    assert columns[3][2] == "-"


def test_a_pipe_gets_cells(forks: Forks, tmp_path: Path) -> None:
    save_file({"w": torch.arange(4096.0).reshape(2, 2048)}, tmp_path / "a")
    lines = bars(forks.run("plot", tmp_path / "a", "--kind", "heat").out)
    assert len(lines) == 2 * 512
    assert lines[0] == ["w", "0:1", "0:4", "1.5"]
    assert lines[-1] == ["w", "1:2", "2044:2048", "4093.5"]


def test_a_slice_can_be_plotted(forks: Forks) -> None:
    run = forks.run("plot", MLP, "0.weight[:2, ::2]", "--kind", "heat")
    values = torch.load(MLP)["0.weight"][:2, ::2]
    assert [float(line[3]) for line in bars(run.out)] == values.flatten().tolist()
    assert bars(run.out)[0][0] == "0.weight[:2, ::2]"


def test_what_is_tied_is_plotted_once(forks: Forks) -> None:
    run = forks.run("plot", ROOT / "sample_models" / "shared.pt", "2", "4")
    assert {line[0] for line in bars(run.out)} == {"2.weight", "2.bias"}


def test_what_the_other_model_ties_is_drawn_over_each(forks: Forks, tmp_path: Path) -> None:
    shared = ROOT / "sample_models" / "shared.pt"
    tensors = {name: tensor.clone() for name, tensor in torch.load(shared).items()}
    save_file(tensors, tmp_path / "apart")
    run = forks.run("plot", tmp_path / "apart", "*.weight", "--against", shared)
    assert {line[0] for line in bars(run.out)} == {f"{layer}.weight" for layer in (0, 2, 4, 6)}
    assert all(line[3] == line[4] for line in bars(run.out))
    assert run.err == ""


def test_hostile_names_are_one_field_each(model: Path, forks: Forks) -> None:
    for kind in ("hist", "heat"):
        run = forks.run("plot", model, "--kind", kind)
        assert run.code == 0
        assert len({len(line) for line in bars(run.out)}) == 1
        assert "\x1b" not in run.out + run.err
        assert "\u202e" not in run.out


def test_a_picture_needs_no_more_than_its_extra(tmp_path: Path) -> None:
    """Without it characters and numbers come all the same, and the error says what to install."""
    code = (
        "import sys; sys.modules['matplotlib'] = None; from paramctl.__main__ import main; main()"
    )

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", code, "plot", *arguments]
        return subprocess.run(
            command, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL
        )

    assert run(MLP, "0").stdout
    failed = run(MLP, "-o", tmp_path / "x.png")
    assert failed.stderr == ("paramctl: a picture needs matplotlib; pip install 'paramctl[plot]'\n")
    assert not list(tmp_path.iterdir())


def test_numbers_load_no_matplotlib_and_no_torch() -> None:
    code = (
        "import sys; from paramctl.cli.app import run\n"
        f"assert run(['plot', {str(MLP)!r}]) == 0\n"
        "assert not {'matplotlib', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "x.txt"], 2, "x.txt: its name tells of no format; name it .png, .svg, .pdf"),
        (["-o", "-"], 2, "-: its name tells of no format"),
        (["-o", ""], 2, "'': its name tells of no format"),
        (["-o", "nowhere/x.png"], 6, "nowhere/x.png: there is no such folder"),
        (["-o", "there.png"], 2, "there.png: the file is there already; --force replaces it"),
        (["--kind", "spectrum", "0.bias"], 2, "'0.bias' of shape [8] is no matrix"),
        (["--kind", "spectrum", "*.bias"], 2, "'0.bias' of shape [8] is no matrix, and 1 more"),
        (["--kind", "pie"], 2, "'pie' is not one of"),
        (["--against", "nowhere.pt"], 6, "nowhere.pt: "),
        (["0.wieght"], 2, "no parameter or layer '0.wieght'"),
        (["0.weight[99]"], 2, "99"),
        (["--bins", "0"], 2, "--bins"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    code: int,
    message: str,
    forks: Forks,
    tmp_path: Path,
) -> None:
    (tmp_path / "there.png").write_bytes(b"old")
    places = {"there.png": str(tmp_path / "there.png")}
    run = forks.run("plot", MLP, *(places.get(each, each) for each in arguments))
    assert (run.code, run.out, run.err.count("\n")) == (code, "", 1)
    assert message in run.err.replace(f"{tmp_path}/", "")
    assert (tmp_path / "there.png").read_bytes() == b"old"


def test_force_replaces_a_picture(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"old")
    assert forks.run("plot", MLP, "-o", tmp_path / "x.png", "--force").code == 0
    check_png((tmp_path / "x.png").read_bytes())


def test_too_many_parameters_are_refused_before_they_are_read(forks: Forks, tmp_path: Path) -> None:
    save_file({f"layer.{n}.weight": torch.zeros(1) for n in range(65)}, tmp_path / "x")
    run = forks.run("plot", tmp_path / "x")
    assert run.code == 5
    assert run.err.endswith(
        "65 parameters are too many for one plot of this kind, which holds 64; "
        "name some: 'layer.0', '**.weight', or --type CLASS\n"
    )
    assert forks.run("plot", tmp_path / "x", "layer.[1-64]").code == 0


def test_what_is_left_out_is_told(model: Path, forks: Forks) -> None:
    run = forks.run("plot", model)
    assert run.err == "paramctl: left out: 'sparse' is sparse_coo: it is no single array\n"
    run = forks.run("plot", model, "sparse")
    assert (run.code, run.err) == (
        2,
        f"paramctl: {model}: 'sparse' is sparse_coo: it is no single array\n",
    )
    run = forks.run("plot", model, "odd", "nan", "bool", "--kind", "spectrum")
    assert {line[0] for line in bars(run.out)} == {"bool"}
    assert run.err.count("not finite") == 2


def test_a_spec_has_nothing_to_plot(torch_forks: Forks) -> None:
    run = torch_forks.run("plot", ROOT / "sample_models" / "mlp.yaml")
    assert run.code == 2
    assert "nothing to plot: '0.weight' is planned: it has no values yet" in run.err


def test_parameters_that_the_other_model_lacks_are_left_out(forks: Forks, tmp_path: Path) -> None:
    save_file({"0.weight": torch.ones(8, 4), "2.weight": torch.ones(3)}, tmp_path / "x")
    run = forks.run("plot", MLP, "--against", tmp_path / "x", "--kind", "heat")
    assert {line[0] for line in bars(run.out)} == {"0.weight"}
    assert f"'0.bias' is not in {tmp_path}/x" in run.err
    assert "'2.weight' is [1, 8] and [3]" in run.err


def test_of_a_difference_each_cell_is_told(forks: Forks, tmp_path: Path) -> None:
    weight = torch.load(MLP)["0.weight"]
    save_file({"0.weight": weight + 1}, tmp_path / "x")
    run = forks.run("plot", MLP, "0.weight", "--against", tmp_path / "x", "--kind", "heat")
    assert [float(line[3]) for line in bars(run.out)] == pytest.approx([1] * 32, abs=1e-6)


def test_quantized_and_missing_tensors_are_refused() -> None:
    checkpoint = open_checkpoint(GPT2)
    name = next(iter(checkpoint))
    checkpoint.missing[name] = "its shard is not there"
    choice = choose_subjects(checkpoint, [Match(name, ())], lambda _: None)
    assert not choice.subjects
    assert "is missing: its shard is not there" in choice.refused[0].what


def check_width(text: str, columns: int) -> None:
    from rich.cells import cell_len  # noqa: PLC0415 (as wide as the program takes it)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(cell_len, plain.splitlines())) <= columns
    assert "\x1b" not in plain


@pytest.mark.parametrize("columns", [20, 80, 160])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("color", ["always", "never"])
def test_no_line_is_wider_than_the_terminal(
    model: Path, columns: int, kind: Kind, color: str
) -> None:
    arguments = ["--kind", kind, "--color", color, "--quiet"]
    check_width(run_on_terminal("plot", model, *arguments, columns=columns), columns)


def drawn(tmp_path: Path, *arguments: str, encoding: str = "utf-8") -> str:
    """Return what a terminal of 80 columns without colours shows of a small model."""
    state = {
        "a.bias": torch.tensor([-1.0, *[-0.5] * 3, *[0.0] * 8, *[0.5] * 4, *[1.0] * 2]),
        "a.weight": torch.diag(torch.tensor([4.0, -2.0, 1.0])),
        "b": torch.tensor([True, False, True]),
    }
    path = tmp_path / "model"
    save_file(state, path)
    return run_on_terminal("plot", path, *arguments, NO_COLOR="1", PYTHONIOENCODING=encoding)


HISTOGRAMS = """\
a.bias  [18] float32                     b  [3] bool
mean 0.0833, std 0.507                   mean 0.667, std 0.471
8│                █                      2│                  ██████████████████
 │                █                       │                  ██████████████████
 │                █                       │                  ██████████████████
 │        ▂       █       █               │████████████████████████████████████
 │        █       █       █      ▄        │████████████████████████████████████
 │▆       █       █       █      █        │████████████████████████████████████
0└────────────────────────────────       0└────────────────────────────────────
  -1                             1         -0.5                             1.5
"""
SPECTRUM = """\
a.weight  [3, 3] float32
4 to 1, stable rank 1.31
4│██████████████████████████
 │██████████████████████████
 │██████████████████████████
 │████████████████████████████████████████████████████
 │████████████████████████████████████████████████████▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
 │██████████████████████████████████████████████████████████████████████████████
0└──────────────────────────────────────────────────────────────────────────────
  1                                                                            3
"""
HEAT = """\
a.weight  [3, 3] float32
████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒░░░░░░░░▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒░░░░░░░░▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒░░░░░░░░▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒░░░░░░░░▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
-4  ░▒▓█ 4
"""
ASCII = str.maketrans("│└─█▄", "|+-#.")


def test_a_terminal_shows_bars(tmp_path: Path) -> None:
    assert drawn(tmp_path, "a.bias", "b") == HISTOGRAMS
    assert drawn(tmp_path, "a.weight", "--kind", "spectrum") == SPECTRUM


def test_a_terminal_without_colours_shows_shades(tmp_path: Path) -> None:
    assert drawn(tmp_path, "a.weight", "--kind", "heat") == HEAT


def test_a_terminal_without_unicode_gets_what_it_can_show(tmp_path: Path) -> None:
    bars = drawn(tmp_path, "a.weight", "--kind", "spectrum", encoding="ascii")
    assert bars == SPECTRUM.translate(ASCII)
    heat = drawn(tmp_path, "a.weight", "--kind", "heat", encoding="ascii")
    assert heat.splitlines()[1] == "@" * 8 + "=" * 16
    assert heat.isascii()


def test_two_models_stand_above_each_other_on_one_scale(tmp_path: Path) -> None:
    save_file({"b": torch.tensor([True, True, True, True])}, tmp_path / "other")
    lines = drawn(tmp_path, "b", "--against", str(tmp_path / "other"), "--bins", "2").splitlines()
    assert lines[:3] == ["above model, below other", "", "b  [3] bool / [4] bool"]
    assert lines[3] == "mean 0.667, std 0.471"
    bars = "".join(lines[4:10]), "".join(lines[11:17])
    half = (80 - len("4│")) // 2
    assert [part.count("█") for part in bars] == [4 * half, 6 * half]


def test_a_heat_map_of_two_models_says_which_is_taken_from_which(tmp_path: Path) -> None:
    save_file({"b": torch.tensor([True, True, True])}, tmp_path / "other")
    arguments = ["b", "--against", str(tmp_path / "other"), "--kind", "heat"]
    lines = drawn(tmp_path, *arguments).splitlines()
    assert lines[0] == "other minus model"
    assert lines[3:] == [*[" " * 8 + "█" * 8] * 4, "0  ░▒▓█ 1"]


def test_one_value_that_claims_to_be_very_many_is_not_read(tmp_path: Path, forks: Forks) -> None:
    path = tmp_path / "bomb.pt"
    torch.save({"w": torch.ones(1).expand(1 << 20, 1 << 20), "b": torch.arange(4.0)}, path)
    run = forks.run("plot", path)
    assert run.code == 0
    assert {line.split("\t")[0] for line in run.out.splitlines()} == {"b"}
    assert "'w' of shape [1048576, 1048576] would make" in run.err
    assert forks.run("plot", path, "w").code == 5
