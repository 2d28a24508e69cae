"""A checkpoint in Python's hands: a mapping with a short face and errors that help."""

from pathlib import Path

import pytest
import torch
from safetensors_rows import F32, one

import paramctl
from paramctl.errors import AddressError

MLP = Path(__file__).parents[1] / "sample_models" / "mlp.safetensors"


def test_a_face_says_what_it_is_and_no_more() -> None:
    model = paramctl.open(MLP)
    assert repr(model) == f"<Model '{MLP}': 4 tensors, safetensors>"
    assert repr(model["2.weight"]) == "<Entry '2.weight': float32 [1, 8]>"


def test_a_face_says_what_is_no_plain_tensor(tmp_path: Path) -> None:
    torch.save({"s": torch.eye(3).to_sparse()}, tmp_path / "sparse.pt")
    [entry] = paramctl.open(tmp_path / "sparse.pt").values()
    assert repr(entry) == "<Entry 's': sparse_coo float32 [3, 3]>"


def test_no_byte_of_a_name_in_a_face_steers_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil"
    path.write_bytes(one(F32, name=r'"\u001b[31m"'))
    [entry] = paramctl.open(path).values()
    assert repr(entry).isprintable()


def test_an_unknown_name_is_a_key_error_that_says_the_closest() -> None:
    model = paramctl.open(MLP)
    with pytest.raises(KeyError) as caught:
        model["2.weigth"]
    assert isinstance(caught.value, AddressError)
    assert str(caught.value) == f"{MLP}: no parameter '2.weigth'; closest: 2.weight, 0.weight"


def test_asking_for_a_name_that_may_be_missing_is_no_error() -> None:
    model = paramctl.open(MLP)
    assert ("2.weigth" in model, "2.weight" in model) == (False, True)
    assert (model.get("2.weigth"), model.get("2.weight")) == (None, model["2.weight"])
