"""A model in Python: the same composition as the verbs in a shell."""

from pathlib import Path

import pytest
import torch
from program import shell
from safetensors.torch import load_file

import paramctl
from paramctl.arrays import read
from paramctl.errors import UsageError

SAMPLES = Path(__file__).parents[1] / "sample_models"
SHARED = SAMPLES / "shared.safetensors"


def test_a_chain_of_methods_writes_what_a_pipeline_of_verbs_writes(tmp_path: Path) -> None:
    run = shell(
        "set -o pipefail; $P untie $SHARED | $P init --scheme xavier --seed 7 | $P tie 2 4 "
        "| $P rename 's/^/m./' | $P drop m.6.bias | $P extract m "
        "| $P set - '0.bias = 1' '2.weight *= 2' > $OUT",
        SHARED=SHARED,
        OUT=tmp_path / "shell.safetensors",
    )
    assert run.returncode == 0, run.stderr
    model = paramctl.open(SHARED).untie().init("xavier", seed=7).tie("2", "4")
    model = model.rename("s/^/m./").drop("m.6.bias").extract("m")
    model.set("0.bias = 1", "2.weight *= 2").save(tmp_path / "python.safetensors")
    written = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("shell", "python")]
    assert written[0] == written[1]


def test_an_edit_changes_nothing_but_its_result() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    before = read(model["0.bias"]).tolist()
    changed = model.set("0.bias = 0")
    assert isinstance(changed, paramctl.Model)
    assert read(changed["0.bias"]).tolist() == [0] * 8
    assert read(model["0.bias"]).tolist() == before


def test_without_a_seed_values_are_fresh() -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    drawn = {tuple(read(model.init("normal")["2.weight"]).ravel().tolist()) for _ in range(3)}
    assert len(drawn) == 3


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    model = paramctl.open(SAMPLES / "mlp.pt")
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(UsageError, match="there already"):
        model.save(tmp_path / "m.safetensors")
    model.set("2.bias = 3").save(tmp_path / "m.safetensors", force=True)
    assert torch.equal(load_file(tmp_path / "m.safetensors")["2.bias"], torch.tensor([3.0]))


def test_a_shard_size_makes_a_folder(tmp_path: Path) -> None:
    paramctl.open(SAMPLES / "gpt2").save(tmp_path / "out", max_shard_size=30_000)
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 1
    assert list(paramctl.open(tmp_path / "out")) == list(paramctl.open(SAMPLES / "gpt2"))
