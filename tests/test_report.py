"""`paramctl report`: what is on its page, where it goes, and what it refuses."""

import json
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forks import Forks
from program import paramctl, run_on_terminal, shell
from safetensors.torch import load_file, save_file

from paramctl.edits.provenance import KEY, read_draws
from paramctl.formats import open_checkpoint
from paramctl.report.boxes import BESIDE, MOST, choose_boxes
from paramctl.report.columns import draw_bars
from paramctl.report.page import embed, load_plotly
from paramctl.views.census import Census
from paramctl.views.rows import make_rows

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_models"
MLP = SAMPLES / "mlp.pt"
GPT2 = SAMPLES / "gpt2"
HOSTILE = "</script><!--<script>\u2028\u202e\x1b]0;x\x07&amp;\\{{script}}"
PLOTLY = load_plotly()


def page_of(forks: Forks, *arguments: str | Path) -> str:
    run = forks.run("report", *arguments)
    assert (run.code, run.err) == (0, "")
    return run.out


def document_of(page: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    _, _, rest = page.partition('<script id="document" type="application/json">')
    text, _, _ = rest.partition("</script>")
    document: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return document


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)


def names_in(document: dict[str, Any]) -> dict[str, int]:
    """Return the names of the parameters, put together from the tree, and their places."""
    layers = document["layers"]
    names = [""]
    for parent, label in list(zip(layers["parent"], layers["label"], strict=True))[1:]:
        names.append(f"{names[parent]}.{label}" if parent else label)
    places = zip(names, layers["parameter"], strict=True)
    return {name: place for name, place in places if place >= 0}


def test_only_its_own_scripts_may_run_and_nothing_is_loaded(forks: Forks) -> None:
    page = page_of(forks, MLP)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert scripts[1] == PLOTLY
    digests = [b64decode(each[8:-1]) for each in rules["script-src"].split(" ")]
    assert digests == [sha256(script.encode()).digest() for script in scripts]
    without = page.replace(PLOTLY, "")
    assert not re.search(r"(?:src|href)=(?!\"(?:#|data:,))|@import|url\(|innerHTML", without)


def test_the_same_model_gives_the_same_bytes(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("report", GPT2, "-o", tmp_path / "a.html")
    assert re.fullmatch(r"paramctl: wrote \S+/a.html, [45].\d+ MB\n", run.err)
    other = paramctl("report", GPT2, "-o", tmp_path / "b.HTML", "-q")
    assert (other.code, other.out, other.err) == (0, "", "")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.HTML").read_bytes()


def test_numbers_are_those_of_torch(forks: Forks) -> None:
    document = document_of(page_of(forks, GPT2))
    columns, names = document["parameters"], names_in(document)
    shards = map(load_file, sorted(GPT2.glob("*.safetensors")))
    tensors = {name: tensor.double() for shard in shards for name, tensor in shard.items()}
    assert set(names) == set(tensors)
    for name, place in names.items():
        values = tensors[name]
        assert columns["shape"][place] == str(list(values.shape))
        assert columns["values"][place] == values.numel()
        assert columns["mean"][place] == pytest.approx(float(values.mean()), abs=1e-10)
        assert columns["std"][place] == pytest.approx(float(values.std(correction=0)), rel=1e-8)
        assert columns["max"][place] == pytest.approx(float(values.max()), rel=1e-8)
        assert columns["zeros"][place] == int((values == 0).sum())
        low, high, counts = columns["bins"][place]
        expected = np.histogram(values.numpy(), len(counts), (low, high))[0]
        assert counts == expected.tolist()


def test_boxes_add_up_to_the_model_with_ties_counted_once(forks: Forks) -> None:
    document = document_of(page_of(forks, SAMPLES / "shared.pt"))
    boxes = document["boxes"]
    assert boxes["values"][0] == 121
    for box, values in enumerate(boxes["values"]):
        inside = [
            v for v, parent in zip(boxes["values"], boxes["parent"], strict=True) if parent == box
        ]
        assert not inside or sum(inside) == values
    assert boxes["left_out"] == 0
    names = names_in(document)
    assert document["ties"]["groups"] == [
        [names["2.weight"], names["4.weight"]],
        [names["2.bias"], names["4.bias"]],
    ]
    stored = document["parameters"]["stored"]
    assert stored[names["4.weight"]] == names["2.weight"]


def test_of_very_many_parameters_the_largest_have_boxes(tmp_path: Path) -> None:
    state = {f"h.{n // 10}.{n % 10}.w": torch.zeros(1 + n % 7) for n in range(4000)}
    save_file(state, tmp_path / "many")
    checkpoint = open_checkpoint(tmp_path / "many")
    census = Census(checkpoint, make_rows(checkpoint, checkpoint))
    boxes, drawn = choose_boxes(census, "many")
    assert len(boxes) <= MOST + BESIDE + 1
    assert drawn < 4000
    root = [box for box in boxes if box.parent == 0]
    (in_h,) = [place for place, box in enumerate(boxes) if box.parent == 0]
    inside = [box for box in boxes if box.parent == in_h]
    assert sum(box.values for box in root) == boxes[0].values == sum(1 + n % 7 for n in range(4000))
    assert len(inside) == BESIDE + 1
    assert inside[-1].label == "340 smaller"
    assert sum(box.values for box in inside) == boxes[in_h].values


def test_a_parameter_with_others_below_it_has_a_box_of_its_own(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3), "a.b": torch.zeros(5)}, tmp_path / "x")
    checkpoint = open_checkpoint(tmp_path / "x")
    census = Census(checkpoint, make_rows(checkpoint, checkpoint))
    boxes, drawn = choose_boxes(census, "x")
    assert [(box.label, box.values) for box in boxes] == [
        ("x", 8),
        ("a", 8),
        ("(itself)", 3),
        ("b", 5),
    ]
    assert drawn == 2


