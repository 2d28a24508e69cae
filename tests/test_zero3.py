"""Folders of DeepSpeed's ZeRO-3: parameters that are cut up over its ranks are whole again.

The oracles are what DeepSpeed's own script made of a folder that three ranks wrote, and the tensors
that were cut up here as DeepSpeed 0.19 cuts them: `_partition_param` in
deepspeed/runtime/zero/partition_parameters.py. What it writes is in `_common_checkpoint_state` and
`_save_zero_checkpoint` of runtime/engine.py, and `_rigid_state_dict` of runtime/zero/stage3.py.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import Forks
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import assert_same_tensor
from safetensors.torch import load_file
from torch import Tensor, nn
from web_server import Server

import paramctl
from paramctl import arrays
from paramctl.checkpoint import Entry, ReadOptions
from paramctl.errors import FileError, LimitError, MalformedError, ParamctlError, UnsafeError
from paramctl.formats import open_checkpoint
from paramctl.slices import select
from paramctl.sources import FileSource
from paramctl.views.units import format_bytes

FILES = Path(__file__).parent / "files"
RANKS = FILES / "deepspeed_zero3_ranks"
JOINED = torch.load(RANKS.with_suffix(".pt"))
BF16 = torch.bfloat16
STATE = {
    "a.weight": torch.randn(5, 4),
    "a.bias": torch.randn(5),
    "b.weight": torch.randn(3, 5).to(BF16),
    "b.scale": torch.randn(()),
}


def model_file(rank: int) -> str:
    return f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt"


def optimizer_file(rank: int) -> str:
    return f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"


def cut(tensor: Tensor, ranks: int) -> Iterator[Tensor]:
    """Yield each rank's part of a tensor, of one length: padded with what must not be seen."""
    length = -(-tensor.numel() // ranks)
    padded = torch.full([length * ranks], 9e9, dtype=tensor.dtype)
    padded[: tensor.numel()] = tensor.flatten()
    yield from padded.reshape(ranks, length)


def shapes(state: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, torch.Size]:
    return {name: state[name].shape for name in names}


Files = dict[str, dict[str, Any]]


def files_of(
    state: Mapping[str, Tensor], ranks: int, *, frozen: Iterable[str] = (), groups: int = 2
) -> Files:
    """Return the files that so many ranks write of a model, trained in so many groups."""
    trained = [name for name in state if name not in frozen]
    parts = {name: list(cut(tensor, ranks)) for name, tensor in state.items()}
    grouped = [trained[place::groups] for place in range(groups)]
    files = {}
    for rank in range(ranks):
        files[model_file(rank)] = {
            "module": {name: torch.empty(0, dtype=BF16) for name in state} | {"n": torch.tensor(7)},
            "buffer_names": ["n"],
            "param_shapes": [shapes(state, names) for names in grouped],
            "frozen_param_shapes": shapes(state, frozen),
            "shared_params": {},
            "frozen_param_fragments": {name: parts[name][rank] for name in frozen},
            "dp_world_size": ranks,
        }
        flat = [[parts[name][rank].float() for name in names] for names in grouped]
        files[optimizer_file(rank)] = {
            "optimizer_state_dict": {
                "zero_stage": 3,
                "partition_count": ranks,
                "optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(3)}}},
                "fp32_flat_groups": [torch.cat(group) for group in flat if group],
            },
        }
    return files


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        torch.save(content, folder / name)
    return folder


@pytest.fixture
def files() -> Files:
    return files_of(STATE, 3, frozen=["b.weight"])


def values(entry: Entry) -> Tensor:
    return torch.from_numpy(arrays.read(entry).copy())


def test_parameters_are_those_that_deepspeed_joins() -> None:
    model = paramctl.open(RANKS)
    assert set(model) == set(JOINED)
    for name, tensor in JOINED.items():
        assert_same_tensor(model[name], tensor)
    assert model.aliases == {"2.bias": "0.bias"}
    assert not model.missing
    assert not model.complaints


def test_a_model_of_one_rank_is_joined_as_well() -> None:
    model = paramctl.open(FILES / "deepspeed_zero3")
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    net.load_state_dict({name: values(entry) for name, entry in model.items()})


def test_every_verb_has_the_values(tmp_path: Path, forks: Forks) -> None:
    shown = forks.run("show", RANKS, "0.weight[1]", "--format", "json")
    assert (shown.code, shown.out.count("\n")) == (0, 1)
    assert str(JOINED["0.weight"][1, 0].item()) in shown.out
    stats = forks.run("stats", RANKS, "3.weight").out.split("\t")
    assert float(stats[4]) == pytest.approx(JOINED["3.weight"].mean().item())
    written = tmp_path / "x.safetensors"
    run = forks.run("convert", RANKS, "-o", written)
    size = format_bytes(written.stat().st_size)
    assert (run.code, run.err) == (0, f"paramctl: wrote {written}, {size}\n")
    kept = {name: tensor for name, tensor in JOINED.items() if name != "2.bias"}
    torch.testing.assert_close(load_file(written), kept, rtol=0, atol=0)


def test_parts_of_a_parameter_are_nothing_beside_the_model(tmp_path: Path, files: Files) -> None:
    write(tmp_path, files)
    assert "frozen_param_fragments" not in paramctl.open(tmp_path / model_file(0)).others
    (tmp_path / model_file(1)).unlink()  # without all parts there is no parameter
    assert paramctl.open(tmp_path / model_file(0)).others["frozen_param_fragments"] == "1 tensor"


def test_the_classes_in_all_files_are_told() -> None:
    assert "deepspeed.runtime.zero.config.ZeroStageEnum" in paramctl.open(RANKS).foreign


def test_any_rank_s_file_is_the_model(tmp_path: Path, files: Files) -> None:
    write(tmp_path, files)
    for rank in range(3):
        assert_joined(tmp_path / model_file(rank), STATE)


def assert_joined(path: Path, state: Mapping[str, Tensor]) -> None:
    model = paramctl.open(path)
    assert not model.missing
    for name, tensor in state.items():
        assert torch.equal(values(model[name]), tensor.float()), name


@settings(max_examples=50)
@given(
    sizes=st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=1, max_size=4),
    ranks=st.integers(1, 5),
    frozen=st.integers(0, 3),
    groups=st.integers(1, 3),
)
def test_whatever_is_cut_up_is_whole_again(
    sizes: list[list[int]],
    ranks: int,
    frozen: int,
    groups: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    state = {f"p{place}": torch.randn(shape) for place, shape in enumerate(sizes)}
    folder = tmp_path_factory.mktemp("ranks")
    write(folder, files_of(state, ranks, frozen=list(state)[:frozen], groups=groups))
    assert_joined(folder, state)


def test_files_of_bfloat16_have_another_name(tmp_path: Path, files: Files) -> None:
    for rank in range(3):
        files[f"bf16_{optimizer_file(rank)}"] = files.pop(optimizer_file(rank))
    assert_joined(write(tmp_path, files), STATE)


def test_files_in_torch_s_old_format_are_joined(tmp_path: Path, files: Files) -> None:
    for name, content in files.items():
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=False)
    assert_joined(tmp_path, STATE)


