"""What pickles may do to us, in torch's archives and legacy files: section C, as users meet it."""

from pathlib import Path

import legacy_rows
import pickle_rows
import pytest
from forks import Forks
from hostile import MAX_MEGABYTES, Row, assert_bounded, assert_refused
from legacy_rows import SOUND, legacy
from pickle_bytes import (
    FALSE,
    LONGS,
    NONE,
    ORDERED,
    called,
    dictionary,
    number,
    numbers,
    pickled,
    storage,
    tensor,
    text,
    tuple_of,
)
from pickle_rows import CYCLE, DEEP, DOUBLED, alone

from paramctl.errors import MalformedError, ParamctlError
from paramctl.formats import open_checkpoint
from paramctl.formats.torch import tensors
from paramctl.formats.torch.tensors import BUILDERS
from paramctl.views.rows import make_rows, total
from paramctl.views.text import json_text

HOSTILE = {"deep": DEEP, "doubled": DOUBLED, "cycle": CYCLE, "dict": b"}" + CYCLE + NONE + b"s"}
FLOAT32 = b"ctorch\nfloat32\n"
SIZES = numbers(4)
SOUND_ARGUMENTS = {
    "torch._utils._rebuild_tensor": (storage(), number(0), SIZES, numbers(1)),
    "torch._utils._rebuild_tensor_v2": (
        *(storage(), number(0), SIZES, numbers(1), FALSE, ORDERED),
        dictionary(conj=b"\x88"),
    ),
    "torch._utils._rebuild_tensor_v3": (
        *(storage(), number(0), SIZES, numbers(1), FALSE, ORDERED, FLOAT32),
        NONE,
    ),
    "torch._utils._rebuild_parameter": (tensor(), FALSE, ORDERED),
    "torch._utils._rebuild_parameter_with_state": (tensor(), FALSE, ORDERED, NONE),
    "torch._utils._rebuild_qtensor": (
        *(storage(), number(0), SIZES, numbers(1)),
        *(tuple_of(b"ctorch\nper_tensor_affine\n", number(1), number(2)), FALSE, ORDERED),
    ),
    "torch._utils._rebuild_sparse_tensor": (
        text("torch.sparse_coo"),
        tuple_of(tensor(), tensor(), SIZES, FALSE),
    ),
    "torch._utils._rebuild_nested_tensor": (tensor(),) * 4,
    "torch._utils._rebuild_meta_tensor_no_storage": (FLOAT32, SIZES, numbers(1), FALSE),
    "torch._utils._rebuild_wrapper_subclass": (
        *(b"cmine\nTensor\n", FLOAT32, SIZES, numbers(1), number(0), NONE, NONE, FALSE),
    ),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": (tensor(), FLOAT32, text("xla"), FALSE),
    "torch._tensor._rebuild_from_type_v2": (
        b"ctorch._utils\n_rebuild_parameter\n",
        b"cmine\nTensor\n",
        tuple_of(tensor(), FALSE, ORDERED),
        dictionary(a=tensor()),
    ),
    "torch.nn.parameter.UninitializedParameter": (FALSE,),
    "torch.serialization._get_layout": (text("torch.sparse_coo"),),
    "torch.Size": (b"](K\x01e",),
}
"""What torch gives each of its functions: of all of them, or the sweep below misses one."""


@pytest.mark.parametrize("name", BUILDERS)
def test_a_wrong_number_of_arguments_is_the_file_s_fault(name: str) -> None:
    for count in (9, 10):
        with pytest.raises(MalformedError, match=f"{name} has {count} arguments"):
            BUILDERS[name]((None,) * count)


def test_an_error_of_ours_is_not_the_file_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(tensors, "_strided", fail)
    with pytest.raises(TypeError, match="a bug"):
        BUILDERS["torch._utils._rebuild_tensor"]((None,) * 4)


@pytest.mark.parametrize("row", pickle_rows.REFUSED + legacy_rows.REFUSED, ids=lambda row: row.id)
def test_a_malformed_pickle_is_refused_in_one_line(row: Row, tmp_path: Path, forks: Forks) -> None:
    assert_refused(forks.run("ls", row.write(tmp_path)), row)