@pytest.mark.parametrize(
    ("counts", "bars"),
    [
        ([], ""),
        ([0, 1, 1000], "019"),
        ([7] * 16, "9" * 16),
        ([1] * 31 + [17], "1" * 15 + "9"),
        ([1] * 20, "9" * 10),
        ([0] * 64, "0" * 16),
    ],
)
def test_bars_show_every_value(counts: list[int], bars: str) -> None:
    assert draw_bars(counts) == bars


def test_what_comes_from_a_file_is_data_and_escaped(forks: Forks, tmp_path: Path) -> None:
    model = tmp_path / "a<b>.safetensors"
    init = [{"scheme": HOSTILE, "rule": HOSTILE, "seed": 2**64 - 1, "parameters": [HOSTILE]}]
    metadata = {
        HOSTILE: HOSTILE,
        f"{HOSTILE}2": HOSTILE,
        "paramctl.init": json.dumps(init),
        "paramctl.spec": json.dumps({HOSTILE: [HOSTILE]}),
    }
    save_file({HOSTILE: torch.full((2, 3), torch.nan), "b": torch.ones(2)}, model, metadata)
    save_file({HOSTILE: torch.ones(2, 3)}, tmp_path / "other", {HOSTILE: "x"})
    page = page_of(forks, model, "--against", tmp_path / "other")
    assert page.count("</script>") == 3
    assert "<title>a&lt;b&gt;.safetensors" in page
    assert not re.search("[\u2028\u202e\x1b\x07]", page.replace(PLOTLY, ""))
    document = document_of(page)
    for text in texts_in(document):
        assert all(line.isprintable() for line in text.split("\n"))
    escaped = "</script><!--<script>\\u2028\\u202e\\x1b]0;x\\x07&amp;\\\\{{script}}"
    assert escaped in document["layers"]["label"]
    assert escaped in document["metadata"]
    assert document["init"]["records"][0]["seed"] == str(2**64 - 1)
    assert document["comparison"]["listed"][0]["name"] == escaped


def test_json_is_legal_html_and_has_no_number_that_is_none() -> None:
    assert embed({"<a>&": "\u2028"}) == '{"\\u003ca\\u003e\\u0026":"\\u2028"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed({"x": float("nan")})