def test_a_server_s_files_are_joined(server: Server, files: Files) -> None:
    write(server.folder, files)
    model = paramctl.open(f"{server.url}/{model_file(0)}")
    assert torch.equal(values(model["a.weight"]), STATE["a.weight"])


def test_a_server_s_latest_leads_to_its_step(server: Server) -> None:
    shutil.copytree(RANKS, server.folder / "a run")
    model = paramctl.open(f"{server.url}/a%20run/latest")
    assert set(model) == set(JOINED)
    for name, tensor in JOINED.items():
        assert_same_tensor(model[name], tensor)


@pytest.mark.parametrize(
    ("latest", "error", "what"),
    [
        ("gone", MalformedError, "names the step 'gone', and no model is found in it"),
        ("two", MalformedError, "several models: .*two/mp_rank_00_.*two/mp_rank_01_.*; name one"),
        ("..", UnsafeError, "names '..', which is no folder beside it"),
        ("a/b", UnsafeError, "names 'a/b', which is no folder beside it"),
        ("", UnsafeError, "names '', which is no folder beside it"),
        ("x" * 256, MalformedError, "latest: "),
    ],
)
def test_a_server_s_latest_names_a_folder_beside_it(
    latest: str, error: type[ParamctlError], what: str, server: Server
) -> None:
    (server.folder / "two").mkdir()
    for rank in (0, 1):
        torch.save(STATE, server.folder / "two" / f"mp_rank_0{rank}_model_states.pt")
    (server.folder / "latest").write_text(latest)
    with pytest.raises(error, match=what):
        paramctl.open(f"{server.url}/latest")


def test_a_server_s_model_may_be_called_latest(server: Server) -> None:
    torch.save(STATE, server.folder / "latest")
    assert list(paramctl.open(f"{server.url}/latest")) == list(STATE)


