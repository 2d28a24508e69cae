"""`paramctl stats` as users run it: tables, TSV, JSON, sums of layers, orders, hostile values."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from index_rows import index
from program import run_on_terminal
from safetensors.torch import save_file

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED, GPT2 = SAMPLES / "mlp.pt", SAMPLES / "shared.pt", SAMPLES / "gpt2"
COLUMNS = ("numel", "mean", "std", "min", "max", "absmax", "norm", "zeros", "nan", "inf")
MANY = 20_000


def rows_of(out: str) -> dict[str, list[str]]:
    return {line.split("\t")[0]: line.split("\t")[1:] for line in out.splitlines()}


def facts_of(tensor: torch.Tensor) -> list[float]:
    """Return the columns as numpy has them."""
    values = tensor.double().numpy()
    extremes = [values.min(), values.max(), abs(values).max()]
    counts = [(values == 0).sum(), np.isnan(values).sum(), np.isinf(values).sum()]
    return [values.size, values.mean(), values.std(), *extremes, np.linalg.norm(values), *counts]


def test_a_pipe_gets_every_number_of_every_parameter(forks: Forks) -> None:
    run = forks.run("stats", MLP)
    assert (run.code, run.err) == (0, "")
    rows = rows_of(run.out)
    state = torch.load(MLP)
    assert list(rows) == list(state)
    for name, tensor in state.items():
        shape, dtype, *numbers, tied, why = rows[name]
        assert (shape, dtype, tied, why) == (str(list(tensor.shape)), "float32", "-", "-")
        assert list(map(float, numbers)) == pytest.approx(facts_of(tensor), rel=1e-8)


def test_json_has_all_digits(forks: Forks) -> None:
    options = ("--quantiles", "0,0.5,0.9999999", "--format", "json")
    run = forks.run("stats", MLP, "0.weight", *options)
    (facts,) = json.loads(run.out)
    tensor = torch.load(MLP)["0.weight"]
    assert facts["name"] == "0.weight"
    assert [facts[key] for key in COLUMNS] == pytest.approx(facts_of(tensor), rel=1e-14)
    assert facts["quantiles"] == {
        "0": pytest.approx(float(tensor.min())),
        "0.5": pytest.approx(np.quantile(tensor.numpy(), 0.5)),
        "0.9999999": pytest.approx(np.quantile(tensor.double().numpy(), 0.9999999)),
    }


def test_a_tie_is_listed_and_read_once(forks: Forks) -> None:
    rows = rows_of(forks.run("stats", SHARED).out)
    assert rows["4.weight"][:-2] == rows["2.weight"][:-2]
    assert rows["4.weight"][-2] == "2.weight"
    shown = forks.run("stats", SHARED, "--format", "table").out
    assert shown.splitlines()[-1] == "121 values"
    alone = rows_of(forks.run("stats", SHARED, "4.weight").out)
    assert alone["4.weight"] == rows["4.weight"]


def test_layers_are_the_sums_of_what_is_in_them(forks: Forks) -> None:
    rows = rows_of(forks.run("stats", SHARED, "--depth", "1").out)
    state = torch.load(SHARED)
    assert list(rows) == ["0", "2", "4", "6"]
    for layer in ("0", "2", "6"):
        values = [t.flatten() for name, t in state.items() if name.startswith(f"{layer}.")]
        numbers = [float(cell) for cell in rows[layer][2:12]]
        assert numbers == pytest.approx(facts_of(torch.cat(values)), rel=1e-8)
    assert set(rows["4"][:-1]) == {"-"}  # tied to 2, and counted there
    assert [cells[-1] for cells in rows.values()] == ["-", "-", "tied, counted elsewhere", "-"]


def test_layers_say_why_they_are_less_than_all_that_is_in_them(
    torch_forks: Forks, tmp_path: Path
) -> None:
    state = {"a.w": torch.eye(2).to_sparse(), "a.b": torch.ones(2), "b.w": torch.eye(2).to_sparse()}
    torch.save(state, tmp_path / "model")
    rows = rows_of(torch_forks.run("stats", tmp_path / "model", "--depth", "1").out)
    why = "is sparse_coo: it has no values laid out as an array"
    assert [rows[layer][-1] for layer in "ab"] == [f"1 left out: {why}", why]
    assert rows["a"][2] == "2"


@pytest.mark.parametrize("column", [*COLUMNS, "name", "file"])
def test_rows_are_sorted_by_any_column(column: str, forks: Forks) -> None:
    out = forks.run("stats", GPT2, "--sort", column, "--format", "json").out
    found = json.loads(out)
    if column in COLUMNS:
        values = [each[column] for each in found]
        assert values == sorted(values, reverse=True)
    assert sorted(each["name"] for each in found) == sorted(rows_of(forks.run("stats", GPT2).out))


HOSTILE = {
    "only nan": torch.full((3,), torch.nan),
    "inf": torch.tensor([1.0, torch.inf, -torch.inf]),
    "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(2.5),
    "\x1b[31mred\n": torch.ones(2),
    "[bold]x[/]": torch.zeros(2, dtype=torch.int64),
    "complex": torch.ones(2, dtype=torch.complex64),
    "huge": torch.tensor([1e308, -1e308], dtype=torch.float64),
}


def test_hostile_names_and_values(tmp_path: Path, forks: Forks) -> None:
    path = tmp_path / "hostile"
    save_file(HOSTILE, path)
    run = forks.run("stats", path)
    assert run.code == 0, run.err
    rows = rows_of(run.out)
    assert len(rows) == len(HOSTILE)
    assert rows["only nan"][2:] == ["3", *"-----", "0", "0", "3", "0", "-", "-"]
    assert rows["inf"][2:6] == ["3", "1", "0", "1"]
    assert rows["inf"][-5:-2] == ["0", "0", "2"]
    assert rows["empty"][2] == "0"
    assert rows["scalar"][2:5] == ["1", "2.5", "0"]
    assert rows["complex"][-1] == "complex64 has no order"
    assert "\\x1b[31mred\\n" in rows
    json.loads(forks.run("stats", path, "--format", "json").out, parse_constant=pytest.fail)
    shown = run_on_terminal("stats", path, NO_COLOR="1")
    assert "[bold]x[/]" in shown
    assert "\x1b" not in shown
    assert shown.splitlines()[-1] == "13 values, 3 NaN, 2 infinite"


@pytest.mark.parametrize("columns", [48, 80, 160])
def test_the_table_fits_the_terminal(columns: int) -> None:
    shown = run_on_terminal("stats", GPT2, columns=columns, NO_COLOR="1")
    assert max(map(len, shown.splitlines())) <= columns
    assert "std" in shown.splitlines()[0]
    assert ("norm" in shown.splitlines()[0]) == (columns > 100)


def test_a_histogram_shows_the_shape(forks: Forks, tmp_path: Path) -> None:
    path = tmp_path / "model"
    tensors = {"uniform": torch.linspace(0, 1, 160), "peak": torch.eye(40)}
    save_file(tensors | {"whole": torch.arange(12)}, path)
    lines = forks.run("stats", path, "--format", "table").out.splitlines()
    bars = {line.split()[0]: line.split()[-1] for line in lines[1:4]}
    assert len(set(bars["uniform"])) == len(set(bars["whole"])) == 1
    assert len(bars["whole"]) == 12
    assert bars["peak"][0] == "█"


def test_a_shard_that_is_not_there_is_told_last(forks: Forks, tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "1.safetensors")
    path = index(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
    run = forks.run("stats", path)
    assert (run.code, list(rows_of(run.out))) == (3, ["a", "b"])
    assert "2.safetensors is missing" in run.err


def test_one_nan_of_very_many_values_is_counted(tmp_path: Path, forks: Forks) -> None:
    values = torch.zeros(10_000_019, dtype=torch.bfloat16)
    values[-1] = torch.nan
    path = tmp_path / "model"
    save_file({"w": values}, path)
    (row,) = rows_of(forks.run("stats", path).out).values()
    assert row[10] == "1"


def test_very_many_tensors(tmp_path: Path, forks: Forks) -> None:
    path = tmp_path / "model"
    save_file({f"h.{n}.w": torch.full((2,), float(n)) for n in range(MANY)}, path)
    run = forks.run("stats", path)
    assert run.code == 0
    assert rows_of(run.out)["h.7.w"][3] == "7"
    assert run.out.count("\n") == MANY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quantiles", "2"], "'2' are no quantiles; numbers from 0 to 1"),
        (["--quantiles", "half"], "'half' are no quantiles"),
        (["--quantiles", "nan"], "'nan' are no quantiles"),
        (["--quantiles", "0.5", "--depth", "1"], "--quantiles are of parameters"),
        (["0.wieght"], "closest: 0.weight"),
        (["--type", "Linear"], "nothing says of what class"),
        (["--sort", "median"], "'median' is not one of"),
        (["--depth", "0"], "Invalid value for '--depth'"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], message: str, forks: Forks) -> None:
    run = forks.run("stats", MLP, *arguments)
    assert (run.code, run.out) == (2, "")
    assert message in run.err


def test_a_spec_has_no_values_yet(torch_forks: Forks) -> None:
    run = torch_forks.run("stats", SAMPLES / "mlp.yaml")
    assert run.code == 0
    assert all("planned" in cells[-1] or "no values" in cells[-1]
               for cells in rows_of(run.out).values())  # fmt: skip


def test_one_value_that_claims_to_be_very_many_is_not_read(tmp_path: Path, forks: Forks) -> None:
    path = tmp_path / "bomb.pt"
    torch.save({"w": torch.ones(1).expand(1 << 20, 1 << 20), "b": torch.ones(2)}, path)
    rows = rows_of(forks.run("stats", path).out)
    assert "are stored" in rows["w"][-1]
    assert rows["b"][3] == "1"


def test_types_choose_layers(tmp_path: Path, torch_forks: Forks) -> None:
    out = tmp_path / "cnn"
    torch_forks.run("init", SAMPLES / "cnn.yaml", "-o", out)
    rows = rows_of(torch_forks.run("stats", out, "--type", "Linear").out)
    assert list(rows) == ["head.bias", "head.weight"]
