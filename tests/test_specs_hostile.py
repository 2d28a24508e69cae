"""Bad specs: each is refused with its place and what to do, and nothing is run or written."""

from operator import attrgetter
from pathlib import Path

import pytest
from hostile import PRINTABLE_LINE, Row, assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from program import paramctl
from specs import described

from paramctl.errors import ParamctlError
from paramctl.models.reading import MAX_BYTES, read_spec
from paramctl.views.escaping import escape

SIGNS = " \n\t-?:,[]{}&*!|>'\"%@`#~<ab1.$\0\x85\u2028\ufeff\ue000\ud7ff"
AS_A_USER = ("G01", "G04", "G06", "G08-empty", "G14-large", "G17-escape", "repeat-repeated")
ID = attrgetter("id")
TWO = b"layers: [{Linear: [4, 8]}, {Linear: [8, 4]}]\n"


def linear(arguments: str) -> bytes:
    return f"layers: [{{Linear: {arguments}}}]".encode()


def named(name: bytes) -> bytes:
    return b"layers: [{ReLU: , name: " + name + b"}]"


NESTED = b"layers: " + b"[{layers: " * 40 + b"[ReLU]" + b"}]" * 40
REPEATED = b"layers: " + b"[{repeat: 100, layers: " * 10 + b"[ReLU]" + b"}]" * 10
HOSTILE = [
    Row("G01", b"layers: !!python/object/apply:os.getcwd []", 2, "a tag, which is not allowed"),
    Row("G01-key", b"layers: []\n!!python/name:os.getcwd : []", 2, "(line 2, column 1)"),
    Row("G02", b"layers: [ReLU]\nvars: {a: 1,\n  a: 2}", 2, "'a' comes twice (line 3, column 3)"),
    Row(
        "G04", b"layers: &a [*a]", 2, "an anchor or a tag, which is not allowed (line 1, column 9)"
    ),
    Row("G05", b"layers: [" + b"{<<: *a}," * 20_000 + b"]", 2, "an alias, which is not allowed"),
    Row("G06", b"layers: " + b"[" * 20_000, 2, "nested more than 64 deep (line 1, column 72)"),
    Row("G06-layers", NESTED, 2, "nested more than 64 deep"),
    Row("G08-empty", b"", 2, "an empty file"),
    Row("G08-comment", b"# nothing\n", 2, "an empty file"),
    Row("G08-two", b"layers: [ReLU]\n---\nlayers: [ReLU]", 2, "found another document (line 2,"),
    Row("G08-tab", b"layers:\n\t- ReLU", 2, "that cannot start any token (line 2, column 1)"),
    Row("G08-nul", b"layers:\n- \0ReLU", 2, "a character that YAML forbids (line 2, column 3)"),
    Row("G08-bom", b"\xef\xbb\xbflayers: [ReLU]", 2, "a byte order mark (line 1, column 1)"),
    Row("G08-latin", b"layers:\n- R\xe9LU", 2, "no UTF-8 (line 2)"),
    Row("G08-utf16", "layers: [ReLU]".encode("utf-16"), 2, "no UTF-8 (line 1)"),
    Row("G09-list", b"- ReLU", 2, "a spec is no mapping (line 1, column 1)"),
    Row("G09-scalar", b"42", 2, "a spec is no mapping (line 1, column 1)"),
    Row("G10-unhashable", b"{[a]: b, layers: [ReLU]}", 2, "a key is no text (line 1, column 2)"),
    Row("G10-null", b"~: []\nlayers: [ReLU]", 2, "a spec has no '~' (line 1, column 1)"),
    Row("G10-int", b"1: []\nlayers: [ReLU]", 2, "a spec has no '1' (line 1, column 1)"),
    Row("G10-date", b"layers: 2020-13-45", 2, "layers is no list (line 1, column 9)"),
    Row("G10-zone", linear("[4, 2020-01-01 00:00:00 -99:00]"), 2, "'2020-01-01 00:00:00 -99:00'"),
    Row(
        "G12-nan", b"layers: [{Dropout: .nan}]", 2, "'.nan' is no finite number (line 1, column 20)"
    ),
    Row("G12-inf", b"layers: [{Dropout: -.inf}]", 2, "'-.inf' is no finite number"),
    Row("G12-large", b"layers: [{Dropout: 1e999}]", 2, "'1e999' is no finite number"),
    Row("G13", linear("{in_featurs: 4, out_features: 8}"), 2, "closest: in_features"),
    Row("G13-place", linear("{in_featurs: 4, out_features: 8}"), 2, "(line 1, column 32)"),
    Row(
        "G13-class",
        b"layers:\n  - Linaer: [4, 8]",
        2,
        "torch.nn has no 'Linaer' (line 2, column 5); closest: Linear",
    ),
    Row(
        "G13-part", b"layer: [ReLU]", 2, "a spec has no 'layer' (line 1, column 1); closest: layers"
    ),
    Row("G13-option", b"layers: [{ReLU: , nam: a}]", 2, "one layer that is several: 'ReLU', 'nam'"),
    Row(
        "G14-negative",
        linear("[-1, 8]"),
        2,
        "in_features of Linear is above 0, not -1 (line 1, column 20)",
    ),
    Row("G14-zero", linear("[4, 0]"), 2, "out_features of Linear is above 0, not 0"),
    Row("G14-fraction", linear("[2.5, 8]"), 2, "in_features of Linear is a whole number, not 2.5"),
    Row("G14-bool", linear("[true, 8]"), 2, "in_features of Linear is a whole number, not true"),
    Row("G14-text", linear("['8', 8]"), 2, "in_features of Linear is a whole number, not '8'"),
    Row("G14-null", linear("[null, 8]"), 2, "in_features of Linear is a whole number, not null"),
    Row("G14-list", linear("[[8], 8]"), 2, "in_features of Linear is a whole number, not [8]"),
    Row("G14-no", linear("[8, 8, no]"), 2, "bias of Linear is true or false, not 'no'"),
    Row("G14-large", linear("[4611686018427387904, 8]"), 5, "is over 2^48 - 1"),
    Row("G14-digits", linear(f"[{'9' * 5_000}, 8]"), 2, "a number of more than 20 digits"),
    Row("G14-product", linear(f"[{2**47}, {2**47}]"), 5, "overflow"),
    Row("G14-many", linear(f"[{2**30}, {2**30}]"), 5, "more than 2^50 parameters"),
    Row(
        "G14-missing",
        linear("[4]"),
        2,
        "Linear needs out_features (line 1, column 10); Linear(in_features, out_features, bias",
    ),
    Row("G14-more", linear("[4, 8, true, 1]"), 2, "Linear takes 3 arguments (line 1, column 32)"),
    Row(
        "G14-divide",
        b"layers: [{MultiheadAttention: [7, 2]}]",
        2,
        "MultiheadAttention: embed_dim must be divisible",
    ),
    Row(
        "G14-groups",
        b"layers: [{Conv2d: {in_channels: 3, out_channels: 4, kernel_size: 3, groups: 2}}]",
        2,
        "Conv2d: in_channels must be divisible by groups",
    ),
    Row(
        "G16-cycle",
        TWO + b"tie: {0.bias: 1.bias, 1.bias: 0.bias}",
        2,
        "'0.bias' of float32 [8] and '1.bias' of float32 [4] differ",
    ),
    Row(
        "G16-circle",
        b"layers: [{Linear: [4, 4]}, {Linear: [4, 4]}]\ntie: {0: 1, 1: 0}",
        2,
        "'1.weight' and '0.weight' are one already (line 2, column 16)",
    ),
    Row("G16-self", TWO + b"tie: {0.bias: 0.bias}", 2, "'0.bias' and '0.bias' are one already"),
    Row(
        "G16-missing",
        TWO + b"tie: {0.bias: 7.bias}",
        2,
        "no layer or parameter '7.bias' to tie (line 2, column 15); closest: 0.bias",
    ),
    Row(
        "G16-shape",
        TWO + b"tie: {0: 1}",
        2,
        "'0.weight' of float32 [8, 4] and '1.weight' of float32 [4, 8] differ",
    ),
    Row(
        "G16-parts",
        b"layers: [{Linear: [4, 4]}, {Linear: [4, 4, false]}]\ntie: {0: 1}",
        2,
        "'0' and '1' differ: only one has 'bias'",
    ),
    Row("G16-define", b"define: {a: {layers: [a]}}\nlayers: [a]", 2, "torch.nn has no 'a'"),
    Row("G17-newline", named(rb'"a\nb"'), 2, "dots part layers"),
    Row("G17-escape", named(rb'"a\e[31mb"'), 2, "dots part layers"),
    Row("G17-nul", named(rb'"a\0b"'), 2, "dots part layers"),
    Row("G17-dot", named(b"a.b"), 2, "dots part layers"),
    Row("G17-metadata", named(b"__metadata__"), 2, "no layer can be named '__metadata__'"),
    Row("G17-module", named(b"forward"), 2, "no layer can be named 'forward' (line 1, column 10)"),
    Row(
        "G17-twice",
        b"layers: [{ReLU: , name: a}, {ReLU: , name: a}]",
        2,
        "two layers named 'a' (line 1, column 29)",
    ),
    Row("G17-place", b"layers: [{ReLU: , name: '1'}, ReLU]", 2, "two layers named '1'"),
    Row(
        "G17-repeat",
        b"layers: [{ReLU: , name: a, repeat: 2}]",
        2,
        "write {i} in the name of what repeats",
    ),
    Row(
        "G18",
        b"include: ../x.yaml\nlayers: [ReLU]",
        2,
        "a spec has no 'include' (line 1, column 1)",
    ),
    Row("G18-file", b"layers: ['../net.py:build']", 2, "torch.nn has no '../net.py:build'"),
    Row("long", b"layers: [ReLU]#" + b" " * MAX_BYTES, 5, "a spec of more than 1,000,000 bytes"),
    Row(
        "repeat-many",
        b"layers: [{repeat: 1000000000, ReLU: }]",
        5,
        "more than 100,000 layers (line 1, column 19)",
    ),
    Row("repeat-repeated", REPEATED, 5, "more than 100,000 layers"),
    Row("repeat-0", b"layers: [{repeat: 0, ReLU: }]", 2, "repeat is a whole number above 0"),
    Row(
        "defined",
        b"define: {h: {Linear: [4, 4]}}\nlayers: [{h: [4, 4]}]",
        2,
        "'h' is defined with its arguments (line 2, column 14)",
    ),
    Row(
        "define-options",
        b"define: {h: {Linear: [4, 4], repeat: 2}}\nlayers: [h]",
        2,
        "'Linear' has no 'repeat'",
    ),
    Row(
        "define-taken",
        b"define: {layers: {Linear: [4, 4]}}\nlayers: [ReLU]",
        2,
        "'layers' cannot name a definition",
    ),
    Row("no-layers", b"vars: {a: 1}\ndefine: {}", 2, "a spec without layers"),
    Row("nothing", b"layers: []", 2, "no layers (line 1, column 9)"),
    Row("null", b"layers:", 2, "layers is no list"),
    Row("layer-list", b"layers: [[ReLU]]", 2, "a layer is no mapping (line 1, column 10)"),
    Row("layer-empty", b"layers: [{name: a}]", 2, "a layer that is nothing (line 1, column 10)"),
    Row("layer-two", b"layers: [{ReLU: , Tanh: }]", 2, "one layer that is several: 'ReLU', 'Tanh'"),
    Row("block-bare", b"layers: [residual]", 2, "'residual' of nothing"),
    Row(
        "sequential", b"layers: [{Sequential: [ReLU]}]", 2, "'Sequential' is written layers: [...]"
    ),
    Row("loss", b"layers: [MSELoss]", 2, "'MSELoss' is a loss, no layer"),
    Row("lazy", b"layers: [{LazyLinear: 4}]", 2, "'LazyLinear' is lazy (line 1, column 10)"),
    Row("function", b"layers: [functional]", 2, "torch.nn has no 'functional'"),
    Row(
        "dtype",
        b"dtype: bfloat\nlayers: [ReLU]",
        2,
        "no dtype 'bfloat' (line 1, column 8); closest: bfloat16",
    ),
    Row("input", b"input: [2, 0]\nlayers: [ReLU]", 2, "input is no list of sizes"),
    Row(
        "join",
        b"layers: [{parallel: [ReLU], join: concat}]",
        2,
        "no join 'concat' (line 1, column 35); closest: concatenate",
    ),
    Row("dim", b"layers: [{parallel: [ReLU], dim: 0}]", 2, "dim is the whole number"),
    Row(
        "shortcut", b"layers: [{layers: [ReLU], shortcut: [ReLU]}]", 2, "'layers' has no 'shortcut'"
    ),
    Row("vars", b"vars: {a: many}\nlayers: [ReLU]", 2, "'a' is no number (line 1, column 11)"),
    Row("vars-name", b"vars: {a-b: 1}\nlayers: [ReLU]", 2, "'a-b' cannot name a variable"),
    Row(
        "expression",
        b"vars: {d: 4}\nlayers: [{Linear: [${d}, ${dd}]}]",
        2,
        "no number is called 'dd' (line 2, column 28)",
    ),
    Row("expression-cut", b"layers: [{Linear: [${4 *}, 8]}]", 2, "expected a number"),
    Row("expression-zero", b"layers: [{Linear: [${1 / 0}, 8]}]", 2, "'/' has no value here"),
    Row(
        "expression-half",
        b"layers: [{Linear: [${5 / 2}, 8]}]",
        2,
        "in_features of Linear is a whole number, not 2.5",
    ),
    Row(
        "expression-call",
        b"layers: [{Linear: ['${__import__(1)}', 8]}]",
        2,
        "no function is called '__import__'",
    ),
]


