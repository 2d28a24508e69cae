"""The JSON Schema of specs accepts what the reader accepts, and tells what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from forks import Forks
from jsonschema import Draft202012Validator

import paramctl
from paramctl.models.schema import make_schema

SAMPLES = Path(__file__).parents[1] / "sample_models"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = make_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", ["mlp", "nested", "shared", "cnn", "gpt"])
def test_the_samples_are_valid(name: str, validator: Any) -> None:
    text = paramctl.open(SAMPLES / f"{name}.yaml").metadata["paramctl.spec"]
    assert not [*validator.iter_errors(json.loads(text))]


@pytest.mark.parametrize(
    "layer",
    [
        {"Linear": [4, 8], "nam": "a"},
        {"Linaer": [4, 8]},
        {"Linear": [4, "x"]},
        {"Linear": [4, 8, True, 1]},
        {"Linear": {"in_featurs": 4, "out_features": 8}},
        {"Linear": {"in_features": 4}},
        {"Linear": 4},
        {"parallel": ["ReLU"], "join": "concat"},
        {"Conv2d": {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "padding_mode": "zero"}},
        {"residual": []},
        42,
    ],
)
def test_a_mistake_is_told(layer: Any, validator: Any) -> None:
    assert [*validator.iter_errors({"layers": [layer]})]


def test_a_spec_needs_layers(validator: Any) -> None:
    assert [*validator.iter_errors({"layer": ["ReLU"]})]


def test_the_schema_is_printed(forks: Forks) -> None:
    run = forks.run("schema")
    assert json.loads(run.out) == make_schema()
