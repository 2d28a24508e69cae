"""Nothing in a file is run: an audit hook watches while every hostile file and sample is listed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import gguf_rows
import index_rows
import legacy_rows
import npy_rows
import pickle_rows
import pytest
import safetensors_rows
import tensor_rows
import zip_rows
from hostile import Row

SAMPLES = Path(__file__).parents[1] / "sample_models"
WARM_UP = (
    *("mlp.pt", "legacy.pt", "mlp.safetensors", "mlp.npz", "gpt2", "mlp_traced.pt"),
    *(
        "mlp_exported.pt2",
        "llama.gguf",
        "../LICENSE",
    ),  # the last is in no format: packages are asked for theirs
)
WATCHER = """
import json, sys
from paramctl import open as open_model
from paramctl.errors import ParamctlError
from paramctl.views.rows import make_rows, total
from paramctl.views.text import json_text, tsv_lines

events = []
def note(event, arguments):
    if event != "builtins.id":
        events.append([event, repr(arguments[0]) if arguments else ""])

def list_model(path):
    try:
        checkpoint = open_model(path)
        rows = make_rows(checkpoint, checkpoint)
        list(tsv_lines(rows))
        json_text(checkpoint, rows, total(checkpoint, rows))
    except ParamctlError as error:
        return error.exit_code
    except BaseException as error:
        return repr(error)[:500]
    return 0

warm_up, paths = json.load(sys.stdin)
for path in warm_up:
    list_model(path)
"".encode("unicode_escape")  # a codec is a module, imported at its first use
modules = set(sys.modules)
sys.addaudithook(note)
for path in paths:
    answer = list_model(path)
    print(json.dumps([answer, events]))
    events.clear()
print(json.dumps([sorted(set(sys.modules) - modules), "torch" in sys.modules]))
"""


class Watched(NamedTuple):
    """What listing a file came to: the exit code or a bug, and the audit events."""

    path: Path
    answer: int | str
    events: list[tuple[str, str]]


def odd_rows() -> list[Row]:
    """Return the rows of every table that are no folders and no indexes."""
    odd = [Row(name, data, 0, "") for name, (data, _) in safetensors_rows.LISTED.items()]
    odd += [*safetensors_rows.REFUSED, *zip_rows.REFUSED, *zip_rows.LISTED, zip_rows.MANY_MEMBERS]
    odd += npy_rows.REFUSED + npy_rows.LISTED + gguf_rows.REFUSED + gguf_rows.LISTED
    for table in (tensor_rows, pickle_rows, legacy_rows):
        odd += table.REFUSED + table.LISTED + [row._replace(code=0) for row in table.NAMING_CODE]
    return odd


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, int]:
    """Return each file and the exit code that it is to have."""
    samples = [
        path for kind in ("pt*", "safet*", "npz", "gguf") for path in SAMPLES.glob(f"*.{kind}")
    ]
    codes = dict.fromkeys(samples, 0)
    codes[SAMPLES / "gpt2"] = 0
    for row in [*odd_rows(), *index_rows.REFUSED]:
        folder = tmp_path_factory.mktemp("row")
        codes[row.write(folder)] = row.code
    return codes


@pytest.fixture(scope="module")
def watched(expected: dict[Path, int]) -> tuple[list[Watched], list[str], bool]:
    """List each file; return what was seen, the modules that came by it, and whether torch is."""
    warm_up = [str(SAMPLES / name) for name in WARM_UP]
    request = json.dumps([warm_up, [str(path) for path in expected]])
    run = subprocess.run(
        [sys.executable, "-c", WATCHER], input=request, capture_output=True, text=True, check=True
    )
    *lines, last = map(json.loads, run.stdout.splitlines())
    assert run.stderr == ""
    files = [
        Watched(path, answer, [(event, argument) for event, argument in events])
        for path, (answer, events) in zip(expected, lines, strict=True)
    ]
    return files, *last


def test_every_file_is_listed_or_refused_as_its_row_says(
    watched: tuple[list[Watched], list[str], bool], expected: dict[Path, int]
) -> None:
    answers = {file.path: file.answer for file in watched[0]}
    assert answers == expected


def test_nothing_is_imported_for_a_file(watched: tuple[list[Watched], list[str], bool]) -> None:
    _, imported, torch_is_imported = watched
    assert imported == []
    assert not torch_is_imported


def test_nothing_happens_but_that_the_file_and_its_shards_are_opened(
    watched: tuple[list[Watched], list[str], bool],
) -> None:
    opened = 0
    for file in watched[0]:
        inside = file.path if file.path.is_dir() else file.path.parent
        has_shards = file.path.is_dir() or file.path.suffix == ".json"
        for event, argument in file.events:
            name = Path(argument[1:-1])
            if event == "open" and (name == file.path or (has_shards and inside in name.parents)):
                opened += 1
            else:
                assert (event, argument) == ("os.listdir", repr(str(file.path)))
    assert opened > len(watched[0])