def bytes_of(row: Row) -> bytes:
    assert isinstance(row.make, bytes)
    return row.make


@pytest.mark.parametrize("row", [row for row in HOSTILE if row.id not in AS_A_USER], ids=ID)
def test_a_bad_spec_is_refused(row: Row) -> None:
    with pytest.raises(ParamctlError) as caught:
        described(bytes_of(row))
    assert caught.value.exit_code == row.code
    message = caught.value.render(escape, "shell")
    assert row.message in message
    assert PRINTABLE_LINE.fullmatch(f"paramctl: {message}\n")


@pytest.mark.parametrize("row", [row for row in HOSTILE if row.id in AS_A_USER], ids=ID)
def test_a_refused_spec_writes_nothing(row: Row, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(bytes_of(row))
    run = paramctl("init", "x.yaml", "-o", "y", cwd=tmp_path)
    assert_refused(run, row)
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]


def test_the_place_of_an_argument_is_told_in_a_block_too() -> None:
    with pytest.raises(ParamctlError, match=r"line 5, column 24"):
        described("""layers:
  - ReLU
  - Linear:
      in_features: 4
      out_features:    -8
""")


@settings(max_examples=300)
@given(st.text(st.sampled_from(SIGNS) | st.characters()), st.integers(0, 60))
def test_no_text_is_more_than_refused(text: str, place: int) -> None:
    spec = "vars: {d: 4}\nlayers: [{Linear: [${d}, 8]}, {name: a, ReLU: }]"
    try:
        read_spec((spec[:place] + text + spec[place:]).encode(errors="replace"))
    except ParamctlError as error:
        assert error.exit_code in (2, 5)  # noqa: PT017 (not every text is wrong)
