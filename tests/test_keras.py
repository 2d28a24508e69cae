"""Numbered variables of Keras 3, which are initialized as those that have names are."""

from pathlib import Path

import pytest
from forks import Forks

from paramctl import open as open_model
from paramctl.checkpoint import Entry
from paramctl.dtypes import BY_NAME
from paramctl.edits.initialization import plan
from paramctl.edits.keras import name_variables
from paramctl.edits.rules import parse_rule

FILES = Path(__file__).parent / "files"
NAMED = [
    "embedding/embeddings",
    "conv1d/kernel",
    *(
        f"multi_head_attention/{part}/{variable}"
        for part in ("key", "attention_output", "query", "value")
        for variable in ("kernel", "bias")
    ),
    "gru/gru_cell/kernel",
    "gru/gru_cell/recurrent_kernel",
    "gru/gru_cell/bias",
]
"""What Keras calls the variables of layers.weights.h5, less those within `Bidirectional`."""


def entries_of(layer: str, *dtypes: str) -> dict[str, Entry]:
    names = [f"{layer}.vars.{place}" for place in range(len(dtypes))]
    return {
        name: Entry(name, BY_NAME[dtype], (3, 3), None)
        for name, dtype in zip(names, dtypes, strict=True)
    }


@pytest.mark.parametrize(
    ("layer", "dtypes", "named"),
    [
        ("layers.dense", "float32 bfloat16", "kernel bias"),
        ("layers.dense_12", "float32", "kernel"),
        ("layers.functional.layers.conv2d_transpose_1", "float32 float32", "kernel bias"),
        ("layers.conv_lstm2d.cell", "float32 " * 3, "kernel recurrent_kernel bias"),
        ("layers.separable_conv1d", "float32 " * 2, "depthwise_kernel pointwise_kernel"),
        ("layers.layer_normalization", "float32 " * 2, "gamma beta"),
        ("layers.dense", "int8 float32", ""),  # quantized: the second one is its scale
        ("layers.dense", "float32 " * 3, ""),
        ("layers.layer_normalization", "float32", ""),  # one of the two
        ("layers.batch_normalization", "float32 " * 3, ""),
        ("layers.my_dense", "float32 float32", ""),
        ("layers.dense.cell", "float32 float32", ""),
        ("dense", "float32 float32", ""),  # an attribute of that name
        ("layers.encoder.dense", "float32 float32", ""),
    ],
)
def test_the_class_that_a_layer_is_called_by_tells(layer: str, dtypes: str, named: str) -> None:
    assert " ".join(name_variables(entries_of(layer, *dtypes.split())).values()) == named


def test_variables_have_the_names_that_keras_gives_them() -> None:
    named = name_variables(open_model(FILES / "layers.weights.h5").entries)
    assert list(named.values()) == [path.rpartition("/")[2] for path in NAMED]
    assert {name.split(".")[1] for name in named} == {path.split("/")[0] for path in NAMED}


@pytest.mark.parametrize("numbered", ["net.weights.h5", "net.keras"])
def test_they_are_initialized_as_those_with_names(numbered: str, forks: Forks) -> None:
    by_name, by_number = (
        forks.run("init", FILES / file, "--scheme", "kaiming_normal", "--dry-run").out.splitlines()
        for file in ("net.h5", numbered)
    )
    assert [line.partition("\t")[2] for line in by_number] == [
        line.partition("\t")[2] for line in by_name
    ]
    assert by_number[0] == (
        "layers.dense.vars.0\t[4, 3]\tkaiming_normal\t0\t0.707107\t--scheme kaiming_normal\t-"
    )


def test_a_layer_of_unknown_class_is_told(forks: Forks) -> None:
    run = forks.run("init", FILES / "layers.weights.h5", "--scheme", "kaiming_normal", "--dry-run")
    told = next(line for line in run.err.splitlines() if "outputs first" in line)
    assert told == (
        "paramctl: numbered variables of Keras layers that the file does not name: taken for "
        "torch's, outputs first: layers.bidirectional.backward_layer.cell.vars.0; "
        "layers.bidirectional.forward_layer.cell.vars.0"
    )


def test_a_guess_is_told_where_it_counts() -> None:
    checkpoint = open_model(FILES / "layers.weights.h5")
    rule = parse_rule("layers.bidirectional.forward_layer.cell.vars.0=kaiming_normal")
    assert plan(checkpoint, [rule]).guessed == (rule.address,)
    assert plan(checkpoint, [parse_rule(f"{rule.address}=xavier_normal")]).guessed == ()
    told = plan(checkpoint, [rule._replace(layout="in_out")])
    assert told.guessed == ()
    assert told.draws[0].distribution.std == pytest.approx((2 / 4) ** 0.5)
