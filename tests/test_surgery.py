"""Names changed, parameters dropped and taken out, metadata edited, at the command line."""

from pathlib import Path

import pytest
from forks import Forks
from program import run_on_terminal, shell
from safetensors.torch import load_file, save_file
from torch import ones

import paramctl as library

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, GPT2 = SAMPLES / "mlp.safetensors", SAMPLES / "gpt2"


# rename


def test_a_plan_of_names_folds_numbers_that_stay() -> None:
    rules = ("h.{i}.mlp.{x}.bias -> l.{i}.ff_{x}.shift", "ln_f.weight -> norm.weight")
    text = run_on_terminal("rename", GPT2, *rules, columns=120, NO_COLOR="1")
    assert text.splitlines()[1:] == [
        "h.[0-3].mlp.c_fc.bias  x4    → l.[0-3].ff_c_fc.shift",
        "h.[0-3].mlp.c_proj.bias  x4  → l.[0-3].ff_c_proj.shift",
        "ln_f.weight                  → norm.weight",
        "to rename: 9 of 52 names",
        "paramctl: nothing is written; add -o FILE",
    ]


def test_numbers_that_have_no_label_stay_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = (f"h.{i}.mlp.{j}.{kind}" for i in range(3) for j in (0, 2) for kind in ("w", "b"))
    save_file({name: ones(1) for name in names}, "m")
    text = run_on_terminal("rename", "m", "h -> layers", NO_COLOR="1")
    assert [line.split() for line in text.splitlines()[1:5]] == [
        [f"h.[0-2].mlp.{j}.{kind}", "x3", "→", f"layers.[0-2].mlp.{j}.{kind}"]
        for kind in "bw"
        for j in (0, 2)
    ]


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_plan_of_names_fits_the_terminal(columns: int) -> None:
    text = run_on_terminal("rename", GPT2, "s/$/.of_a_long_name/", columns=columns, NO_COLOR="1")
    lines = text.splitlines()[1:-2]
    assert max(map(len, lines)) <= columns
    told = "".join("".join(lines).split())
    assert told.count("→") == 14
    assert "→h.[0-3].attn.c_attn.bias.of_a_long_name" in told


def test_a_plan_of_very_many_names_is_abridged(tmp_path: Path) -> None:
    save_file({f"{'x' * (i % 50)}{i * i}y": ones(1) for i in range(1000)}, tmp_path / "m")
    text = run_on_terminal("rename", tmp_path / "m", "s/y/z/", NO_COLOR="1")
    assert len(text.splitlines()) < 410
    assert "abridged" in text


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    save_file({"[red]a\x1b[31m\n\u202eb": ones(1), "c": ones(1)}, tmp_path / "m")
    text = run_on_terminal("rename", tmp_path / "m", "s/a/a[\x07/", columns=120, NO_COLOR="1")
    old, new = r"[red]a\x1b[31m\n\u202eb", r"[red]a[\x07\x1b[31m\n\u202eb"
    assert f"{old}  → {new}" in text.splitlines()
    text = run_on_terminal("drop", tmp_path / "m", "[0]", columns=120, NO_COLOR="1")
    assert text.splitlines()[1].split()[0] == "shape"
    assert old in text


def test_an_empty_name_is_seen(tmp_path: Path) -> None:
    save_file({"": ones(1)}, tmp_path / "m")
    text = run_on_terminal("rename", tmp_path / "m", "s/^$/a/", columns=120, NO_COLOR="1")
    assert "\n''  → a\n" in text.replace("\r", "")


def test_names_are_completed_in_rules(forks: Forks) -> None:
    for verb in ("rename", "drop", "extract"):
        run = forks.run("completion", "fish", "--line", f"paramctl {verb} {MLP} 0.w")
        assert run.out == "0.weight\n"


