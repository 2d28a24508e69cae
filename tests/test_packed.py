"""GGUF files with types whose values nobody unpacks, beside others: what can be written of them."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from forks import Forks
from ggml import Array, random_blocks, write
from gguf import GGML_QUANT_SIZES, GGUFReader
from gguf import GGMLQuantizationType as Quantization
from gguf.quants import dequantize
from program import paramctl, run_on_terminal, shell
from safetensors import safe_open
from safetensors.numpy import load_file

import paramctl as library
from paramctl.dtypes import BY_GGML
from paramctl.errors import UsageError
from paramctl.quantized import PACKINGS

OPAQUE = [
    kind
    for kind in GGML_QUANT_SIZES
    if (dtype := BY_GGML[kind]).block > 1 and dtype.name not in PACKINGS
    if kind is not Quantization.Q8_1  # of another size in gguf: test_gguf.py
]


def blocks(kind: Quantization, rows: int = 2) -> tuple[Array, Quantization]:
    """Return rows of a block each; nobody looks into those that are not unpacked."""
    if kind in OPAQUE:
        return np.ones((rows, GGML_QUANT_SIZES[kind][1]), "u1"), kind
    return random_blocks(kind, rows), kind


def mixed(folder: Path, opaque: list[str], kind: Quantization = Quantization.IQ2_XXS) -> Path:
    """Write a model with three tensors that can be read, and others of a type that cannot."""
    return write(
        folder / "mixed model.gguf",
        {
            "token_embd.weight": blocks(Quantization.Q4_K),
            "blk.0.attn_q.weight": blocks(Quantization.Q8_0),
            "output_norm.weight": (np.ones(4, "f4"), None),
            **{name: blocks(kind) for name in opaque},
        },
    )


def command_in(message: str) -> list[str]:
    """Return the arguments of the command that an error ends with."""
    program, *arguments = shlex.split(message[message.rindex("paramctl drop") :])
    assert program == "paramctl"
    return arguments


@pytest.mark.parametrize("options", [(), ("--dtype", "float32"), ("--dtype", "float64")])
@pytest.mark.parametrize(
    ("opaque", "addresses"),
    [
        (["blk.0.ffn_up.weight"], "blk.0.ffn_up.weight"),
        (
            [f"blk.{i}.{name}" for i in (1, 2, 4, 10, 11) for name in ("up", "down")],
            " ".join(f"'blk.[1-2].{n}' blk.4.{n} 'blk.[10-11].{n}'" for n in ("up", "down")),
        ),
        (["it's *", "a.2.b", "a.1.b"], """'it'"'"'s *' 'a.[1-2].b'"""),
        (  # [0-1] would be that of attention's too
            ["blk.00.attn_q.weight", "blk.1.attn_q.weight"],
            "blk.00.attn_q.weight blk.1.attn_q.weight",
        ),
    ],
)
def test_the_command_in_the_error_writes_the_rest(
    opaque: list[str], addresses: str, options: tuple[str, ...], forks: Forks, tmp_path: Path
) -> None:
    model = mixed(tmp_path, opaque)
    run = forks.run("convert", model, "-o", tmp_path / "x.safetensors", *options)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith(f"paramctl: {model}: ")
    cast = " ".join(options or ("--dtype", "float32"))
    assert run.err.endswith(f"; write the others: paramctl drop '{model}' {addresses} {cast}\n")
    path = tmp_path / "out.safetensors"
    assert forks.run(*command_in(run.err), "-o", path).code == 0
    written = load_file(path)
    for tensor in GGUFReader(model).tensors:
        if tensor.name in opaque:
            assert tensor.name not in written
        else:
            assert np.array_equal(written[tensor.name], dequantize(tensor.data, tensor.tensor_type))


@pytest.mark.parametrize("kind", OPAQUE)
def test_every_type_that_is_not_unpacked_has_a_way_out(
    kind: Quantization, forks: Forks, tmp_path: Path
) -> None:
    run = forks.run("convert", mixed(tmp_path, ["w"], kind), "-o", tmp_path / "x.pt")
    assert f"'w', of {kind.name}, cannot be written: such values are not unpacked" in run.err
    piped = forks.run(*command_in(run.err), "-o", tmp_path / "x.safetensors")
    assert (piped.code, len(library.open(tmp_path / "x.safetensors"))) == (0, 3)


def test_where_all_else_is_plain_no_type_changes(forks: Forks, tmp_path: Path) -> None:
    half = np.ones(3, "f2")
    model = write(tmp_path / "x", {"w": blocks(Quantization.IQ1_S), "h": (half, None)})
    run = forks.run("convert", model, "-o", tmp_path / "x.safetensors")
    assert "--dtype" not in run.err
    assert forks.run(*command_in(run.err), "-o", tmp_path / "x.safetensors").code == 0
    assert load_file(tmp_path / "x.safetensors")["h"].dtype == half.dtype


def test_what_is_to_be_kept_in_its_type_is_so_after_the_command(
    forks: Forks, tmp_path: Path
) -> None:
    """A cast of all in its way would round what --keep-dtype is to leave alone."""
    keep = ("--dtype", "bf16", "--keep-dtype", "output_norm.weight")
    run = forks.run("convert", mixed(tmp_path, ["w"]), *keep, "-o", tmp_path / "x.safetensors")
    assert run.err.endswith(" w --dtype float32\n")
    run = forks.run("convert", mixed(tmp_path, ["w"]), *keep[:2], "-o", tmp_path / "x.safetensors")
    assert run.err.endswith(" w --dtype bf16\n")


def test_very_many_names_are_not_listed(forks: Forks, tmp_path: Path) -> None:
    model = mixed(tmp_path, [f"w{place}x" for place in range(60)])
    run = forks.run("convert", model, "-o", tmp_path / "x.safetensors")
    assert "'w0x' and 59 more, of IQ2_XXS, cannot" in run.err
    assert run.err.endswith("; paramctl drop writes the others\n")


def test_where_nothing_can_be_written_no_command_is_told(forks: Forks, tmp_path: Path) -> None:
    model = write(tmp_path / "x", {"w": blocks(Quantization.IQ3_S)})
    run = forks.run("convert", model, "--dtype", "bf16", "-o", tmp_path / "x.safetensors")
    assert (run.code, run.err.endswith("not unpacked; there is nothing else in it\n")) == (2, True)


def test_a_model_that_is_piped_in_is_named_as_such(tmp_path: Path) -> None:
    data, path = mixed(tmp_path, ["w"]).read_bytes(), tmp_path / "x.safetensors"
    arguments = command_in(paramctl("convert", "-o", path, stdin=data).err)
    assert arguments[:2] == ["drop", "-"]
    assert paramctl(*arguments, "-o", path, stdin=data).code == 0


def test_blocks_cannot_be_kept(forks: Forks, tmp_path: Path) -> None:
    model = write(tmp_path / "x", {"a.w": blocks(Quantization.Q8_0), "b": (np.ones(2, "f4"), None)})
    call = ("convert", model, "--dtype", "bf16", "-o", tmp_path / "x.safetensors", "--keep-dtype")
    run = forks.run(*call, "a")
    assert run.code == 2
    assert run.err == (
        f"paramctl: {model}: 'a.w', of Q8_0, cannot be kept so: blocks are not written; "
        "leave what is quantized out of --keep-dtype\n"
    )
    assert forks.run(*call, "b").code == 0


@pytest.mark.parametrize(
    ("call", "kept"),
    [
        (("extract", "blk.0"), "attn_q.weight"),
        (("extract", "token_embd.weight"), "token_embd.weight"),
        (("drop", "w", "token_embd", "output_norm"), "blk.0.attn_q.weight"),
    ],
)
def test_a_part_of_a_model_is_cast_as_it_is_written(
    call: tuple[str, ...], kept: str, forks: Forks, tmp_path: Path
) -> None:
    verb, *addresses = call
    model, path = mixed(tmp_path, ["w"]), tmp_path / "x.safetensors"
    refused = forks.run(verb, model, *addresses, "-o", path)
    hint = "; convert, drop and extract make numbers of them with --dtype float32\n"
    assert (refused.code, refused.err.endswith(hint)) == (2, True)
    assert forks.run(verb, model, *addresses, "--dtype", "bf16", "-o", path).code == 0
    with safe_open(path, "pt") as file:
        assert list(file.keys()) == [kept]
        assert file.get_slice(kept).get_dtype() == "BF16"


def test_python_is_told_what_to_leave_out_too(tmp_path: Path) -> None:
    model = library.open(mixed(tmp_path, ["w"]))
    with pytest.raises(UsageError, match=r"'w' is of IQ2_XXS, .* drop\(\) leaves it out, cast\("):
        model.cast("bf16").save(tmp_path / "x.safetensors")
    model.drop("w").cast("bf16").save(tmp_path / "x.safetensors")
    assert len(library.open(tmp_path / "x.safetensors")) == 3


def test_blocks_are_changed_once_they_are_numbers(forks: Forks, tmp_path: Path) -> None:
    model, path = write(tmp_path / "x", {"w": blocks(Quantization.Q8_0)}), tmp_path / "f"
    run = forks.run("set", model, "w = 3", "-o", path)
    assert run.code == 2
    assert run.err == (
        f"paramctl: {model}: 'w' is Q8_0: its values cannot be computed; "
        "paramctl convert --dtype float32 makes numbers of its values\n"
    )
    assert forks.run("convert", "--dtype", "float32", model, "-o", f"{path}.safetensors").code == 0
    assert forks.run("set", f"{path}.safetensors", "w = 3", "-o", path).code == 0
    assert np.all(load_file(path)["w"] == 3)


@pytest.mark.parametrize("verb", ["drop", "extract"])
def test_a_cast_of_a_part_counts_what_is_too_large(verb: str, forks: Forks, tmp_path: Path) -> None:
    model = write(tmp_path / "x", {n: (np.full(2, 1e6, "f4"), None) for n in ("a", "b")})
    run = forks.run(verb, model, "a", "--dtype", "fp16", "-o", tmp_path / "x.safetensors")
    assert "2 values too large for fp16" in run.err
    assert forks.run(verb, model, "a", "--dtype", "int8").code == 2


@pytest.mark.parametrize("columns", [80, 160])
def test_a_plan_of_what_is_left_out_tells_the_cast(columns: int, tmp_path: Path) -> None:
    model = mixed(tmp_path, ["blk.0.up", "blk.0.down"])
    text = run_on_terminal(
        "drop", model, "blk.0.up", "blk.0.down", "--dtype", "bf16", columns=columns, NO_COLOR="1"
    )
    assert text.splitlines()[-2:] == [
        "to drop: 2 of 5 names, 264 B less; to cast: 3 tensors, from 372 B to 1.16 kB",
        "paramctl: nothing is written; add -o FILE",
    ]


def test_a_tie_that_cannot_be_written_is_not_told_as_made(forks: Forks, tmp_path: Path) -> None:
    same = blocks(Quantization.Q4_0)
    file = write(tmp_path / "a.gguf", {"a": same, "b": same})
    for options in ((), ("-n",)):
        run = forks.run("tie", file, "--equal", *options, "-o", tmp_path / "x.safetensors")
        assert (run.code, run.err.count("\n"), "made" in run.err) == (2, 1, False)
        assert "'a' is of Q4_0, whose blocks are not written; convert" in run.err


def test_blocks_of_two_types_are_tied_once_they_are_numbers(forks: Forks, tmp_path: Path) -> None:
    given = {kind.name: blocks(kind) for kind in (Quantization.Q4_0, Quantization.Q8_0)}
    file = write(tmp_path / "a.gguf", given)
    run = forks.run("tie", file, "Q4_0", "Q8_0", "-n")
    assert run.err.endswith(
        "cannot be tied; paramctl convert --dtype float32 gives them one type\n"
    )
    way = 'cd "$F" && "$P" convert a.gguf --dtype float32 | "$P" tie Q4_0 Q8_0 -o x.safetensors'
    assert shell(way, F=tmp_path).returncode == 0
    assert list(load_file(tmp_path / "x.safetensors")) == ["Q4_0"]
    opaque = write(tmp_path / "b.gguf", given | {"o": blocks(Quantization.IQ2_XXS)})
    run = forks.run("tie", opaque, "Q4_0", "o")
    assert run.err.endswith("cannot be tied; shapes and dtypes must agree\n")


def test_init_tells_once_why_blocks_are_kept_and_names_a_few(forks: Forks, tmp_path: Path) -> None:
    given = {f"{n}.weight": blocks(Quantization.Q4_0, rows=n + 1) for n in range(5)}
    given["5.weight"] = blocks(Quantization.Q8_0)
    plain = {"6.weight": (np.ones((2, 2), "f4"), None)}
    file = write(tmp_path / "a.gguf", {**given, **plain})
    run = forks.run("init", file, "-s", "xavier", "--seed", "0", "-n")
    assert run.err.splitlines()[0] == (
        "paramctl: 6 kept parameters: '0.weight': it is of Q4_0, which cannot be initialized, "
        "likewise '1.weight', '2.weight' and 2 more; "
        "'5.weight': it is of Q8_0, which cannot be initialized"
    )
    named = forks.run("init", file, "5.weight", "-s", "xavier", "-n")
    advice = "; paramctl convert --dtype float32 makes numbers of its values\n"
    assert (named.code, named.err.endswith(advice)) == (2, True)