def test_what_is_not_asked_for_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    read = FileSource._pread

    def count(self: FileSource, descriptor: int, offset: int, length: int) -> bytes:
        counts.append(length)
        return read(self, descriptor, offset, length)

    monkeypatch.setattr(FileSource, "_pread", count)
    state = {"weight": torch.zeros(1024, 2048)}
    write(tmp_path, files_of(state, 2))
    model = paramctl.open(tmp_path)
    opened = sum(counts)
    assert opened < 100_000
    arrays.read(select(model["weight"], (slice(2), slice(None))))
    assert sum(counts) - opened < 100_000


Change = Callable[[Files], object]


def optimizer(files: Files, rank: int) -> dict[str, Any]:
    state: dict[str, Any] = files[optimizer_file(rank)]["optimizer_state_dict"]
    return state


def set_count(*ranks: int, count: object) -> Change:
    return lambda files: [optimizer(files, r).update(partition_count=count) for r in ranks]


def set_groups(*ranks: int, groups: object) -> Change:
    return lambda files: [optimizer(files, r).update(fp32_flat_groups=groups) for r in ranks]


def set_fragment(rank: int, fragment: object) -> Change:
    return lambda files: files[model_file(rank)].update(
        frozen_param_fragments={"b.weight": fragment}
    )


