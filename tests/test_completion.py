"""Completion of parameter names inside a file."""

import os
import subprocess
from pathlib import Path

import pytest
from program import PARAMCTL
from safetensors_rows import header, tensor

SAMPLES = Path(__file__).parents[1] / "sample_models"
RGNET, MLP = SAMPLES / "rgnet.pt", SAMPLES / "mlp.pt"


def complete(shell: str, line: str, **variables: str) -> list[str]:
    """Return what the program offers a shell for the last word of a line."""
    request = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    run = subprocess.run(
        [PARAMCTL],
        env=os.environ | request | variables | {"_PARAMCTL_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert not run.stderr
    return [line for line in run.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize("verb", ["ls", "show"])
def test_names_in_the_file_are_offered(shell: str, verb: str) -> None:
    assert complete(shell, f"paramctl {verb} {MLP} 2.") == ["2.weight", "2.bias"]
    assert complete(shell, f"paramctl {verb} {MLP} 2.w") == ["2.weight"]


def test_zsh_gets_names_as_its_alternatives() -> None:
    assert complete("zsh", f"paramctl show {MLP} 2.") == [
        '_arguments \'*: :(("2.weight"',
        '"2.bias"))\'',
    ]


def test_the_model_may_come_from_the_environment() -> None:
    offered = complete("fish", f"paramctl show {MLP} 0.", PARAMCTL_MODEL="/nowhere")
    assert offered == ["0.weight", "0.bias"]


@pytest.mark.parametrize("model", ["/nowhere.pt", "/dev/null", str(SAMPLES / "make.py")])
def test_what_is_no_model_offers_nothing(model: str) -> None:
    assert complete("fish", f"paramctl show {model} 2.") == []


def test_many_names_are_offered_part_by_part(tmp_path: Path) -> None:
    entries = ",".join(
        f'"h.{i // 10}.{i % 10}.w":{tensor("U8", "[1]", i, i + 1)}' for i in range(500)
    )
    path = tmp_path / "many"
    path.write_bytes(header(f"{{{entries}}}", bytes(500)))
    assert complete("fish", f"paramctl show {path} ") == ["h."]
    assert complete("fish", f"paramctl show {path} h.") == [f"h.{i}." for i in range(50)]
    assert complete("fish", f"paramctl show {path} h.7.") == [f"h.7.{i}.w" for i in range(10)]


def test_bash_inserts_a_name_with_spaces_as_one_word() -> None:
    script = f"""
source <("{PARAMCTL}" --show-completion)
COMP_WORDS=("{PARAMCTL}" show "{RGNET}" '0.block\\ 1.0.b') COMP_CWORD=3
_paramctl_completion "{PARAMCTL}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    run = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True)
    assert run.stdout == "0.block\\ 1.0.bias\n"


def test_verbs_are_offered_with_their_help() -> None:
    offered = complete("fish", "paramctl ")
    assert [line.split("\t")[0] for line in offered] == ["ls", "show", "meta"]
    assert all(line.split("\t")[1] for line in offered)


@pytest.mark.parametrize("name", [r"w.\\$(touch x)", "w.`id`", 'w.\\"', "w.'", "w;id", "w.$HOME"])
def test_zsh_is_offered_no_name_that_could_be_code(name: str, tmp_path: Path) -> None:
    path = tmp_path / "evil"
    entries = f'"{name}":{tensor("U8", "[1]", 0, 1)},"w.fine":{tensor("U8", "[1]", 1, 2)}'
    path.write_bytes(header(f"{{{entries}}}", bytes(2)))
    assert complete("zsh", f"paramctl show {path} w") == ["_arguments '*: :((\"w.fine\"))'"]
