"""The program at its edges: streams, signals, limits, names that want to do harm."""

import resource
import signal
import subprocess
import time
from importlib import import_module
from pathlib import Path
from textwrap import indent
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hostile import assert_bounded
from program import PARAMCTL, paramctl, run_on_terminal, shell
from safetensors.numpy import load_file, save_file
from safetensors_rows import F32, header, one, tensor

from paramctl.cli.verbs import VERBS

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP = SAMPLES / "mlp.safetensors"
KERAS = Path(__file__).parent / "files" / "net.keras"
EVIL = r"\u001b[31mred\u202e[bold][/][link=http://x]\t\n"


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A model of 20,000 tensors: more than a pipe holds."""
    entries = ",".join(f'"t{i}":{tensor("F32", "[1]", 4 * i, 4 * i + 4)}' for i in range(20_000))
    path = tmp_path / "wide.safetensors"
    path.write_bytes(header(f"{{{entries}}}", bytes(80_000)))
    return path


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    path = tmp_path / "evil.safetensors"
    path.write_bytes(one(F32, name=f'"{EVIL}"'))
    return path


def test_a_reader_that_leaves_early_ends_it_silently_with_141(wide: Path) -> None:
    run = shell('"$P" ls "$F" | head -1; echo "${PIPESTATUS[0]}"', F=wide)
    assert run.stdout.splitlines() == [b"t0\t[1]\tfloat32\t1\t4\t-\t-\t-\t-", b"141"]
    assert run.stderr == b""


@pytest.mark.parametrize("verb", ["ls", "show", "meta", "--help"])
def test_a_closed_stdout_is_an_input_output_error(verb: str) -> None:
    run = shell('"$P" $V "$F" >&-; echo $? >&2', V=verb, F=MLP)
    assert run.stderr == b"paramctl: standard output is closed\n6\n"


@pytest.mark.parametrize("verb", ["ls", "show", "ls --format json", "--help"])
def test_a_full_disk_is_an_input_output_error(verb: str) -> None:
    run = shell('"$P" $V "$F" >/dev/full; echo $?', V=verb, F=MLP)
    assert run.stderr == b"paramctl: standard output: No space left on device\n"
    assert run.stdout == b"6\n"


def test_a_closed_stderr_and_stdin_do_no_harm() -> None:
    assert shell('"$P" ls "$F" 2>&- <&-', F=MLP).returncode == 0
    assert shell('"$P" ls /nowhere.pt 2>&- <&-').returncode == 6


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("form", ["tsv", "tree", "table", "names", "json", "jsonl"])
def test_names_beyond_the_encoding_are_escaped(encoding: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "unicode.safetensors"
    path.write_bytes(one(F32, name='"層.w"'))
    env = {"PYTHONIOENCODING": encoding, "LANG": "C"}
    run = paramctl("ls", path, "--format", form, env=env)
    assert (run.code, run.err) == (0, "")
    escaped = encoding != "utf-8" or form.startswith("json")
    assert ("\\u5c64" if escaped else "層") in run.out


@pytest.mark.parametrize("form", ["tsv", "tree", "table", "names", "json", "jsonl"])
def test_no_byte_of_a_name_steers_the_terminal(form: str, evil: Path) -> None:
    run = paramctl("ls", evil, "--format", form)
    assert run.code == 0
    assert all(c in "\n\t" or c.isprintable() for c in run.out)
    assert "\\x1b[31mred\\u202e[bold][/][link=http://x]" in run.out.replace("\\u001b", "\\x1b")
    if form == "tsv":
        assert run.out.count("\t") == 8
        assert run.out.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["show", "{}"], ["ls", "{}", "x\x1b[31m"], ["ls", "no\x1b.pt"]]
)
def test_what_is_echoed_is_escaped(arguments: list[str], evil: Path) -> None:
    run = paramctl(*(argument.format(evil) for argument in arguments))
    assert all(c == "\n" or c.isprintable() for c in run.out + run.err)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["init", str(MLP), "--scheme", "zeros", "-o", "https://example.com/m.safetensors"],
            2,
            "nothing is written to a URL; write a file, upload it",
        ),
        (["ls", ""], 2, "an empty argument"),
        (["ls", "nowhere.pt"], 6, "nowhere.pt: No such file or directory"),
        (
            ["ls", "0.weight"],
            2,
            "name a file first, or '-', or pipe one in, or set $PARAMCTL_MODEL",
        ),
        (["ls"], 2, "no model"),
        (["ls", "-"], 3, "file is empty"),
        (["ls", "/dev/null"], 6, "not a regular file"),
        (["ls", "x" * 5000 + ".pt"], 6, "File name too long"),
        (["lss"], 2, "no verb 'lss'; try paramctl ls\n"),
        ([str(MLP)], 2, f"no verb '{MLP}'; try paramctl ls {MLP}\n"),
        (["ls", "--depth", "x"], 2, "'--depth': Input should be a valid integer; see 'paramctl ls"),
        (["completion"], 2, "Choose from: bash, zsh, fish; see 'paramctl completion --help'"),
        (["--verison"], 2, "--version"),
        (["--nothing"], 2, "see 'paramctl --help'"),
        (["ls", "--depht", "2"], 2, "--depth"),
        (["ls", "--nothing"], 2, "see 'paramctl ls --help'"),
        (["show", str(MLP), "--key"], 2, "see 'paramctl show --help'"),
        (["ls", str(MLP), "--depth", "0"], 2, "--depth"),
        (["ls", str(MLP), "--sort", "shape"], 2, "--sort"),
        (["ls", str(MLP), "--max-header-bytes", "1"], 5, "over the limit of 1"),
        (["ls", str(MLP), "--key", "optimizer"], 2, "safetensors holds no keys, so no 'optimizer'"),
        (["ls", str(SAMPLES / "training.pt"), "--key", "opt"], 2, "keys: epoch, model_state_dict"),
        (["ls", str(MLP), "--format", "xml"], 2, "'xml' is not one of 'tree'"),
        (["ls", str(MLP), "0.wieght"], 2, "closest: 0.weight"),
        (["ls", str(MLP), "--", "-x"], 2, "no parameter or layer '-x'"),
        (["show", str(MLP), "0.weight", "0.bias", "--format", "npy"], 2, "name one"),
        (["meta", str(MLP), "nope"], 2, "no metadata 'nope'"),
        (["completion", "tcsh"], 2, "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_a_wrong_call_gets_one_line_that_says_what_to_do(
    arguments: list[str], code: int, message: str
) -> None:
    run = paramctl(*arguments)
    assert (run.code, run.out) == (code, "")
    assert message in run.err
    assert run.err.count("\n") == 1


def test_the_bare_program_shows_its_help() -> None:
    bare, asked = paramctl(), paramctl("--help")
    assert (bare.code, bare.err) == (2, "")
    assert bare.out.strip() == asked.out.strip()
    assert asked.code == 0


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("verb", VERBS)
def test_help_says_how_to_call_a_verb_and_shows_examples_as_they_are(
    verb: str, columns: str
) -> None:
    run = paramctl(verb, "--help", env={"COLUMNS": columns, "NO_COLOR": "1"})
    module = import_module(f"paramctl.cli.{verb}")
    assert (run.code, run.err) == (0, "")
    assert f"Usage: paramctl {verb} [OPTIONS] " in run.out
    assert "]]" not in run.out.split("Examples:")[0]
    assert indent(module.EXAMPLES.strip(), " ") in run.out


@pytest.mark.parametrize("verb", ["ls", "show", "meta"])
@pytest.mark.parametrize(
    ("option", "code"), [([], 0), (["--fail-on-globals"], 4), (["--max-header-bytes", "1"], 0)]
)
def test_verbs_that_read_share_how_they_read(verb: str, option: list[str], code: int) -> None:
    run = paramctl(verb, SAMPLES / "mlp_module.pt", *option)
    assert run.code == code
    assert "names code that loading it would run" in run.err


@pytest.mark.parametrize("verb", ["ls", "show"])
def test_verbs_that_read_share_the_part_they_read(verb: str) -> None:
    training = SAMPLES / "training.pt"
    parts = [[], ["--key", "optimizer"], ["--all"]]
    outs = {paramctl(verb, training, *part, "--color", "never", "-q").out for part in parts}
    assert len(outs) == 3


def test_thousands_of_arguments_are_addresses() -> None:
    run = paramctl("ls", MLP, *["0.weight"] * 5000)
    assert run.out.count("\n") == 1


@pytest.mark.parametrize(
    "pattern", ["*a" * 30 + "b", "**." * 30 + "x", "*" * 10_000, "x" * 100_000]
)
def test_no_pattern_is_slow(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(one(F32, name='"' + "a" * 2000 + ".a" * 500 + '"'))
    run = paramctl("ls", path, pattern)
    assert run.code in (0, 2)
    assert run.seconds < 2


@pytest.mark.parametrize("address", ["x*", "**.a", "a.*", "[0][0]", "a.a.b", "[0].b"])
@pytest.mark.parametrize(("dots", "count"), [(450_000, 1), (30, 4000)])
def test_names_of_many_dots_take_little(
    dots: int, count: int, address: str, tmp_path: Path
) -> None:
    names = [f"{i}." * (count > 1) + "a." * dots + "a" for i in range(count)]
    save_file({name: np.zeros(1, "u1") for name in names}, tmp_path / "deep.safetensors")
    run = paramctl("ls", tmp_path / "deep.safetensors", address, "--format", "names")
    assert run.code in (0, 2)
    assert_bounded(run)


@pytest.mark.parametrize("pair", ["ab", "ba", "aa"])
def test_a_misspelt_name_among_like_ones_is_not_slow(pair: str, tmp_path: Path) -> None:
    names = [f"{'a' * 194}{i}" for i in range(1000)] + [f"{'ab' * 97}{i}" for i in range(1000)]
    save_file({name: np.zeros(1, "u1") for name in names}, tmp_path / "like.safetensors")
    run = paramctl("ls", tmp_path / "like.safetensors", pair * 97 + "9x")
    assert run.code == 2
    assert "; closest: a" in run.err
    assert_bounded(run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_at_once_and_silently(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [PARAMCTL, "ls"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(0.7)  # it waits for its input now
    process.send_signal(number)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (-number, b"", b"")


def test_little_memory_and_few_descriptors_are_enough(wide: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))

    run = subprocess.run(
        [PARAMCTL, "ls", wide],
        capture_output=True,
        check=False,
        preexec_fn=limit,
    )
    assert (run.returncode, run.stdout.count(b"\n")) == (0, 20_000)


@pytest.mark.parametrize("name", ["torch", "safetensors", "yaml", "numpy", "json", "paramctl"])
def test_a_module_planted_in_the_working_directory_is_not_imported(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    run = paramctl("show", MLP, "2.bias", cwd=tmp_path)
    assert (run.code, run.err) == (0, "")


def test_stdin_is_read_in_place_or_spooled() -> None:
    expected = paramctl("ls", MLP).out
    with MLP.open("rb") as file:
        assert paramctl("ls", stdin=file).out == expected
    assert paramctl("ls", stdin=MLP.read_bytes()).out == expected
    assert paramctl("ls", "-", stdin=MLP.read_bytes()).out == expected
    assert shell('"$P" ls <("cat" "$F")', F=MLP).stdout.decode() == expected


@pytest.mark.parametrize("command", ['"$P" ls < <(cat "$PIPED")', '"$P" ls "$PACKED"'])
def test_what_no_temporary_file_can_hold_is_told(command: str, tmp_path: Path) -> None:
    packed, piped = tmp_path / "packed.keras", tmp_path / "piped"
    with ZipFile(KERAS) as archive, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        for name in archive.namelist():
            target.writestr(name, archive.read(name))
    piped.write_bytes(bytes(5000))
    # 4096 bytes; Python would cut what it compiles, and take that for whole the next time
    limits = 'trap "" XFSZ; ulimit -f 4; export PYTHONDONTWRITEBYTECODE=1; '
    run = shell(limits + command, PIPED=piped, PACKED=packed)
    assert (run.returncode, run.stdout) == (6, b"")
    assert b": no temporary file can hold it: File too large; set TMPDIR to a folder" in run.stderr
    assert run.stderr.count(b"\n") == 1


def test_addresses_alone_take_the_model_from_stdin_or_the_environment() -> None:
    expected = paramctl("ls", MLP, "2").out
    assert paramctl("ls", "2", stdin=MLP.read_bytes()).out == expected
    assert paramctl("ls", "2", env={"PARAMCTL_MODEL": str(MLP)}).out == expected


PATHS = ["params/dense/kernel", "head.bin", "vocab.json", "/w"]


@pytest.mark.parametrize("name", PATHS)
def test_a_name_like_a_file_s_is_an_address_in_a_model_that_is_piped_in(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "jax.safetensors"
    save_file({each: np.ones(1, "u1") for each in PATHS}, path, metadata={name: "y"})
    for given in ({"stdin": path.read_bytes()}, {"env": {"PARAMCTL_MODEL": str(path)}}):
        assert paramctl("ls", name, "--format", "names", **given, cwd=tmp_path).out == f"{name}\n"
        assert paramctl("show", f"{name}[0]", **given, cwd=tmp_path).out.endswith(
            "tensor(1, dtype=torch.uint8)\n"
        )
        assert paramctl("meta", name, **given, cwd=tmp_path).out == "y\n"


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (MLP.read_bytes(), "<stdin>: no parameter or layer 'no/2.bin'; closest: 2.bias"),
        (b"a.pt\nb.pt\n", "<stdin>: "),
        (None, "there is no folder 'no'"),
    ],
)
@pytest.mark.parametrize("verb", ["ls", "show"])
def test_a_mistyped_file_is_missing_whatever_is_piped_in(
    verb: str, stdin: bytes | None, said: str
) -> None:
    run = paramctl(verb, "no/2.bin", stdin=stdin)
    assert (run.code, run.out, run.err.count("\n")) == (6, "", 1)
    assert run.err.lower().startswith("paramctl: no/2.bin: no such file")
    assert f"; {said}" in run.err


def test_a_terminal_gets_a_tree_a_pipe_gets_tsv() -> None:
    assert "└─ weight" in run_on_terminal("ls", MLP, NO_COLOR="1")
    assert "─" not in paramctl("ls", MLP).out


def test_a_terminal_gets_a_screen_of_a_model_that_repeats_nothing(tmp_path: Path) -> None:
    entries = ",".join(f'"{i}x":{tensor("U8", "[1]", i, i + 1)}' for i in range(5000))
    path = tmp_path / "many.safetensors"
    path.write_bytes(header(f"{{{entries}}}", bytes(5000)))
    lines = run_on_terminal("ls", path, NO_COLOR="1").splitlines()
    assert lines[-3].split("  ")[0] == "… 4,981 more"
    assert lines[-2].startswith("abridged: --no-fold shows all")
    assert len(run_on_terminal("ls", path, "--no-fold", columns=200).splitlines()) == 5003
    assert len(paramctl("ls", path, "--format", "tree").out.splitlines()) == 5003


def test_colour_follows_the_terminal_no_color_and_the_option() -> None:
    assert "\x1b[" in run_on_terminal("ls", MLP)
    assert "\x1b[" not in run_on_terminal("ls", MLP, NO_COLOR="1")
    assert "\x1b[" not in run_on_terminal("ls", MLP, "--color", "never")
    assert "\x1b[" in paramctl("ls", MLP, "--color", "always", "--format", "tree").out
    assert "\x1b[" not in paramctl("ls", MLP, "--format", "tree").out


@pytest.mark.parametrize("columns", [30, 80, 160])
def test_lines_fit_the_terminal(columns: int, tmp_path: Path) -> None:
    path = tmp_path / "long.safetensors"
    path.write_bytes(header(f'{{"{"層" * 60}.w":{F32}}}', bytes(4)))
    text = run_on_terminal("ls", path, columns=columns, NO_COLOR="1")
    table = text.splitlines()[1:-1]
    cells = [sum(2 if c == "層" else 1 for c in line) for line in table]
    assert max(cells) <= columns


def test_binary_never_reaches_a_terminal() -> None:
    assert "redirect it" in run_on_terminal("show", MLP, "2.bias", "--format", "raw")


def test_raw_bytes_come_out_as_they_are_stored() -> None:
    run = subprocess.run(
        [PARAMCTL, "show", MLP, "2.bias", "--format", "raw"], capture_output=True, check=True
    )
    assert run.stdout == load_file(MLP)["2.bias"].tobytes()
