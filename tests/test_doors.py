"""One error at two doors: a shell is told options and verbs, Python arguments and methods."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from forks import Forks

import paramctl
from paramctl.doors import flag, option, spell, verb
from paramctl.errors import ParamctlError
from paramctl.model import Model

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED, SPEC = (SAMPLES / name for name in ("mlp.safetensors", "shared.pt", "mlp.yaml"))
TRAINING = SAMPLES / "training.pt"
OUT = Path("OUT")  # stands for a file in the test's folder

CASES: dict[str, tuple[list[object], Callable[[Model, Path], object], str, str]] = {
    "force": (
        ["convert", MLP, "-o", OUT],
        lambda model, out: model.save(out),
        "; --force replaces it",
        "; force=True replaces it",
    ),
    "limit": (
        ["ls", MLP, "--max-header-bytes", "9"],
        lambda *_: paramctl.open(MLP, max_header_bytes=9),
        "; --max-header-bytes 288 reads it",
        "; max_header_bytes=288 reads it",
    ),
    "values": (
        ["convert", SPEC, "-o", OUT, "--force"],
        lambda _, out: paramctl.open(SPEC).save(out, force=True),
        "; paramctl init gives it some",
        "; init() gives it some",
    ),
    "prefer": (
        ["merge", MLP, SHARED, "-n"],
        lambda model, _: model.merge(paramctl.open(SHARED)),
        "; --prefer first, or last, or rename them",
        "; prefer='first', or 'last', or rename them",
    ),
    "scheme": (
        ["resize", MLP, "0.weight", "--shape", "9x4", "-n"],
        lambda model, _: model.resize("0.weight", shape=[9, 4]),
        "; say what is new: --scheme mean, or 'normal(std=0.02)'",
        "; say what is new: scheme='mean', or 'normal(std=0.02)'",
    ),
    "class": (
        ["drop", MLP, "-n"],
        lambda model, _: model.drop(),
        "; name layers or parameters, or --type CLASS",
        "; name layers or parameters",
    ),
    "tie": (
        ["tie", MLP, "0", "-n"],
        lambda model, _: model.tie("0"),
        "; name them: tie 2 4, or by a pattern",
        "; name them: tie('2', '4'), or by a pattern",
    ),
    "ties": (
        ["untie", MLP, "-n"],
        lambda model, _: model.untie(),
        "; paramctl ls --ties lists the ties",
        "; model.aliases lists the ties",
    ),
    "map": (
        ["graft", SAMPLES / "gpt2", MLP, "-n"],
        lambda model, _: model.graft(paramctl.open(SAMPLES / "gpt2")),
        "; --map changes its names",
        "; source.rename() changes its names",
    ),
    "modules": (
        ["probe", MLP],
        lambda model, _: model.drop("2").probe(),
        "; name its spec or factory, and this file with --weights",
        "; open its spec or factory, whose graft() takes the values of this one",
    ),
    "export": (
        ["convert", SPEC, "-o", "x.onnx"],
        lambda *_: paramctl.open(SPEC).export("x.onnx"),
        "; --weights FILE, or fill it by paramctl init",
        "; init() gives it some, graft() those of another model",
    ),
    "part": (
        ["ls", TRAINING, "--key", "epoch"],
        lambda *_: paramctl.open(TRAINING, key="epoch"),
        f"; see it with: paramctl meta {TRAINING} epoch",
        f"; see it with: paramctl.open('{TRAINING}').metadata['epoch']",
    ),
    "place": (
        ["ls", TRAINING, "--key", "optimizer.param_groups"],
        lambda *_: paramctl.open(TRAINING, key="optimizer.param_groups"),
        f"; see it with: paramctl meta {TRAINING} optimizer.param_groups",
        f"; see it with: paramctl meta {TRAINING} optimizer.param_groups",
    ),
    "metadata": (
        ["meta", MLP, "--delete", "zzz", "-n"],
        lambda model, _: model.with_metadata({}, deleted=["zzz"]),
        "; paramctl meta shows what is there",
        "; model.metadata shows what is there",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_error_speaks_as_its_reader_does(
    case: tuple[list[str | Path], Callable[[Model, Path], object], str, str],
    forks: Forks,
    tmp_path: Path,
) -> None:
    call, method, shell, python = case
    out = tmp_path / "x.safetensors"
    out.touch()
    run = forks.run(*(out if each is OUT else each for each in call))
    assert run.err.endswith(f"{shell}\n"), run.err
    with pytest.raises(ParamctlError) as error:
        method(paramctl.open(MLP), out)
    assert str(error.value).endswith(python)
    assert out.stat().st_size == 0


@pytest.mark.parametrize("dtype", [torch.complex128, torch.bits8])
def test_a_type_that_a_format_lacks_is_told_with_files_that_hold_it(
    dtype: torch.dtype, forks: Forks, tmp_path: Path
) -> None:
    torch.save({"w": torch.empty(4, dtype=dtype)}, tmp_path / "w.pt")
    suffixes = (".safetensors", ".pt", ".npz")
    runs = [
        forks.run("convert", tmp_path / "w.pt", "-o", f"{tmp_path}/y{each}") for each in suffixes
    ]
    held = [suffix for suffix, run in zip(suffixes, runs, strict=True) if run.code == 0]
    assert held
    assert runs[0].err.endswith(f"; {' and '.join(held)} files hold it\n")


def test_words_are_spelled_for_their_door() -> None:
    words = (flag("dry_run"), ", ", option("seed", 3), ", ", option("keep", "0"), ", ", verb("tie"))
    assert spell(words, "shell") == "--dry-run, --seed 3, --keep 0, paramctl tie"
    assert spell(words, "python") == "dry_run=True, seed=3, keep='0', tie()"
    assert spell(verb("tie"), "python") == "tie()"
    assert spell("--as-it-is", "python") == "--as-it-is"
