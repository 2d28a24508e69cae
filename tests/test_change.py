"""The verbs that change a model, at the command line: what is written where, and what is said."""

import stat
from pathlib import Path

import pytest
import torch
from forks import Forks
from program import paramctl, run_on_terminal, shell
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save_file
from torch import Tensor, nn

import paramctl as library

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.safetensors", SAMPLES / "shared.pt"
VERBS = {
    "init": ["--scheme", "xavier", "--seed", "0"],
    "set": ["0.weight += 1"],
    "tie": ["0.bias", "2.bias"],
    "untie": [],
    "rename": ["0 -> first"],
    "drop": ["2"],
    "extract": ["2", "4"],
    "convert": ["--dtype", "bf16"],
}
CALLS = [pytest.param(verb, more, id=verb) for verb, more in VERBS.items()]


def shared_mlp() -> nn.Sequential:
    shared = nn.Linear(8, 8)
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1)
    )


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    """A copy of the perceptron that may be replaced."""
    path = tmp_path / "mlp.safetensors"
    path.write_bytes(MLP.read_bytes())
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A model with norms, statistics and a tensor of integers."""
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.LayerNorm(8))
    path = tmp_path / "mixed.safetensors"
    save_file({**net.state_dict(), "index": torch.arange(6).reshape(2, 3)}, path)
    return path


# Pipes and files


def test_a_pipeline_gives_the_bytes_that_files_give(tmp_path: Path) -> None:
    command = """
        cat "$M" | "$P" init --scheme xavier --seed 0 | "$P" tie 0.bias 2.bias |
            "$P" set - '0.bias = 1' > "$D/piped"
        cd "$D"
        "$P" init "$M" --scheme xavier --seed 0 -o 1 -q
        "$P" tie 1 0.bias 2.bias -o 2 -q
        "$P" set 2 '0.bias = 1' -o 3 -q
    """
    run = shell(command, M=SHARED, D=tmp_path)
    assert (run.returncode, run.stderr) == (0, b"")
    assert (tmp_path / "piped").read_bytes() == (tmp_path / "3").read_bytes()
    assert torch.equal(load_file(tmp_path / "3")["0.bias"], torch.ones(8))


@pytest.mark.parametrize(("verb", "more"), CALLS)
def test_the_bytes_of_a_pipe_are_those_of_a_file(
    verb: str, more: list[str], forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / "out.safetensors"
    assert forks.run(verb, SHARED, *more, "-o", path).code == 0
    piped = shell(f'"$P" {verb} "$M" {" ".join(f"{word!r}" for word in more)}', M=SHARED)
    assert piped.stdout == path.read_bytes()


@pytest.mark.parametrize(("verb", "more"), CALLS)
def test_a_file_is_not_replaced_unless_forced(
    verb: str, more: list[str], forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / "out.safetensors"
    path.write_text("mine")
    run = forks.run(verb, SHARED, *more, "-o", path)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert "is there already; --force replaces it" in run.err
    assert path.read_text() == "mine"
    assert forks.run(verb, SHARED, *more, "-o", path, "--force").code == 0
    assert library.open(path).format == "safetensors"


def test_in_place_replaces_a_safetensors_file_and_keeps_its_mode(mlp: Path, forks: Forks) -> None:
    mlp.chmod(0o640)
    old = load_file(mlp)
    assert forks.run("set", mlp, "0.weight += 1", "-i").code == 0
    assert stat.S_IMODE(mlp.stat().st_mode) == 0o640
    new = load_file(mlp)
    assert torch.equal(new["0.weight"], old["0.weight"] + 1)
    assert torch.equal(new["2.weight"], old["2.weight"])


@pytest.mark.parametrize(("verb", "more"), CALLS)
def test_in_place_replaces_nothing_but_safetensors(
    verb: str, more: list[str], forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / "shared.pt"
    path.write_bytes(SHARED.read_bytes())
    run = forks.run(verb, path, *more, "-i")
    assert run.code == 2
    assert run.err == (
        f"paramctl: {path}: -i replaces a safetensors file, this is torch zip; "
        "-o FILE writes another\n"
    )
    assert path.read_bytes() == SHARED.read_bytes()


def test_in_place_of_a_folder_names_the_options_that_write_one(
    forks: Forks, tmp_path: Path
) -> None:
    model = SAMPLES / "gpt2"
    run = forks.run("rename", model, "s/^/m./", "-i")
    assert run.err.endswith("sharded safetensors; -o FOLDER --max-shard-size 5GB writes another\n")
    options = ("-o", tmp_path / "out", "--max-shard-size", "5GB")
    assert forks.run("rename", model, "s/^/m./", *options).code == 0


def test_in_place_needs_a_file() -> None:
    run = paramctl("set", "-", "0.bias = 1", "-i", stdin=MLP.read_bytes())
    assert (run.code, run.out) == (2, "")
    assert "this is no file" in run.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x", "-i"], "both -o and -i"),
        (["--max-shard-size", "1kB"], "needs a folder to write to; -o FOLDER"),
        (["-o", "{}/x", "--max-shard-size", "many"], "many"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: list[str], message: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("set", MLP, "0.bias = 1", *(option.format(tmp_path) for option in options))
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_shards_is_read_by_its_index(tmp_path: Path, forks: Forks) -> None:
    folder = tmp_path / "model"
    call = ("init", SAMPLES / "gpt2", "-s", "normal(std=0.02)", "--seed", "7")
    run = forks.run(*call, "-o", folder, "--max-shard-size", "20kB")
    assert run.code == 0
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert forks.run(*call, "-o", tmp_path / "one").code == 0
    listed = forks.run("show", folder, "--format", "json").out
    assert (
        listed == forks.run("show", tmp_path / "one", *library.open(folder), "--format", "json").out
    )
    assert set(library.open(folder)) == set(library.open(SAMPLES / "gpt2"))


def test_the_model_may_come_from_the_environment(tmp_path: Path) -> None:
    run = paramctl("set", "0.bias = 1", "-o", tmp_path / "x", env={"PARAMCTL_MODEL": str(MLP)})
    assert run.code == 0
    assert torch.equal(load_file(tmp_path / "x")["0.bias"], torch.ones(8))


@pytest.mark.parametrize(("verb", "more"), CALLS)
def test_a_reader_that_leaves_and_a_full_disk_are_as_for_ls(verb: str, more: list[str]) -> None:
    words = " ".join(f"{word!r}" for word in more)
    run = shell(f'"$P" {verb} "$M" {words} -q | true; echo "${{PIPESTATUS[0]}}"', M=SHARED)
    assert run.stdout in (b"141\n", b"0\n")  # the model is smaller than a pipe
    assert run.stderr == b""
    run = shell(f'"$P" {verb} "$M" {words} >/dev/full; echo $?', M=SHARED)
    assert run.stdout == b"6\n"
    assert run.stderr == b"paramctl: standard output: No space left on device\n"


def test_a_reader_that_leaves_a_large_model_ends_it_silently(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1 << 20)}, tmp_path / "large")
    run = shell(
        '"$P" set "$M" "w = 1" | head -c 9 | wc -c; echo "${PIPESTATUS[0]}"', M=tmp_path / "large"
    )
    assert (run.stdout, run.stderr) == (b"9\n141\n", b"")


# Plans


@pytest.mark.parametrize(("verb", "more"), CALLS)
def test_a_terminal_gets_the_plan_and_a_hint(verb: str, more: list[str]) -> None:
    text = run_on_terminal(verb, SHARED, *more, NO_COLOR="1")
    assert text.isprintable() or all(c.isprintable() or c == "\n" for c in text)
    lines = text.splitlines()
    assert lines[0] == f"{SHARED}  ·  torch zip  ·  a state dict"
    assert lines[-2].startswith("to ")
    assert lines[-1] == "paramctl: nothing is written; add -o FILE"
    assert "or -i to replace" in run_on_terminal("set", MLP, "0.bias = 1", NO_COLOR="1")


def test_a_plan_says_what_every_parameter_gets() -> None:
    text = run_on_terminal("init", SHARED, *VERBS["init"], columns=160, NO_COLOR="1")
    table = [line.split() for line in text.splitlines()]
    drawn = "├─ weight [8, 4] float32 32 xavier_uniform: std 0.4082, mean 0 (--scheme xavier)"
    assert drawn.split() in table
    assert table.count(["└─", "bias", "[8]", "float32", "8", "zeros", "(--bias", "zeros)"]) == 2
    assert ["├─", "weight", "[8,", "8]", "float32", "64", "=", "2.weight"] in table
    assert text.count("to initialize: 121 parameters in 6 tensors, 2 ties counted once") == 1


def test_a_plan_of_a_large_model_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    save_file({f"{i}x.weight": torch.zeros(i % 7, 2) for i in range(3000)}, path)
    text = run_on_terminal("init", path, "-s", "zeros", NO_COLOR="1")
    assert len(text.splitlines()) < 410
    assert "abridged" in text
    run = paramctl("init", path, "-s", "zeros", "-n")
    assert run.out.count("\n") == 3000


@pytest.mark.parametrize("columns", [30, 80, 160])
def test_a_plan_fits_the_terminal(columns: int) -> None:
    scheme = "mixture(1/4: uniform(5, 10), 1/2: zeros, 1/4: uniform(-10, -5))"
    text = run_on_terminal("init", MLP, "-s", scheme, columns=columns, NO_COLOR="1")
    assert max(map(len, text.splitlines()[1:-2])) <= columns


@pytest.mark.parametrize(
    ("verb", "more", "expected"),
    [
        (
            "init",
            ["-s", "normal", "0", "--bias", "ones"],
            (
                "0.weight\t[8, 4]\tnormal\t0\t1\t--scheme normal\t-\n"
                "0.bias\t[8]\tones\t1\t0\t--bias ones\t-\n"
            ),
        ),
        (
            "set",
            ["0.bias = 1", "0.bias[0] = 2"],
            "0.bias\t[8]\tfloat32\t0.bias = 1\n0.bias\t[8]\tfloat32\t0.bias[0] = 2\n",
        ),
        ("tie", ["0.bias", "2.bias"], "2.bias\t0.bias\t[8]\tfloat32\t32\n"),
        (
            "tie",
            ["2.bias", "4.bias", "--keep", "4.bias"],
            "2.bias\t4.bias\t[8]\tfloat32\t32\n",
        ),
        ("untie", ["4.bias"], "4.bias\t2.bias\t[8]\tfloat32\t32\n"),
        ("drop", ["2.bias", "0.bias"], "0.bias\t[8]\tfloat32\t32\n2.bias\t[8]\tfloat32\t32\n"),
        ("extract", ["4"], "weight\t[8, 8]\tfloat32\t256\nbias\t[8]\tfloat32\t32\n"),
        ("rename", ["s/^0/x/"], "0.weight\tx.weight\n0.bias\tx.bias\n"),
    ],
)
def test_a_dry_run_in_a_pipe_is_a_line_a_parameter(
    verb: str, more: list[str], expected: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run(verb, SHARED, *more, "--dry-run", "-o", tmp_path / "x")
    assert run.code == 0
    assert run.out.startswith(expected)
    assert list(tmp_path.iterdir()) == []


# init


@pytest.mark.parametrize("seed", ["-1", str(2**64), "1e3", "", "0x10", "1.5"])
def test_a_seed_is_a_whole_number_of_64_bits(seed: str, forks: Forks, tmp_path: Path) -> None:
    run = forks.run("init", MLP, "-s", "xavier", "--seed", seed, "-o", tmp_path / "x")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert "--seed" in run.err
    assert list(tmp_path.iterdir()) == []


def test_the_bounds_of_a_seed_are_seeds(forks: Forks, tmp_path: Path) -> None:
    for seed in (0, 2**64 - 1):
        run = forks.run(
            "init", MLP, "-s", "xavier", "--seed", str(seed), "-o", tmp_path / str(seed)
        )
        assert run.code == 0
    files = [load_file(path) for path in tmp_path.iterdir()]
    assert not torch.equal(files[0]["0.weight"], files[1]["0.weight"])


def test_a_fresh_seed_is_told_and_repeats_the_model(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("init", MLP, "-s", "normal", "-o", tmp_path / "a")
    seed = run.err.splitlines()[-1].removeprefix("paramctl: seed ")
    assert forks.run("init", MLP, "-s", "normal", "--seed", seed, "-o", tmp_path / "b").code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_constants_take_no_seed(forks: Forks, tmp_path: Path) -> None:
    for name in "ab":
        run = forks.run("init", MLP, "-s", "ones", "-o", tmp_path / name)
        assert (run.code, ": seed " in run.err) == (0, False)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("normal(std=nan)", "'nan'"),
        ("normal(std=inf)", "'inf'"),
        ("normal(std=-1)", "std is -1"),
        ("normal(std=1e400)", "too large"),
        ("xavier(gain=0)", "gain is 0"),
        ("uniform(1, 1)", "low is 1, it must be below high"),
        ("uniform(2, 1)", "low is 2, it must be below high"),
        ("trunc_normal(a=2, b=1)", "a is 2, it must be below b"),
        ("mixture(1/2: zeros)", "add up to 0.5"),
        ("sparse(2)", "sparsity"),
        ("normal(", "column"),
        ("normall", "closest: normal"),
        ("", "no scheme; --scheme xavier, or a --rule, or a --recipe"),
    ],
)
def test_a_scheme_that_makes_no_sense_is_refused(
    scheme: str, message: str, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("init", MLP, "-s", scheme, "-o", tmp_path / "x")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "scheme", ["xavier", "kaiming_normal", "orthogonal", "eye", "lecun_normal"]
)
def test_a_scheme_of_matrices_is_refused_for_a_vector_that_is_named(
    scheme: str, forks: Forks, tmp_path: Path
) -> None:
    save_file({"v": torch.ones(3), "s": torch.ones(())}, tmp_path / "m")
    for name in "vs":
        run = forks.run("init", tmp_path / "m", name, "-s", scheme, "-o", tmp_path / "x")
        assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
        assert f"'{name}'" in run.err
        assert not (tmp_path / "x").exists()


def test_a_rule_that_names_nothing_is_told_or_an_error(forks: Forks, tmp_path: Path) -> None:
    call = ("init", MLP, "--rule", "0.wight=ones", "--rule", "*.weight=zeros")
    unused = "1 unused rule: 0.wight=ones (no parameter or layer '0.wight'; closest: 0.weight, "
    run = forks.run(*call, "-o", tmp_path / "x")
    assert (run.code, unused in run.err) == (0, True)
    assert not any(load_file(tmp_path / "x")[f"{layer}.weight"].any() for layer in (0, 2))
    run = forks.run(*call, "--strict", "-o", tmp_path / "y")
    assert (run.code, run.err.count("\n"), unused in run.err) == (2, 1, True)
    assert not (tmp_path / "y").exists()


def test_integers_are_kept_and_it_says_so(mixed: Path, forks: Forks, tmp_path: Path) -> None:
    run = forks.run("init", mixed, "-s", "normal", "--seed", "0", "-o", tmp_path / "x")
    assert run.code == 0
    assert "1 kept parameter: 'index': it is of int64, which cannot be initialized\n" in run.err
    assert torch.equal(load_file(tmp_path / "x")["index"], load_file(mixed)["index"])
    run = forks.run("init", mixed, "index", "-s", "normal", "-o", tmp_path / "y")
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert "'index' of shape [2, 3] is of int64, which cannot be initialized\n" in run.err
    assert not (tmp_path / "y").exists()


def test_biases_and_norms_are_kept_where_it_is_asked_for(
    mixed: Path, forks: Forks, tmp_path: Path
) -> None:
    forks.run("set", mixed, "*.bias = 5", "[1,2].weight = 6", "-i")
    run = forks.run(
        "init", mixed, "-s", "constant(3)", "--bias", "keep", "--norm", "keep", "-o", tmp_path / "x"
    )
    new, old = load_file(tmp_path / "x"), load_file(mixed)
    assert (
        run.err.count("kept parameter") == run.err.count("parameter") == 1
    )  # the integers: who asks for it need not be told
    kept = [name for name in old if name != "0.weight" and "running" not in name]
    assert all(torch.equal(new[name], old[name]) for name in kept)
    assert torch.equal(new["0.weight"], torch.full((8, 4), 3.0))


def test_a_parameter_that_no_rule_is_for_is_told_or_an_error(forks: Forks, tmp_path: Path) -> None:
    rule = ("init", MLP, "--rule", "0.weight=ones", "--rule", "0.*=zeros", "-o", tmp_path / "x")
    run = forks.run(*rule, "--strict")
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert "2 kept parameters: '2.bias': no rule is for it, likewise '2.weight'; set" in run.err
    run = forks.run(*rule)
    assert (run.code, "2 kept parameters" in run.err) == (0, True)
    new = load_file(tmp_path / "x")
    assert torch.equal(new["0.weight"], torch.ones(8, 4))
    assert torch.equal(new["0.bias"], torch.zeros(8))


@pytest.mark.parametrize(
    ("chosen", "changed"), [(["--type", "Conv1d"], "0"), (["1"], "1"), (["1.weight"], "1")]
)
def test_what_is_not_chosen_is_kept_without_a_word(
    chosen: list[str], changed: str, forks: Forks, tmp_path: Path
) -> None:
    net = nn.Sequential(nn.Conv1d(2, 2, 3), nn.Linear(3, 2))
    torch.save(net, tmp_path / "net.pt")
    run = forks.run("init", tmp_path / "net.pt", *chosen, "-s", "constant(7)", "-o", tmp_path / "x")
    assert (run.code, "kept" in run.err) == (0, False)
    new, old = load_file(tmp_path / "x"), net.state_dict()
    same = {name for name in new if torch.equal(new[name], old[name])}
    assert f"{changed}.weight" not in same
    assert {name for name in new if not name.startswith(changed)} <= same
    assert torch.equal(new[f"{changed}.weight"], torch.full_like(old[f"{changed}.weight"], 7))


def test_every_draw_is_named_when_it_is_drawn(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("init", SHARED, *VERBS["init"], "-v", "-o", tmp_path / "x")
    lines = {line for line in run.err.splitlines() if line.startswith("paramctl: init ")}
    assert lines == {
        "paramctl: init 0.weight [8, 4] xavier_uniform",
        "paramctl: init 2.weight [8, 8] xavier_uniform",
        "paramctl: init 6.weight [1, 8] xavier_uniform",
        "paramctl: init 0.bias [8] zeros",
        "paramctl: init 2.bias [8] zeros",
        "paramctl: init 6.bias [1] zeros",
    }
    assert len(lines) == run.err.count("paramctl: init ")


def test_what_was_drawn_agrees_with_the_theory(forks: Forks, tmp_path: Path) -> None:
    for scheme in (
        "xavier",
        "default",
        "trunc_normal(std=0.02)",
        "mixture(1/2: zeros, 1/2: normal)",
    ):
        run = forks.run(
            "init",
            SHARED,
            "-s",
            scheme,
            "--seed",
            "0",
            "--verify",
            "-o",
            tmp_path / scheme[:4],
        )
        assert (run.code, run.out) == (0, "")
        assert "mean and std are as in theory: 6 parameters" in run.err


def test_values_that_their_type_cannot_hold_are_not_as_in_theory(
    forks: Forks, tmp_path: Path
) -> None:
    save_file({"w.weight": torch.zeros(100, 100, dtype=torch.float16)}, tmp_path / "half")
    call = ("init", tmp_path / "half", "--seed", "0", "--verify", "-o")
    assert forks.run(*call, tmp_path / "a", "-s", "normal(std=0.02)").code == 0
    run = forks.run(*call, tmp_path / "b", "-s", "normal(std=1e-9)")
    assert run.code == 1
    assert "'w.weight' has mean 0 and std 0; normal(std=1e-09) has 0 and 1e-09" in run.err


def test_a_function_without_a_theory_is_not_compared(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def ramp(shape, rng): return rng.permutation(32).reshape(shape)"
    )
    run = forks.run(
        "init", MLP, "0.weight", "-s", f"{tmp_path}/mine.py:ramp", "--verify", "-o", tmp_path / "x"
    )
    assert run.code == 0
    assert "nothing to compare with: 1 parameter" in run.err
    assert sorted(load_file(tmp_path / "x")["0.weight"].flatten().tolist()) == list(range(32))


def test_what_was_drawn_and_how_is_in_the_metadata(forks: Forks, tmp_path: Path) -> None:
    forks.run("init", MLP, *VERBS["init"], "-o", tmp_path / "x")
    run = forks.run("meta", tmp_path / "x", "paramctl.init.0", "--format", "json")
    assert '"scheme": "xavier_uniform"' in run.out
    assert '"seed": 0' in run.out


# Ties


def load_shared(path: Path) -> nn.Sequential:
    """Load a file as safetensors does and as torch does, strictly; return the module."""
    net, other = shared_mlp(), shared_mlp()
    assert not any(load_model(net, path))
    with safe_open(path, "pt") as file:
        stored, aliases = set(file.keys()), file.metadata()
    assert "4.weight" not in stored
    state = load_file(path)
    ties = {name: state[aliases[name]] for name in ("4.weight", "4.bias")}
    other.load_state_dict({**state, **ties})
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    return net


@pytest.mark.parametrize(
    ("verb", "more"), [("init", ["-s", "normal", "--seed", "1"]), ("set", ["4.weight += 1"])]
)
def test_what_is_tied_is_changed_once_and_stays_tied(
    verb: str, more: list[str], forks: Forks, tmp_path: Path
) -> None:
    assert forks.run(verb, SHARED, *more, "-o", tmp_path / "x").code == 0
    weight: Tensor = load_shared(tmp_path / "x").state_dict()["4.weight"]
    if verb == "set":
        assert torch.equal(weight, torch.load(SHARED)["2.weight"] + 1)
    piped = shell('"$P" set "$M" "0.bias = 0" | "$P" ls --ties', M=tmp_path / "x").stdout.decode()
    assert [line.split("\t")[7] for line in piped.splitlines()] == ["-", "2.bias", "-", "2.weight"]


def test_a_tie_saves_the_bytes_that_it_shares(forks: Forks, tmp_path: Path) -> None:
    apart, tied = tmp_path / "apart", tmp_path / "tied"
    assert forks.run("untie", SHARED, "-o", apart).code == 0
    assert forks.run("tie", apart, "2", "4", "-o", tied).code == 0
    sizes = [sum(t.nbytes for t in load_file(path).values()) for path in (apart, tied)]
    assert sizes[0] - sizes[1] == 4 * (8 * 8 + 8)
    load_shared(tied)
    for name, tensor in load_file(apart).items():
        assert torch.equal(tensor, torch.load(SHARED)[name])


def test_an_output_layer_tied_to_its_embedding_makes_the_round_trip(
    forks: Forks, tmp_path: Path
) -> None:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.lm_head = nn.Embedding(11, 4), nn.Linear(4, 11, bias=False)

    net = Language()
    save_file(net.state_dict(), tmp_path / "apart")
    run = forks.run("tie", tmp_path / "apart", "emb.weight", "lm_head.weight", "-o", tmp_path / "x")
    assert run.code == 0
    other = Language()
    other.lm_head.weight = other.emb.weight
    assert not any(load_model(other, tmp_path / "x"))
    assert torch.equal(other.lm_head.weight, net.emb.weight)
    assert other.lm_head.weight is other.emb.weight


def test_copied_ties_are_stored_under_every_name(forks: Forks, tmp_path: Path) -> None:
    assert forks.run("set", SHARED, "2.bias = 1", "--ties", "copy", "-o", tmp_path / "x").code == 0
    state = load_file(tmp_path / "x")
    assert torch.equal(state["4.bias"], torch.ones(8))
    shared_mlp().load_state_dict(state)


def test_equal_parameters_are_tied_and_it_says_what_that_saves(
    forks: Forks, tmp_path: Path
) -> None:
    weight = torch.randn(4, 4)
    state = {"a.weight": weight, "b.weight": weight.clone(), "a.bias": torch.zeros(4)}
    save_file({**state, "b.bias": torch.zeros(4)}, tmp_path / "m")
    run = forks.run("tie", tmp_path / "m", "--equal", "-o", tmp_path / "x")
    assert run.code == 0
    assert "2 parameters of one number throughout, such as 'a.bias', left untied" in run.err
    assert "1 tie made, 64 B saved" in run.err
    assert library.open(tmp_path / "x").aliases == {"b.weight": "a.weight"}


def test_ties_are_listed_group_by_group(forks: Forks) -> None:
    assert [line.split("\t")[0] for line in forks.run("ls", SHARED, "--ties").out.splitlines()] == [
        "2.weight",
        "4.weight",
        "2.bias",
        "4.bias",
    ]
    assert (
        forks.run("ls", SHARED, "4.bias", "0", "--ties", "--format", "names").out
        == "2.bias\n4.bias\n"
    )
    assert forks.run("ls", MLP, "--ties").out == ""
    assert "= 2.weight" in run_on_terminal("ls", SHARED, "--ties", NO_COLOR="1")


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", MLP], "no statement; such as '0.weight += 1'"),
        (["set", MLP, "0.bias"], "is no assignment"),
        (["set", MLP, "0.bais = 1"], "closest: 0.bias"),
        (["set", MLP, "0.bias = 1 +"], "column"),
        (["set", MLP, "0.bias = 0.weight"], "does not fit the shape [8]"),
        (["tie", MLP, "0"], "takes two layers or parameters, these are 1"),
        (["tie", MLP, "0", "2"], "cannot be tied"),
        (["tie", MLP, "0.bias", "2.bias", "--keep", "0.weight"], "'0.weight' is none of"),
        (["tie", MLP, "--equal", "--keep", "0"], "--keep with --equal"),
        (["untie", MLP], "nothing to untie; paramctl ls --ties lists the ties"),
        (["init", MLP], "no scheme; --scheme xavier"),
        (["init", MLP, "0", "--rule", "0=ones"], "go with --scheme"),
        (["init", MLP, "--rule", "2", "ones"], "'2' is no rule; write address=scheme"),
        (["init", MLP, "-s", "ones", "-o", "x.pt"], "or pipe it into 'paramctl convert -o FILE'"),
        (["set", MLP, "0.bias = 1/0"], "division by zero"),
        (["set", MLP, "0.bias = 1e99"], "cannot hold 1e+99"),
        (["set", MLP, "0.bias", "=", "0"], "quote it whole"),
        (["set", MLP, "0.bias = log(0)", "0.bias = [99999999999999999999]"], "64 bits at most"),
        (["set", MLP, "0.bias = 1", "-o", ""], "an empty -o"),
        (["set", MLP, "0.bias = 1", "-o", "d", "--max-shard-size", "abc", "-n"], "abc"),
        (
            ["init", MLP, "-s", "ones", "--type", "Conv2d"],
            "nothing says of what class its layers are",
        ),
        (["init", MLP, "--rule", "wight=ones"], "nothing to initialize; unused rule: wight=ones ("),
        (["init", MLP, "-s", "ones", "nope"], "no parameter or layer 'nope'"),
        (["init", MLP, "-s", "ones", "--device", "tpu"], "no device 'tpu'; there is cpu"),
        (["schemes", "xavir"], "closest: xavier"),
    ],
)
def test_a_wrong_call_gets_one_line(
    arguments: list[str | Path], message: str, forks: Forks
) -> None:
    run = forks.run(*arguments)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err


# schemes


def test_schemes_are_a_line_each_in_a_pipe_and_a_page_each_by_name(forks: Forks) -> None:
    lines = forks.run("schemes").out.splitlines()
    assert {line.count("\t") for line in lines} == {4}
    names = [line.split("\t")[0] for line in lines]
    assert names.count("xavier_uniform") == 1
    for name in names:
        page = forks.run("schemes", name)
        assert (page.code, page.out.splitlines()[0].split("(")[0]) == (0, name)
    assert forks.run("schemes", "glorot").out == forks.run("schemes", "xavier_uniform").out
    text = run_on_terminal("schemes", NO_COLOR="1")
    assert all(name in text for name in names)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b[1mxavier_uniform(gain=1)" in run_on_terminal("schemes")


def test_a_terminal_sees_where_an_expression_is_wrong() -> None:
    shown = run_on_terminal("init", MLP, "--scheme", "normal(sdt=0.1)", NO_COLOR="1")
    assert shown.endswith("\n  normal(sdt=0.1)\n         ^\n")
    assert paramctl("init", MLP, "--scheme", "normal(sdt=0.1)").err.count("\n") == 1


def test_what_a_users_scheme_prints_is_no_part_of_the_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def fill(shape, rng):\n    print('hello')\n    return rng.normal(size=shape)\n"
    )
    run = shell("$P init $MLP --scheme $FILE:fill --seed 0 | $P ls - 0", MLP=MLP, FILE=file)
    assert run.returncode == 0
    assert b"hello" in run.stderr
    assert run.stdout.startswith(b"0.bias\t[8]")


def test_a_scheme_takes_what_the_rules_leave(tmp_path: Path) -> None:
    rules = ("--rule", "0=constant(2)", "--scheme", "zeros", "--bias", "ones")
    paramctl("init", MLP, *rules, "-o", tmp_path / "x.safetensors")
    written = load_file(tmp_path / "x.safetensors")
    assert [float(written[name].mean()) for name in ("0.weight", "2.weight", "0.bias")] == [2, 0, 1]


def test_what_is_set_by_hand_is_no_longer_said_to_be_drawn() -> None:
    run = shell("$P init $MLP -s xavier --seed 0 -q | $P set '0 = 0' | $P meta", MLP=MLP)
    assert b"2.weight" in run.stdout
    assert b"0.weight" not in run.stdout


def test_values_that_are_not_finite_do_not_pass(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(
        "def nan(shape, rng):\n    return rng.random(shape) * float('nan')\n"
    )
    run = paramctl("init", MLP, "-s", f"{tmp_path}/my.py:nan", "--verify", "-o", tmp_path / "x")
    assert run.code == 1
    assert "'0.weight' has values that are not finite" in run.err


def test_views_that_part_are_told(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    torch.save({"base": base, "view": base[2:4]}, tmp_path / "views.pt")
    run = paramctl("set", tmp_path / "views.pt", "base = 1", "-o", tmp_path / "x.safetensors")
    assert "'view' and 'base' share bytes no more" in run.err


def test_a_dash_is_standard_output(tmp_path: Path) -> None:
    run = shell("cd $DIR; $P init $MLP -s ones -o - | $P ls -", DIR=tmp_path, MLP=MLP)
    assert run.stdout.startswith(b"0.bias\t[8]")
    assert not list(tmp_path.iterdir())