WRONG: dict[str, tuple[Change, str]] = {
    "no first optimizer": (lambda files: files.pop(optimizer_file(0)), f"{optimizer_file(0)} is"),
    "no last optimizer": (
        lambda files: files.pop(optimizer_file(2)),
        f"{optimizer_file(2)} is missing; put it beside the model's",
    ),
    "no model": (lambda files: files.pop(model_file(1)), f"{model_file(1)} is missing"),
    "one more optimizer": (
        lambda files: files.update({optimizer_file(3): files[optimizer_file(2)]}),
        f"{optimizer_file(3)} is there, and the others are of 3 ranks",
    ),
    "fewer ranks": (set_count(0, 1, 2, count=2), f"{optimizer_file(2)} is there.* of 2 ranks"),
    "more ranks": (set_count(0, 1, 2, count=4), f"{optimizer_file(3)} is missing"),
    "other ranks": (
        set_count(1, count=4),
        f"{optimizer_file(1)}: it is of 4 ranks, and that of rank 0 of 3",
    ),
    "two optimizers": (
        lambda files: files.update({f"bf16_{optimizer_file(0)}": files[optimizer_file(0)]}),
        "ambiguous: zero_pp_rank_0.* and bf16_zero_pp_rank_0.* are both there",
    ),
    "no count": (set_count(0, count=None), "no partition_count"),
    "no rank": (set_count(0, count=0), "no partition_count"),
    "a list of counts": (set_count(0, count=[3, 3]), "no partition_count"),
    "no groups": (set_groups(0, groups=None), "no fp32_flat_groups"),
    "ZeRO-2's file": (
        lambda files: optimizer(files, 1).pop("fp32_flat_groups"),
        f"{optimizer_file(1)}: .*no fp32_flat_groups",
    ),
    "groups on NVMe": (
        set_groups(0, 1, 2, groups=[torch.empty(0)]),
        "its groups have 0 elements, the parts of the parameters 10",
    ),
    "a longer group": (
        set_groups(0, 1, 2, groups=[torch.zeros(11)]),
        "its groups have 11 elements, the parts of the parameters 10",
    ),
    "a rank's shorter group": (
        set_groups(2, groups=[torch.zeros(7), torch.zeros(2)]),
        f"{optimizer_file(2)}: its groups have other types or sizes",
    ),
    "a rank's other type": (
        set_groups(2, groups=[torch.zeros(8), torch.zeros(2, dtype=BF16)]),
        f"{optimizer_file(2)}: its groups have other types or sizes",
    ),
    "groups of two types": (
        set_groups(0, 1, 2, groups=[torch.zeros(5), torch.zeros(5, dtype=BF16)]),
        "its parameters are in parts of different types",
    ),
    "groups that are numbers": (set_groups(0, groups=[1, 2]), "is no tensor"),
    "a sparse group": (set_groups(0, groups=[torch.zeros(10).to_sparse()]), "is no tensor"),
    "a group of two dimensions": (
        set_groups(0, groups=[torch.zeros(5, 2)]),
        r"\[5, 2\], is no row",
    ),
    "a group with strides": (set_groups(0, groups=[torch.zeros(20)[::2]]), r"\[10\], is no row"),
    "a longer fragment": (
        set_fragment(1, torch.zeros(6, dtype=BF16)),
        f"{model_file(1)}: it has 6 elements of 'b.weight', whose parts have 5",
    ),
    "no fragment": (set_fragment(1, None), f"{model_file(1)}: .*is no tensor"),
    "no fragments": (
        lambda files: files[model_file(1)].pop("frozen_param_fragments"),
        f"{model_file(1)}: .*is no tensor",
    ),
    "another fragment's type": (
        set_fragment(1, torch.zeros(5)),
        "its parameters are in parts of different types",
    ),
    "no states": (
        lambda files: files.update({optimizer_file(1): {"a": 1}}),
        f"{optimizer_file(1)}: no file of an optimizer of ZeRO-3",
    ),
    "a larger shape": (
        lambda files: files[model_file(0)]["param_shapes"][0].update(c=torch.Size([2**62] * 9)),
        "its groups have 10 elements, the parts of the parameters [0-9]{160,}",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_files_that_do_not_fit_are_told_and_the_names_are_listed(
    wrong: str, tmp_path: Path, files: Files
) -> None:
    change, what = WRONG[wrong]
    change(files)
    model = paramctl.open(write(tmp_path, files) / model_file(0))
    with pytest.raises(MalformedError, match=what):
        raise MalformedError(*model.complaints)
    assert model.missing.keys() >= STATE.keys()
    assert {name: model[name].shape for name in STATE} == shapes(STATE, STATE)
    assert model["n"].numel == 1


def test_what_has_no_values_is_told_by_every_verb(
    tmp_path: Path, files: Files, forks: Forks
) -> None:
    del files[optimizer_file(1)]
    model = files[model_file(0)]
    model["module"]["tied"] = torch.empty(0)
    model["shared_params"] = {"tied": "a.bias"}
    write(tmp_path, files)
    why = f"{optimizer_file(1)} is missing; put it beside the model's"
    listed = forks.run("ls", tmp_path)
    assert (listed.code, listed.out.count("missing")) == (3, 5)
    assert f"ZeRO-3 has cut up its parameters, and {why}" in listed.err
    shown = forks.run("show", tmp_path, "a.bias")
    assert (shown.code, f"'a.bias' is missing: {why}" in shown.err) == (3, True)
    target = tmp_path / "x.safetensors"
    written = forks.run("convert", tmp_path, "-o", target)
    assert (written.code, f"'a.weight' is missing: {why}" in written.err) == (3, True)
    assert not target.exists()


def test_a_broken_file_of_a_rank_is_told(tmp_path: Path, files: Files) -> None:
    write(tmp_path, files)
    (tmp_path / optimizer_file(1)).write_bytes(b"\x80\x02}.")
    (complaint,) = paramctl.open(tmp_path).complaints
    assert f"{optimizer_file(1)}: " in complaint


def test_a_file_with_another_name_has_no_values(tmp_path: Path, files: Files) -> None:
    write(tmp_path, files)
    (tmp_path / model_file(0)).rename(tmp_path / "model.pt")
    (complaint,) = paramctl.open(tmp_path / "model.pt").complaints
    assert "name the file in the folder that DeepSpeed wrote" in complaint


def test_very_many_ranks_are_too_many(tmp_path: Path, files: Files) -> None:
    set_count(0, count=10**15)(files)
    with pytest.raises(LimitError, match="1000000000000000 ranks"):
        paramctl.open(write(tmp_path, files))


def test_an_index_in_the_place_of_a_rank_s_file_is_not_followed(
    tmp_path: Path, files: Files
) -> None:
    write(tmp_path, files)
    index = f'{{"weight_map": {{"a": "{model_file(0)}"}}}}'
    (tmp_path / optimizer_file(1)).write_text(index)
    (complaint,) = paramctl.open(tmp_path).complaints
    assert f"{optimizer_file(1)}: no file of torch's" in complaint


def test_a_link_is_not_followed_where_links_are_not(tmp_path: Path, files: Files) -> None:
    write(tmp_path, files)
    (tmp_path / optimizer_file(1)).rename(tmp_path / "elsewhere")
    (tmp_path / optimizer_file(1)).symlink_to(tmp_path / "elsewhere")
    assert not paramctl.open(tmp_path).missing
    with pytest.raises(FileError, match="symbolic link"):
        open_checkpoint(tmp_path, ReadOptions(follow=False))


def test_nothing_in_a_rank_s_file_is_run(tmp_path: Path, files: Files) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "run"),)

    optimizer(files, 1)["fp32_flat_groups"][0] = Evil()
    model = paramctl.open(write(tmp_path, files))
    assert "is no tensor" in model.complaints[0]
    assert "posix.mkdir" in model.foreign
    assert not (tmp_path / "run").exists()


def test_a_shape_that_is_none_is_malformed(tmp_path: Path, files: Files) -> None:
    files[model_file(0)]["param_shapes"][0]["a.weight"] = ("a", 2)
    with pytest.raises(MalformedError, match="shape is not a tuple"):
        paramctl.open(write(tmp_path, files))