def test_findings_are_those_of_check(forks: Forks, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    assert not forks.run("set", MLP, "0.weight[2] = 0", "2.weight[0,5] /= 0", "-o", broken).code
    document = document_of(page_of(forks, broken))
    checked = json.loads(forks.run("check", broken, "--format", "json").out)
    names = names_in(document)
    found = [
        (f["kind"], f["severity"], f["parameter"], f["what"])
        for f in document["findings"]["listed"]
    ]
    assert found == [
        (f["kind"], f["severity"], names[f["name"]], f["what"]) for f in checked["findings"]
    ]


def test_a_comparison_is_that_of_diff(forks: Forks, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    assert not forks.run("set", MLP, "0.weight *= 2", "2.bias /= 0", "-o", other).code
    document = document_of(page_of(forks, MLP, "--against", other))
    differing = json.loads(forks.run("diff", MLP, other, "--format", "json").out)["parameters"]
    told = {each["name"]: each for each in document["comparison"]["listed"]}
    assert list(told) == [each["a"]["name"] for each in differing]
    for each in differing:
        values, ours = each["values"], told[each["a"]["name"]]
        assert ours["change"] == each["change"] == "changed"
        largest = values["largest"]
        assert ours["largest"] == (largest if largest == "inf" else pytest.approx(largest))
        assert ours["cosine"] == values["cosine"]
    bins = document["parameters"]["bins"][names_in(document)["0.weight"]]
    assert [sum(counts) for counts in bins[2:]] == [32, 32]


def test_what_is_added_removed_and_renamed_is_told(forks: Forks, tmp_path: Path) -> None:
    torch.manual_seed(0)
    same = torch.randn(4)
    save_file({"old": same, "gone": torch.randn(2), "w": torch.ones(1)}, tmp_path / "a")
    save_file({"new": same, "more": torch.randn(3), "w": torch.ones(1)}, tmp_path / "b")
    told = document_of(page_of(forks, tmp_path / "a", "--against", tmp_path / "b"))["comparison"]
    assert {(each["change"], each["name"]) for each in told["listed"]} == {
        ("renamed", "old"),
        ("removed", "gone"),
        ("added", "more"),
    }
    assert told["summary"][0].startswith("4 parameters: 1 equal")


def test_a_model_from_a_spec_tells_it_and_how_it_was_filled(
    forks: Forks, torch_forks: Forks, tmp_path: Path
) -> None:
    filled = tmp_path / "filled.safetensors"
    arguments = "-s", "xavier", "--seed", "7", "-o", filled
    assert not torch_forks.run("init", SAMPLES / "mlp.yaml", *arguments).code
    document = document_of(page_of(forks, filled))
    assert "- Linear: [4, 8]" in document["spec"]
    names = names_in(document)
    record = document["init"]["records"][document["init"]["of_parameter"][names["0.weight"]]]
    assert record["scheme"] == "xavier_uniform"
    assert (record["rule"], record["seed"]) == ("--scheme xavier", "7")
    assert "paramctl" not in document["metadata"]


@pytest.mark.parametrize(
    "text", ["nonsense", "{}", "3", '[{"scheme": 1}]', "[" * 100_000, '[{"parameters": [[]]}]']
)
def test_provenance_that_is_broken_is_left_out(text: str) -> None:
    assert read_draws({KEY: text}) == read_draws({KEY: [text]}) == []


def test_a_page_goes_into_a_pipe_or_a_file(forks: Forks, tmp_path: Path) -> None:
    piped = forks.run("report", MLP, "-o", "-")
    run = forks.run("report", MLP, "-o", tmp_path / "x.html", "-q")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert (tmp_path / "x.html").read_bytes() == piped.out.encode()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_pipe_gives_the_model_and_takes_the_page() -> None:
    run = shell('"$P" report < "$M" | grep -c "<title>&lt;stdin&gt; · paramctl"', M=MLP)
    assert (run.stdout, run.stderr) == (b"1\n", b"")


def test_a_pipe_that_closes_is_silent() -> None:
    run = shell('"$P" report "$M" | head -c 15; echo "${PIPESTATUS[0]}"', M=MLP)
    assert (run.stdout, run.stderr) == (b"<!doctype html>141\n", b"")


def test_a_terminal_gets_no_page() -> None:
    assert run_on_terminal("report", MLP) == (
        "paramctl: a page is nothing for a terminal; name a file: -o report.html\n"
    )


@pytest.mark.parametrize(
    ("option", "name", "code", "message"),
    [
        ("-o", "x.txt", 2, "{}: a page is HTML; name it .html"),
        ("-o", "nowhere/x.html", 6, "{}: there is no such folder; 'mkdir -p' makes one"),
        ("-o", "there.html", 2, "{}: the file is there already; --force replaces it"),
        ("--against", "nowhere.pt", 6, "{}: No such file or directory"),
        ("-q", "more.pt", 2, "one model at a time, not '{}' too; --against compares two"),
    ],
)
def test_what_makes_no_page(
    option: str, name: str, code: int, message: str, forks: Forks, tmp_path: Path
) -> None:
    (tmp_path / "there.html").write_text("mine")
    run = forks.run("report", MLP, option, tmp_path / name)
    assert (run.code, run.out) == (code, "")
    assert run.err == f"paramctl: {message.format(tmp_path / name)}\n"
    assert [each.name for each in tmp_path.iterdir()] == ["there.html"]
    assert (tmp_path / "there.html").read_text() == "mine"


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['plotly'] = None; from paramctl.__main__ import main; main()"
    command = [sys.executable, "-c", code, "report", str(MLP), "-o", str(tmp_path / "x.html")]
    run = subprocess.run(command, capture_output=True, check=False, text=True)
    assert run.stderr == "paramctl: a report needs plotly; pip install 'paramctl[report]'\n"
    assert not list(tmp_path.iterdir())