@pytest.mark.parametrize("row", pickle_rows.LISTED + legacy_rows.LISTED, ids=lambda row: row.id)
def test_an_odd_but_sound_pickle_is_listed(row: Row, tmp_path: Path, forks: Forks) -> None:
    run = forks.run("ls", row.write(tmp_path))
    assert (run.code, run.err) == (0, "")
    assert row.message in run.out
    assert_bounded(run)


@pytest.mark.parametrize(
    "row", pickle_rows.NAMING_CODE + legacy_rows.NAMING_CODE, ids=lambda row: row.id
)
def test_code_that_a_pickle_names_is_noted_or_refused(
    row: Row, tmp_path: Path, forks: Forks
) -> None:
    path = row.write(tmp_path)
    run = forks.run("ls", path)
    assert run.code == 0
    assert "ok\t[4]\tfloat32" in run.out
    assert row.message in run.err
    assert "CANARY" not in run.out + run.err
    assert_refused(forks.run("ls", "--fail-on-globals", path), row)


def test_six_million_opcodes_take_memory_by_their_number(tmp_path: Path, forks: Forks) -> None:
    data = alone(b"(1" * 3_000_000 + dictionary(ok=tensor()))
    run = forks.run("ls", Row("C16", data, 0, "").write(tmp_path))
    assert (run.code, run.err) == (0, "")
    assert run.megabytes < MAX_MEGABYTES


def list_whole(data: bytes, folder: Path) -> None:
    """List a file as `ls` and `meta` do."""
    path = folder / "model"
    path.write_bytes(data)
    checkpoint = open_checkpoint(path)
    rows = make_rows(checkpoint, checkpoint)
    json_text(checkpoint, rows, total(checkpoint, rows))


def test_the_arguments_below_are_those_of_every_function_of_torch() -> None:
    assert SOUND_ARGUMENTS.keys() == BUILDERS.keys()


@pytest.mark.parametrize("name", SOUND_ARGUMENTS)
def test_a_function_of_torch_is_described_by_sound_arguments(name: str, tmp_path: Path) -> None:
    module, _, function = name.rpartition(".")
    call = called(module, function, *SOUND_ARGUMENTS[name])
    list_whole(alone(dictionary(w=call)), tmp_path)


@pytest.mark.parametrize("name", SOUND_ARGUMENTS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_value_as_any_argument_raises_nothing_but_our_errors(
    name: str, hostile: str, tmp_path: Path
) -> None:
    module, _, function = name.rpartition(".")
    sound = SOUND_ARGUMENTS[name]
    for place in range(len(sound)):
        for value in (HOSTILE[hostile], tuple_of(HOSTILE[hostile])):
            arguments = (*sound[:place], value, *sound[place + 1 :])
            try_to_list(alone(dictionary(w=called(module, function, *arguments))), tmp_path)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_value_in_any_place_raises_nothing_but_our_errors(
    hostile: str, tmp_path: Path
) -> None:
    value = HOSTILE[hostile]
    pid = [text("storage"), LONGS, text("0"), text("cpu"), number(4)]
    for place in range(len(pid)):
        values = tuple_of(*pid[:place], value, *pid[place + 1 :]) + b"Q"
        try_to_list(alone(dictionary(w=tensor(values))), tmp_path)
        try_to_list(legacy(dictionary(w=tensor(values))), tmp_path)
    module = b"cmine\nNet\n)\x81" + dictionary(_parameters=value, _buffers=value, _modules=value)
    for whole in (
        *(value, dictionary(w=value), value + b"Q", value + b")R", b"cx\ny\n" + value + b"R"),
        *(value + value + b"\x93", dictionary(state_dict=value), b"cx\ny\n)R" + value + b"b"),
        *(module + b"b", b"}" + value + value + b"s", b"](" + value + SOUND + b"e"),
    ):
        try_to_list(alone(whole), tmp_path)
        try_to_list(legacy(whole), tmp_path)
    try_to_list(legacy(keys=value), tmp_path)
    try_to_list(legacy(protocol=pickled(value)), tmp_path)
    try_to_list(legacy(system=pickled(value)), tmp_path)


def try_to_list(data: bytes, folder: Path) -> None:
    """List a file, or be told in our words what is wrong with it."""
    try:
        list_whole(data, folder)
    except ParamctlError as error:
        assert error.exit_code in (3, 5)  # noqa: PT017 (both answers are right)