def test_a_rule_with_slashes_is_no_file(tmp_path: Path) -> None:
    run = shell("""cat "$M" | "$P" rename 's/^0/a/' 's/^a/b/' | "$P" ls --format names""", M=MLP)
    assert (run.stdout, run.stderr) == (b"2.bias\n2.weight\nb.bias\nb.weight\n", b"")
    run = shell(
        """cd "$D"; cp "$M" 's,a,b,'; "$P" rename 's,a,b,' 's,0,a,' -n""", M=MLP, D=tmp_path
    )
    assert run.stdout == b"0.bias\ta.bias\n0.weight\ta.weight\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no rule; such as 'OLD -> NEW', 'module ->' or 's/^h/layers/'"),
        (["0 -> 2"], "'0.bias', '2.bias' would become '2.bias'; '0.weight', '2.weight' would"),
        (["0.wieght -> x"], f"{MLP}: '0.wieght -> x' fits no name; closest: 0.weight, "),
        (["s/0/x"], "'s/0/x': the closing '/' is missing (column 6)"),
        (["--map", "nowhere"], "nowhere: No such file or directory"),
        (["s/.+/__metadata__/", "--map", str(MLP)], "no text in UTF-8"),
        (["0.bias -> __metadata__"], "no tensor can be named '__metadata__'"),
    ],
)
def test_a_wrong_rename_is_told_in_a_line_and_nothing_is_written(
    arguments: list[str], message: str, forks: Forks, tmp_path: Path
) -> None:
    for more in ([], ["--dry-run"]):
        run = forks.run("rename", MLP, *arguments, "-o", tmp_path / "x", *more)
        assert (run.code, run.out, run.err.count("\n")) == (6 if "nowhere" in message else 2, "", 1)
        assert message in run.err
    assert list(tmp_path.iterdir()) == []


def test_what_a_dry_run_prints_is_a_map(forks: Forks, tmp_path: Path) -> None:
    rule = "h.{i}.attn.{x} -> layers.{i}.{x}"
    (tmp_path / "map").write_text(forks.run("rename", GPT2, rule, "--dry-run").out)
    for name, argument in (("a", [rule]), ("b", ["--map", tmp_path / "map"])):
        assert forks.run("rename", GPT2, *argument, "-o", tmp_path / name).code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_shards_become_a_file_or_other_shards(forks: Forks, tmp_path: Path) -> None:
    call = ("rename", GPT2, "s/^/model./")
    assert forks.run(*call, "-o", tmp_path / "one").code == 0
    assert forks.run(*call, "-o", tmp_path / "many", "--max-shard-size", "20kB").code == 0
    shards = [load_file(path) for path in sorted((tmp_path / "many").glob("*.safetensors"))]
    assert len(shards) > 2
    assert {name for shard in shards for name in shard} == set(load_file(tmp_path / "one"))
    assert list(library.open(tmp_path / "many")) == [f"model.{name}" for name in library.open(GPT2)]


def test_a_spec_that_fits_no_more_is_left_out_with_a_note(forks: Forks, tmp_path: Path) -> None:
    forks.run("init", SAMPLES / "mlp.yaml", "--seed", "0", "-o", tmp_path / "m")
    run = forks.run("rename", tmp_path / "m", "0 -> fc", "-i")
    assert run.err.startswith(
        "paramctl: the spec that came with it is left out: it describes other parameters"
    )
    assert "paramctl.spec" not in library.open(tmp_path / "m").metadata
    assert library.open(tmp_path / "m").types["fc"] == "Linear"


def test_what_cannot_be_written_is_one_line(forks: Forks, tmp_path: Path) -> None:
    """A note is told with what it is of: of what is not written there is only the error."""
    (tmp_path / "x.yaml").write_text("layers:\n  - Linear: [4, 8]\n  - Linear: [8, 2]\n")
    run = forks.run("drop", tmp_path / "x.yaml", "0", "-o", tmp_path / "x.safetensors")
    assert run.code == 2
    assert run.err.count("\n") == 1
    assert not (tmp_path / "x.safetensors").exists()
