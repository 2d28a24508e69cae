"""Numbered variables of Keras 3, which are initialized as those that have names are."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from forks import Forks

from paramctl import arrays
from paramctl import open as open_model
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import BY_NAME
from paramctl.edits.initialization import plan
from paramctl.edits.keras import name_variables
from paramctl.edits.rules import parse_rule, rules_of_scheme
from paramctl.init.distributions import Constant

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

UNTOLD_IN_FRESH = {
    "layers.layer_normalization_1.vars.0",  # without a center it is gamma: it might be beta
    "layers.batch_normalization_1.vars.0",
}
KEPT_IN_FRESH = {
    "fresh.h5": {"p_re_lu.p_re_lu.alpha"},
    "fresh.keras": {*UNTOLD_IN_FRESH, "layers.p_re_lu.vars.0"},
    "fresh.weights.h5": {
        *UNTOLD_IN_FRESH,
        "layers.p_re_lu.vars.0",
        "layers.time_distributed.layer.vars.1",  # of what, only a config tells
    },
}


def of_layer(layer: str, *dtypes: str, **types: str) -> Checkpoint:
    names = [f"{layer}.vars.{place}" for place in range(len(dtypes))]
    entries = {
        name: Entry(name, BY_NAME[dtype], (3, 3), None)
        for name, dtype in zip(names, dtypes, strict=True)
    }
    return Checkpoint("x", "keras", entries, types=types)


@pytest.mark.parametrize(
    ("layer", "dtypes", "named"),
    [
        ("layers.dense", "float32 bfloat16", "kernel bias"),
        ("layers.dense_12", "float32", "kernel"),
        ("layers.functional.layers.conv2d_transpose_1", "float32 float32", "kernel bias"),
        ("layers.conv_lstm2d.cell", "float32 " * 3, "kernel recurrent_kernel bias"),
        ("layers.rnn_1.cell.cells.gru_cell_1", "float32 " * 2, "kernel recurrent_kernel"),
        ("layers.separable_conv1d", "float32 " * 2, "depthwise_kernel pointwise_kernel"),
        ("layers.layer_normalization", "float32 " * 2, "gamma beta"),
        ("layers.batch_normalization", "float32 " * 2, "moving_mean moving_variance"),
        ("layers.batch_normalization", "float32 " * 3, "? moving_mean moving_variance"),
        ("layers.dense", "int8 float32", "? ?"),  # quantized: the second one is its scale
        ("layers.dense", "float32 " * 3, "? ? ?"),
        ("layers.layer_normalization", "float32", "?"),  # one of the two
        ("layers.my_dense", "float32 float32", ""),
        ("layers.dense.cell", "float32 float32", ""),
        ("dense", "float32 float32", ""),  # an attribute of that name
        ("layers.encoder.dense", "float32 float32", ""),
    ],
)
def test_the_class_that_a_layer_is_called_by_tells(layer: str, dtypes: str, named: str) -> None:
    assert " ".join(name_variables(of_layer(layer, *dtypes.split())).values()) == named


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("Dense", "kernel bias"),
        ("Conv2DTranspose", "kernel bias"),
        ("SimpleRNNCell", "kernel recurrent_kernel"),
        ("LayerNormalization", "gamma beta"),
        ("MyDense", ""),
    ],
)
def test_so_does_the_class_that_a_config_tells(name: str, variables: str) -> None:
    named = name_variables(of_layer("fc", "float32", "float32", fc=name))
    assert " ".join(named.values()) == variables


def test_variables_have_the_names_that_keras_gives_them() -> None:
    named = name_variables(open_model(FILES / "layers.weights.h5"))
    told = {name: each for name, each in named.items() if "bidirectional" not in name}
    assert list(told.values()) == [path.rpartition("/")[2] for path in NAMED]
    assert {name.split(".")[1] for name in told} == {path.split("/")[0] for path in NAMED}
    within = [each for name, each in named.items() if name not in told]
    assert within == ["kernel", "recurrent_kernel", "bias"] * 2


@pytest.mark.parametrize("file", KEPT_IN_FRESH)
def test_what_is_no_weight_becomes_what_keras_makes_of_it(file: str, tmp_path: Path) -> None:
    """The file is a model that Keras has just made: the constants in it are Keras's own."""
    with ZipFile(FILES / "fresh.zip") as archive:
        archive.extract(file, tmp_path)
    model = open_model(tmp_path / file)
    drawn = plan(model, rules_of_scheme("constant(7)", [])).draws
    assert set(model) - {draw.entry.name for draw in drawn} == KEPT_IN_FRESH[file]
    for draw in drawn:
        first, *others = set(arrays.read(draw.entry).flatten().tolist())
        own = 7.0 if others else first
        if draw.entry.name in ("layers.lstm.cell.vars.2", "lstm.lstm.lstm_cell.bias"):
            own = 0.0  # Keras makes the part of the forget gate ones
        assert draw.distribution == Constant(own), draw.entry.name


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


def test_a_layer_of_unknown_class_is_told(forks: Forks, tmp_path: Path) -> None:
    with ZipFile(FILES / "fresh.zip") as archive:
        archive.extract("fresh.weights.h5", tmp_path)
    run = forks.run("init", tmp_path / "fresh.weights.h5", "--scheme", "lecun_normal", "--dry-run")
    assert [line for line in run.err.splitlines() if "outputs first" in line] == [
        (
            "paramctl: numbered variables of Keras layers that the file does not name: taken for "
            "torch's, outputs first: layers.time_distributed.layer.vars.0"
        ),
    ]


@pytest.mark.parametrize(
    ("name", "fans"),
    [("layers.time_distributed.layer.vars.0", 2), ("layers.layer_normalization_1.vars.0", 3)],
)
def test_a_guess_is_told_where_it_counts(name: str, fans: int, tmp_path: Path) -> None:
    with ZipFile(FILES / "fresh.zip") as archive:
        archive.extract("fresh.weights.h5", tmp_path)
    checkpoint = open_model(tmp_path / "fresh.weights.h5")
    rule = parse_rule(f"{name}=kaiming_normal")
    assert plan(checkpoint, [rule]).guessed == (name,)
    assert plan(checkpoint, [parse_rule(f"{name}=xavier_normal")]).guessed == ()
    told = plan(checkpoint, [rule._replace(layout="in_out")])
    assert told.guessed == ()
    assert told.draws[0].distribution.std == pytest.approx((2 / fans) ** 0.5)
