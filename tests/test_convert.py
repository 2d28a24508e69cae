"""`paramctl convert` at the command line, and the same in Python."""

from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Forks
from program import shell
from safetensors.torch import load_file, save_file

import paramctl as library
from paramctl.cli.models import MODEL_SUFFIXES
from paramctl.errors import UsageError
from paramctl.views.units import format_bytes
from paramctl.writer.formats import READ_ONLY, find_format

SAMPLES = Path(__file__).parents[1] / "sample_models"
MLP, SHARED = SAMPLES / "mlp.safetensors", SAMPLES / "shared.pt"


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".PT"])
def test_a_suffix_of_torch_gives_a_state_dict(suffix: str, forks: Forks, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    run = forks.run("convert", SHARED, "-o", path)
    assert (run.code, run.out) == (0, "")
    assert run.err == f"paramctl: wrote {path}, {path.stat().st_size / 1000:.2f} kB\n"
    state, old = torch.load(path, weights_only=True), torch.load(SHARED)
    assert list(state) == list(old)
    assert all(torch.equal(state[name], old[name]) for name in old)
    assert state["2.weight"].data_ptr() == state["4.weight"].data_ptr()


def test_ties_are_copied_on_demand(forks: Forks, tmp_path: Path) -> None:
    forks.run("convert", SHARED, "--ties", "copy", "-o", tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt")
    assert torch.equal(state["2.weight"], state["4.weight"])
    assert state["2.weight"].data_ptr() != state["4.weight"].data_ptr()


def test_npz_and_safetensors_are_told_by_their_suffixes_too(forks: Forks, tmp_path: Path) -> None:
    assert forks.run("convert", MLP, "-o", tmp_path / "x.npz").code == 0
    arrays = np.load(tmp_path / "x.npz", allow_pickle=False)
    assert np.array_equal(arrays["2.weight"], load_file(MLP)["2.weight"].numpy())
    assert forks.run("convert", SAMPLES / "mlp.pt", "-o", tmp_path / "x.safetensors").code == 0
    assert (tmp_path / "x.safetensors").read_bytes() == MLP.read_bytes()


def test_a_folder_of_shards_is_written(forks: Forks, tmp_path: Path) -> None:
    run = forks.run("convert", MLP, "--max-shard-size", "100B", "-o", tmp_path / "out")
    assert run.code == 2
    run = forks.run("convert", MLP, "--max-shard-size", "0.1KB", "-o", tmp_path / "out")
    assert (run.code, "3 files" in run.err) == (0, True)
    assert library.open(tmp_path / "out").keys() == load_file(MLP).keys()


@pytest.mark.parametrize(("name", "options"), [("x.dcp", ()), ("x", ("--max-shard-size", "0.1KB"))])
def test_all_bytes_of_a_folder_are_counted(
    name: str, options: tuple[str, ...], forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / name
    run = forks.run("convert", MLP, "-o", path, *options)
    sizes = [file.stat().st_size for file in path.iterdir()]
    counted = f"{format_bytes(sum(sizes))} in {len(sizes)} files"
    assert run.err == f"paramctl: wrote {path}, {counted}\n"


def test_a_dry_run_says_what_a_format_does_not_keep(forks: Forks, tmp_path: Path) -> None:
    tied, path = tmp_path / "tied.safetensors", tmp_path / "x.npz"
    library.open(SHARED).with_metadata({"license": "MIT"}).save(tied)
    plan = forks.run("convert", tied, "-o", path, "-n")
    assert plan.out.splitlines()[0] == "0.bias\t[8]\tfloat32\t32"
    written = forks.run("convert", tied, "-o", path)
    assert plan.err.splitlines() == written.err.splitlines()[:-1]
    assert all(word in plan.err for word in ("license", "written again"))


def test_what_metadata_holds_is_not_said_to_be_lost(forks: Forks, tmp_path: Path) -> None:
    path, beside = tmp_path / "x.pt", {"epoch": 3, "optimizer": [torch.ones(2)]}
    torch.save({"model": {"w": torch.ones(2)}} | beside, path)
    plan = forks.run("convert", path, "-n")
    assert plan.err == f"paramctl: {path}: not written: optimizer (1 tensor)\n"
    written = forks.run("convert", path, "-o", tmp_path / "x.safetensors")
    assert written.err.startswith(plan.err)
    assert library.open(tmp_path / "x.safetensors").metadata["epoch"] == "3"


def test_of_much_beside_a_model_a_line_is_told(forks: Forks, tmp_path: Path) -> None:
    beside = {f"ema{place}": {"w": torch.zeros(2)} for place in range(20)}
    torch.save({"model": {"w": torch.ones(2)}} | beside, tmp_path / "x.pt")
    told = forks.run("convert", tmp_path / "x.pt", "-n").err
    assert told.endswith(
        "not written: " + ", ".join(f"ema{i} (1 tensor)" for i in range(6)) + ", and 14 more\n"
    )


@pytest.mark.parametrize(
    "call",
    [
        *(("convert",), ("drop", "0"), ("extract", "0"), ("rename", "0 -> a"), ("graft", MLP)),
        *(("set", "0.bias = 0"), ("meta", "a=b"), ("resize", "0.bias", "--shape", "3")),
        ("init", "--scheme", "ones", "--seed", "0"),
    ],
)
def test_code_is_not_told_where_none_is_written(
    call: tuple[str | Path, ...], forks: Forks, tmp_path: Path
) -> None:
    verb, *rest = call
    path = tmp_path / "x.safetensors"
    whole = (verb, SAMPLES / "mlp_module.pt", *rest, "-o", path)
    run = forks.run(*whole)
    assert (run.code, "names code" in run.err) == (0, False)
    assert not library.open(path).foreign
    refused = forks.run(*whole, "--force", "--fail-on-globals")
    assert (refused.code, "names code that loading it would run" in refused.err) == (4, True)


def test_a_pipe_carries_safetensors() -> None:
    run = shell('"$P" convert "$M" --dtype fp16 | "$P" convert -', M=MLP)
    assert (run.returncode, run.stderr) == (0, b"")
    run = shell('"$P" convert "$M" --dtype fp16 | "$P" ls | cut -f 3 | sort -u', M=MLP)
    assert run.stdout == b"float16\n"


def test_types_are_cast_but_for_those_to_keep(forks: Forks, tmp_path: Path) -> None:
    old = {"a.weight": torch.rand(3), "a.bias": torch.rand(2), "n": torch.arange(3)}
    save_file(old, tmp_path / "old.safetensors")
    call = ("convert", tmp_path / "old.safetensors", "-o", tmp_path / "new.safetensors")
    run = forks.run(*call, "--dtype", "bf16", "--keep-dtype", "*.bias")
    assert (run.code, run.err.count("\n")) == (0, 1)
    new = load_file(tmp_path / "new.safetensors")
    assert torch.equal(new["a.weight"], old["a.weight"].bfloat16())
    assert all(torch.equal(new[name], old[name]) for name in ("a.bias", "n"))
    plan = forks.run(*call, "--dtype", "bf16", "--keep-dtype", "*.bias", "-n")
    assert plan.out == "a.weight\tfloat32\tbfloat16\t[3]\t6\n"


def test_values_that_are_too_large_are_told(forks: Forks, tmp_path: Path) -> None:
    state = {f"w{place}": torch.tensor([1e5, -1e6, 1.0]) for place in range(6)}
    state["inf"] = torch.tensor([torch.inf, torch.nan, 1.0])
    torch.save(state, tmp_path / "model.pt")
    call = ("convert", tmp_path / "model.pt", "-o", tmp_path / "x.safetensors")
    run = forks.run(*call, "--dtype", "fp16")
    assert run.err.splitlines()[-1] == (
        "paramctl: 12 values too large for fp16: 2 of 'w0', 2 of 'w1', 2 of 'w2', 2 of 'w3', "
        "2 of 'w4', and of 1 more"
    )
    assert load_file(tmp_path / "x.safetensors")["w0"].tolist() == [np.inf, -np.inf, 1]
    assert "too large" not in forks.run(*call, "--dtype", "bf16", "--force").err
    assert "too large" not in forks.run(*call, "--dtype", "fp16", "--force", "-n").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([MLP, "-o", "x.gguf"], "x.gguf: GGUF is not written; name it .safetensors, .pt"),
        (
            [MLP, "-o", "model.safetensor"],
            "'.safetensor' is no format's suffix; name it .safetensors, .pt, .pth, .bin, .ckpt, ",
        ),
        ([MLP, "-o", "model.PTT", "-n"], "model.PTT: '.ptt' is no format's suffix; name it"),
        (
            [MLP, "-o", "x.pt", "--max-shard-size", "1GB"],
            "x.pt: files of at most a size are safetensors, not torch; name a folder, or leave the",
        ),
        (
            [MLP, "-o", "x.gguf", "--max-shard-size", "1GB", "-n"],
            "x.gguf: files of at most a size are safetensors, not GGUF; name a folder, or leave",
        ),
        ([MLP, "--keep-dtype", "0", "-o", "x.pt"], "--keep-dtype without --dtype"),
        (
            [MLP, "--dtype", "int8", "-o", "x.pt"],
            "'int8' is no type to cast to; one of float8",
        ),
        ([MLP, "--dtype", "bf16", "--keep-dtype", "nope", "-o", "x.pt"], "layer 'nope'"),
        (
            [MLP, "--dtype", "bf16", "-o", "x.npz"],
            "numpy has no bfloat16; cast it: --dtype float32",
        ),
        ([MLP, "--dtype", "bf16", "-o", "x.npz", "-n"], "numpy has no bfloat16"),
        ([MLP, SHARED, "-o", "x.pt"], "one model at a time"),
        ([MLP, "b"], "one model at a time, not 'b' too; -o b writes it there, merge"),
        ([MLP, "-o", "no/x.pt"], "there is no such folder"),
    ],
)
def test_a_wrong_call_gets_one_line_and_writes_nothing(
    arguments: list[str | Path], message: str, forks: Forks, tmp_path: Path
) -> None:
    written = (".safetensor", ".PTT", ".gguf", ".pt", ".npz")
    arguments = [
        tmp_path / each if isinstance(each, str) and each.endswith(written) else each
        for each in arguments
    ]
    run = forks.run("convert", *arguments)
    assert (run.out, run.err.count("\n")) == ("", 1)
    assert run.code == (6 if "no such folder" in message else 2)
    assert message in run.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.pt", "x.npz", "x.gguf", "x.yaml", "x.H5", "x.ptt"])
def test_other_verbs_write_safetensors_only(name: str, forks: Forks, tmp_path: Path) -> None:
    run = forks.run("set", MLP, "0.bias = 0", "-o", tmp_path / name)
    assert (run.code, "what is written is safetensors; name it .safetensors" in run.err) == (
        2,
        True,
    )
    assert ("paramctl convert -o FILE" in run.err) == (name in ("x.pt", "x.npz"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [each for suffixes in READ_ONLY.values() for each in suffixes])
def test_python_writes_nothing_under_the_name_of_a_format_that_is_only_read(
    suffix: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"x\{suffix}: .* is not written; name it \.safetensors"):
        library.open(MLP).save(tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


def test_python_refuses_a_misspelt_suffix_as_the_verbs_do(forks: Forks, tmp_path: Path) -> None:
    for name in ("model.safetensor", "model.ptt"):
        with pytest.raises(UsageError) as error:
            library.open(MLP).save(tmp_path / name)
        run = forks.run("convert", MLP, "-o", tmp_path / name)
        assert (run.code, run.err) == (2, f"paramctl: {error.value}\n")
    assert not list(tmp_path.iterdir())


def test_a_name_without_a_suffix_is_safetensors_for_both(forks: Forks, tmp_path: Path) -> None:
    library.open(MLP).save(tmp_path / "a")
    assert forks.run("convert", MLP, "-o", tmp_path / "b").code == 0
    assert forks.run("set", MLP, "0.bias *= 1", "-o", tmp_path / "c").code == 0
    for name in "abc":
        assert load_file(tmp_path / name).keys() == torch.load(MLP).keys()


def test_a_folder_of_shards_may_have_a_version_in_its_name(tmp_path: Path) -> None:
    library.open(MLP).save(tmp_path / "llama-3.1", max_shard_size=200)
    assert list(library.open(tmp_path / "llama-3.1")) == list(library.open(MLP))


def test_every_name_that_is_taken_for_a_models_says_its_format() -> None:
    assert not [suffix for suffix in MODEL_SUFFIXES if not find_format(f"x{suffix}")]


def test_python_does_the_same(tmp_path: Path) -> None:
    model = library.open(MLP)
    model.cast("bf16", keep="2").save(tmp_path / "x.pt")
    old, new = load_file(MLP), torch.load(tmp_path / "x.pt")
    assert torch.equal(new["0.weight"], old["0.weight"].bfloat16())
    assert torch.equal(new["2.weight"], old["2.weight"])
    model.save(tmp_path / "x.npz")
    assert set(np.load(tmp_path / "x.npz")) == set(old)
    with pytest.raises(
        UsageError, match=r"y\.pt: files of at most a size are safetensors, not tor"
    ):
        model.save(tmp_path / "y.pt", max_shard_size=100)
    described = library.open(SAMPLES / "shared.yaml")
    with pytest.raises(UsageError, match="has no values yet"):
        described.save(tmp_path / "y.pt")
    planned = described.cast("bf16").init("ones", seed=0)
    assert {entry.dtype.name for entry in planned.values()} == {"bfloat16"}


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_a_file_is_not_replaced_by_a_folder(
    options: tuple[str, ...], forks: Forks, tmp_path: Path
) -> None:
    path = tmp_path / "model.dcp"
    path.write_text("notes")
    run = forks.run("convert", MLP, "-o", path, *options)
    message = "a file, and no folder; name another"
    assert (run.code, run.err) == (6, f"paramctl: {path}: {message}\n")
    assert path.read_text() == "notes"
