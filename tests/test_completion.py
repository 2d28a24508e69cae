"""Completion: what a shell is offered, and that it is text to it, whatever a name holds."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from program import PARAMCTL, paramctl
from safetensors_rows import header, tensor

from paramctl.cli.shell_words import quote_for_bash, split_line

SAMPLES = Path(__file__).parents[1] / "sample_models"
RGNET, MLP = SAMPLES / "rgnet.pt", SAMPLES / "mlp.pt"
QUOTES = ["", "'", '"']
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
EVIL = ["$(touch PWNED)", "`touch PWNED`", "w'; touch PWNED; '", 'w"; touch PWNED; "', "w\\", "!!"]


def complete(line: str, shell: str = "fish", **variables: str) -> list[str]:
    """Return what the program offers a shell for the last word of a line."""
    run = paramctl("completion", shell, "--line", line, env=variables)
    assert (run.code, run.err) == (0, "")
    return run.out.splitlines()


def write_model(path: Path, names: list[str]) -> Path:
    entries = ",".join(
        f"{json.dumps(name)}:{tensor('U8', '[1]', i, i + 1)}" for i, name in enumerate(names)
    )
    path.write_bytes(header(f"{{{entries}}}", bytes(len(names))))
    return path


def words_of_bash(line: str) -> list[str]:
    """Return the words that bash makes of a line."""
    command = ["bash", "-c", f"printf '%s\\0' {line}"]
    run = subprocess.run(command, capture_output=True, check=True)
    return run.stdout.decode().split("\0")[:-1] if line else []


def type_to_bash(folder: Path, *lines: str, **variables: str | Path) -> str:
    """Type lines at the prompt of an interactive bash and return all that its terminal shows."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        os.environ.update(
            {"TERM": "dumb", "COLUMNS": "200", "HISTFILE": "", "INPUTRC": "/dev/null"}
        )
        os.environ.update({name: str(value) for name, value in variables.items()})
        os.environ["PATH"] = f"{Path(PARAMCTL).parent}:{os.environ['PATH']}"
        os.execvp("bash", ["bash", "--norc", "-i"])  # noqa: S606 (on a terminal)
    setup = 'eval "$(paramctl completion bash)"; bind "set enable-bracketed-paste off"'
    os.write(terminal, "".join(f"{line}\n" for line in (setup, *lines, "exit")).encode())
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # Linux says EIO when the other end is closed
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize("verb", ["ls", "show"])
def test_names_in_the_file_are_offered(shell: str, verb: str) -> None:
    assert complete(f"paramctl {verb} {MLP} 2.", shell) == ["2.weight", "2.bias"]
    assert complete(f"paramctl {verb} --quiet {MLP} 0.bias 2.w", shell) == ["2.weight"]


@pytest.mark.parametrize(
    "model", ["$MODEL", "${MODEL}", '"$FOLDER/mlp.pt"', "~/mlp.pt", "'mlp'.pt", "mlp\\.pt"]
)
def test_the_model_may_be_written_as_the_shell_allows(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SAMPLES)
    variables = {"MODEL": str(MLP), "FOLDER": str(SAMPLES), "HOME": str(SAMPLES)}
    assert complete(f"paramctl show {model} 2.w", **variables) == ["2.weight"]


def test_the_model_may_come_from_the_environment() -> None:
    assert complete("paramctl show 0.", PARAMCTL_MODEL=str(MLP)) == ["0.weight", "0.bias"]
    named = complete(f"paramctl show {MLP} 0.", PARAMCTL_MODEL="/nowhere")
    assert named == ["0.weight", "0.bias"]


def test_the_classes_of_the_model_s_layers_are_offered() -> None:
    module = SAMPLES / "fancy_module.pt"
    for option in ("--type ", "--type Linear --type "):
        assert complete(f"paramctl ls {module} {option}") == ["FancyMLP", "Linear"]
    assert complete(f"paramctl init -q {module} -s ones --type Li") == ["Linear"]
    assert complete(f"paramctl set {module} --type=Li") == ["--type=Linear"]
    assert complete("paramctl show --type F", PARAMCTL_MODEL=str(module)) == ["FancyMLP"]
    assert complete(f"paramctl ls {MLP} --type ") == complete("paramctl ls --type ") == []
    assert complete(f"paramctl ls {module} --type Linear li") == ["linear.weight", "linear.bias"]


@pytest.mark.parametrize("model", ["/nowhere.pt", "/dev/null", str(SAMPLES / "make.py"), "pipe"])
def test_what_is_no_model_offers_nothing(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    assert complete(f"paramctl show {model} 2.") == []


@pytest.mark.parametrize("model", ["$(touch PWNED)", "`touch PWNED`", "<(touch PWNED)", "$((1))"])
def test_what_only_running_it_would_tell_offers_nothing(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete(f"paramctl show {model} 2.", PARAMCTL_MODEL=str(MLP)) == []
    assert not list(tmp_path.iterdir())


def test_many_names_are_offered_part_by_part(tmp_path: Path) -> None:
    path = write_model(tmp_path / "many", [f"h.{i // 10}.{i % 10}.w" for i in range(500)])
    assert complete(f"paramctl show {path} ") == [f"h.{i}." for i in range(50)]
    assert complete(f"paramctl show {path} h.7") == [f"h.7.{i}.w" for i in range(10)]


def test_the_part_of_a_training_checkpoint_is_that_of_the_options() -> None:
    offered = complete(f"paramctl ls --key optimizer {SAMPLES / 'training.pt'} state.0.s")
    assert offered == ["state.0.step"]


def test_verbs_and_options_are_offered_with_their_help() -> None:
    verbs = dict(line.split("\t") for line in complete("paramctl "))
    assert {"ls", "show", "meta", "completion"} <= verbs.keys()
    assert all(verbs.values())
    assert complete("paramctl ls --dep") == ["--depth\tShow layers down to this depth."]
    assert complete("paramctl --ver") == ["--version\tShow the version."]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("paramctl ls --format t", ["tree", "table", "tsv"]),
        ("paramctl ls --format=t", ["--format=tree", "--format=table", "--format=tsv"]),
        ("paramctl show -q --color ", ["auto", "always", "never"]),
        ("paramctl completion ", ["bash", "zsh", "fish"]),
        ("paramctl completion fish ", []),
        ("paramctl init --scheme xav", ["xavier_uniform", "xavier", "xavier_normal"]),
        ("paramctl init m.pt -s orth", ["orthogonal"]),
        ("paramctl init m.pt -s=orth", []),
        ("paramctl init --scheme=lecun_n", ["--scheme=lecun_normal"]),
        ("paramctl init --bias zer", ["zeros"]),
        ("paramctl init --norm ke", ["keep"]),
        ("paramctl init --recipe b", ["bert"]),
        ("paramctl schemes orth", ["orthogonal"]),
        ("paramctl schemes orthogonal ", []),
        (f"paramctl ls {MLP} -- --", []),
        ("paramctl nothing ", []),
        ("paramctl ls --depth x ", []),
        ("paramctl ls 'unclosed", []),
    ],
)
def test_choices_are_offered_where_they_may_stand(line: str, offered: list[str]) -> None:
    assert complete(line) == offered


@pytest.mark.parametrize("line", ["init --scheme xav", "init --recipe gp", "schemes xav"])
def test_schemes_and_recipes_are_offered_without_loading_what_reads_them(line: str) -> None:
    code = (
        "import sys; from paramctl.cli.app import run\n"
        f"assert run(['completion', 'fish', '--line', 'paramctl {line}']) == 0\n"
        "print(*{'torch', 'numpy', 'yaml', 'rich.console'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    *offered, heavy = run.stdout.splitlines()
    assert offered
    assert heavy == ""


def test_a_name_that_would_be_an_option_or_no_line_is_not_offered(tmp_path: Path) -> None:
    path = write_model(tmp_path / "odd", ["--all", "a\nb", "a\tb", "a\x1b[31m", "a", ""])
    assert complete(f"paramctl show {path} ") == ["a"]
    assert complete(f"paramctl show {path} -- -") == []


@settings(max_examples=30)
@given(st.lists(st.tuples(NAMES, st.sampled_from(QUOTES))))
def test_what_bash_is_given_is_the_name_to_bash(names: list[tuple[str, str]]) -> None:
    typed = [f"x{quote}{quote_for_bash(name, quote)}" for name, quote in names]
    assert words_of_bash(" ".join(typed)) == [f"x{name}" for name, _ in names]


@settings(max_examples=100)
@given(st.text("ab \\'\"~/", max_size=20))
@example("''~ ~'' ~/'' ~\\a ")
def test_words_are_those_that_bash_makes_of_a_line(text: str) -> None:
    line = split_line(f"{text}b")
    assert words_of_bash(f"{text}b{line.quote}") == line.words


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (r"paramctl show $FILE 0.block\ 1.0.b", "0.block 1.0.bias"),
        (r"paramctl show $FILE '0.block 1.0.b", "0.block 1.0.bias"),
        (r'paramctl show "$FILE" "0.block 1.0.b', "0.block 1.0.bias"),
        (r"paramctl show ~/rgnet.pt 1.b", "1.bias"),
        ("LOCAL=$FILE\nparamctl show $LOCAL 1.b", "1.bias"),
        ("cd ~\nparamctl show --form\ttext rgnet.p\t1.b", "1.bias"),
    ],
)
def test_tab_at_a_prompt_of_bash_completes(typed: str, taken: str, tmp_path: Path) -> None:
    shown = type_to_bash(tmp_path, f"{typed}\t", FILE=RGNET, HOME=SAMPLES)
    assert f"\n{taken}  ·  " in shown


@pytest.mark.parametrize("quote", QUOTES)
def test_no_name_is_run_at_a_prompt_of_bash(quote: str, tmp_path: Path) -> None:
    names = [f"{place}x{name}" for place, name in enumerate(EVIL)]
    write_model(tmp_path / "evil", names)
    run = "\x01printf '[%s]\\n' \x05"  # in the place of the program, it prints the words
    typed = [f"paramctl ls evil {quote}{place}x\t{run}" for place in range(len(EVIL))]
    shown = type_to_bash(tmp_path, *typed, PARAMCTL_MODEL="")
    for name in names:
        assert f"\n[{name}]\n" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["evil"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_program_and_evaluates_nothing(shell: str) -> None:
    run = paramctl("completion", shell)
    assert run.code == 0
    assert f'completion {shell} --line "$line"' in run.out
    assert "eval " not in run.out.replace(f'eval "$(paramctl completion {shell})"', "")
