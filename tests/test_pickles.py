"""The restricted pickle machine, against pickle.loads, real torch files and hostile bytes."""

import io
import math
import os
import pickle
import pickletools
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paramctl.errors import LimitError, MalformedError, ParamctlError
from paramctl.formats import pickles
from paramctl.formats.pickles import Dict, Global, Object, TruncatedPickle, read_pickle
from paramctl.formats.pickles.opcodes import OPCODES

SYSTEM = b"cos\nsystem\n"
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=300)
)
hashables = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=5,
)
values = st.recursive(
    scalars | st.binary().map(bytearray) | st.text(alphabet="\\\n'\"ab", min_size=250),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(hashables, inner, max_size=5)
        | st.dictionaries(st.text(), inner, max_size=5).map(OrderedDict)
        | st.sets(hashables, max_size=5)
        | hashables
    ),
    max_leaves=20,
)


def same(ours: object, theirs: object) -> bool:
    """Whether the machine's symbolic value stands for Python's value, types and order included."""
    if isinstance(theirs, dict):
        return isinstance(ours, Dict) and same(ours.pairs, list(theirs.items()))
    if isinstance(theirs, set | frozenset):
        return (
            isinstance(ours, list)
            and len(ours) == len(theirs)
            and all(any(same(mine, element) for mine in ours) for element in theirs)
        )
    if isinstance(theirs, bytearray):
        theirs = bytes(theirs)
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return repr(ours) == repr(theirs)  # tells nan from 1.0, and -0.0 from 0.0


class Thing:
    """A class whose objects the pickles below hold."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


class Keywords:
    """A class that is pickled with NEWOBJ_EX."""

    def __getnewargs_ex__(self) -> tuple[tuple[int], dict[str, int]]:
        return (1,), {"size": 2}


def torch_pickle(model: object, **options: Any) -> bytes:
    """Return the data.pkl that torch.save writes for `model`."""
    file = io.BytesIO()
    torch.save(model, file, **options)
    with zipfile.ZipFile(file) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def identity(value: object) -> object:
    """Resolve a persistent id to itself."""
    return value


# Against the oracle.


def test_the_table_has_every_opcode_of_pickletools_under_its_name() -> None:
    expected = {opcode.code.encode("latin-1"): opcode.name for opcode in pickletools.opcodes}
    assert {code: opcode.name for code, opcode in OPCODES.items()} == expected


@given(values, st.sampled_from(PROTOCOLS))
def test_plain_data_reads_as_pickle_loads_reads_it(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    read = read_pickle(data)
    assert same(read.value, pickle.loads(data))
    assert read.end == len(data)


@given(values, st.sampled_from(PROTOCOLS))
def test_the_pickler_in_python_and_optimized_pickles_read_the_same(
    value: object, protocol: int
) -> None:
    file = io.BytesIO()
    pickle._Pickler(file, protocol).dump(value)
    for data in (file.getvalue(), pickletools.optimize(file.getvalue())):
        assert same(read_pickle(data).value, value)


@given(values, st.sampled_from(PROTOCOLS), st.binary(max_size=9), st.binary(max_size=9))
def test_a_pickle_inside_other_data_ends_at_its_stop(
    value: object, protocol: int, before: bytes, after: bytes
) -> None:
    data = pickle.dumps(value, protocol)
    read = read_pickle(before + data + after, len(before))
    assert read.end == len(before) + len(data)
    assert same(read.value, value)


@given(values, st.sampled_from(PROTOCOLS), st.data())
def test_every_beginning_of_a_pickle_is_truncated(
    value: object, protocol: int, data: st.DataObject
) -> None:
    whole = pickle.dumps(value, protocol)
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(TruncatedPickle, match=r"the pickle ends .*\(offset \d+\)"):
        read_pickle(whole[:length])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"I00\n.", False),
        (b"I01\n.", True),
        (b"I1\n.", 1),
        (b"I0x10\n.", 16),
        (b"L-5L\n.", -5),
        (b"F-inf\n.", -math.inf),
        (b"S'a\\x41\\n\\\\\\''\n.", "aA\n\\'"),
        (b'S"\'"\n.', "'"),
        (b"V\\u00e9\n.", "é"),
        (b"\x8d\x01" + bytes(7) + b"a.", "a"),
        (b"\x8e\x01" + bytes(7) + b"\xff.", b"\xff"),
        (b"\x8b\x02\0\0\0\x00\xff.", -256),
        (b"\x8a\x00.", 0),
        (b"(I1\nI2\nl.", [1, 2]),
        (b"(I1\nI2\nt.", (1, 2)),
        (b"K\x01(K\x02K\x0310K\x03.", 3),
        (b"K\x01(0.", 1),
        (b"K\x07p12\n0g12\n.", 7),
        (b"K\x07r\x00\x01\0\0j\x00\x01\0\0\x86.", (7, 7)),
        (b"\x95\x03" + bytes(7) + b"K\x01.", 1),
        (b"\x95\x02" + bytes(7) + b"K\x01\x95\x01" + bytes(7) + b".", 1),
        (b"\x95\x02" + bytes(7) + b"K\x01.", 1),
    ],
)
def test_rare_opcodes_do_what_the_loader_does(data: bytes, value: object) -> None:
    assert same(read_pickle(data).value, value)
    assert same(value, pickle.loads(data))


@pytest.mark.parametrize("data", [b"S'%s'\n.", b"U\x02%s.", b"T\x02\0\0\0%s."])
def test_a_python_2_string_is_text_where_it_is_utf_8_else_bytes(data: bytes) -> None:
    assert read_pickle(data % "é".encode()).value == "é"
    assert read_pickle(data % b"\xff\xfe").value == b"\xff\xfe"


def test_python_2_writes_an_ordered_dict_as_a_list_of_pairs() -> None:
    data = b"ccollections\nOrderedDict\np0\n((lp1\n(lp2\nS'w'\np3\naI1\naatp4\nRp5\n."
    assert pickle.loads(data) == {"w": 1}
    value = read_pickle(data).value
    assert isinstance(value, Dict)
    assert value.pairs == [("w", 1)]


# Identity.


def test_shared_and_self_containing_containers_keep_their_identity() -> None:
    shared = [1]
    cycle: list[Any] = [shared, shared, {}, ([],)]
    cycle += [cycle]
    cycle[2]["self"] = cycle[2]
    cycle[3][0].append(cycle[3])
    for protocol in PROTOCOLS:
        value: Any = read_pickle(pickle.dumps(cycle, protocol)).value
        assert value[0] is value[1]
        assert value[4] is value
        assert value[2].pairs == [("self", value[2])]
        assert value[3][0][0][0] is value[3][0]


def test_a_name_is_one_object_however_often_and_wherever_it_is_used() -> None:
    data = b"(cos\nsystem\ncos\nsystem\ncos\npath\n\x8c\x02os\x8c\x06system\x93t."
    read = read_pickle(data)
    value: Any = read.value
    first, second, other, by_stack = value
    assert first is second is by_stack
    assert read.globals == (first, other)
    assert (first.module, first.name, str(first)) == ("os", "system", "os.system")


def test_of_equal_keys_the_last_pair_wins_among_the_strings() -> None:
    value = read_pickle(b"}(U\x01aK\x01K\x05K\x02U\x01aK\x03u.").value
    assert isinstance(value, Dict)
    assert value.pairs == [("a", 1), (5, 2), ("a", 3)]
    assert value.strings() == {"a": 3}


# Calls are described, never made.


@pytest.mark.parametrize("protocol", PROTOCOLS[2:])
def test_an_object_is_described_by_its_class_and_its_state(protocol: int) -> None:
    value = read_pickle(pickle.dumps(Thing(a=1), protocol)).value
    assert isinstance(value, Object)
    assert str(value.function) == f"{Thing.__module__}.Thing"
    assert value.args == ()
    assert isinstance(value.state, Dict)
    assert value.state.strings() == {"a": 1}
    assert (value.pairs, value.elements) == ([], [])


@pytest.mark.parametrize(
    ("data", "args"),
    [
        (SYSTEM + b"K\x01\x85R.", (1,)),
        (SYSTEM + b"K\x01\x85\x81.", (1,)),
        (SYSTEM + b"K\x01\x85N\x92.", ((1,), None)),
        (b"(K\x01ios\nsystem\n.", (1,)),
        (b"(" + SYSTEM + b"K\x01o.", (1,)),
    ],
)
def test_every_way_to_call_gives_an_inert_object(data: bytes, args: object) -> None:
    read = read_pickle(data)
    assert isinstance(read.value, Object)
    assert read.value.function is read.globals[0]
    assert str(read.value.function) == "os.system"
    assert read.value.args == args


def test_keywords_of_newobj_ex_are_kept() -> None:
    value: Any = read_pickle(pickle.dumps(Keywords(), 4)).value
    positional, keywords = value.args
    assert positional == (1,)
    assert keywords.pairs == [("size", 2)]


def test_items_and_elements_of_an_object_are_its_own() -> None:
    data = SYSTEM + b"q\x00)RK\x01K\x02sK\x03a(K\x04eh\x00)R\x86."
    value: Any = read_pickle(data).value
    filled, empty = value
    assert (filled.pairs, filled.elements) == ([(1, 2)], [3, 4])
    assert (empty.pairs, empty.elements) == ([], [])


def test_a_call_of_a_described_object_is_described_too() -> None:
    value = read_pickle(SYSTEM + b")R)R.").value
    assert isinstance(value, Object)
    assert isinstance(value.function, Object)


@pytest.mark.parametrize(
    "data",
    [
        b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        b"cbuiltins\nset\nK\x01K\x02\x86R.",
        b"cbuiltins\nset\n)\x85R.",
        b"ccollections\nOrderedDict\n](K\x01e\x85R.",
        b"ccollections\nOrderedDict\n](K\x01\x85e\x85R.",
        b"c_codecs\nencode\nX\x02\0\0\0\xc4\x80U\x06latin1\x86R.",
        b"c_codecs\nencode\nU\x01aU\x03idn\x86R.",
    ],
)
def test_plain_classes_with_arguments_they_never_have_stay_described(data: bytes) -> None:
    assert isinstance(read_pickle(data).value, Object)


def test_build_of_anything_but_an_object_changes_nothing() -> None:
    for target in (SYSTEM, b"]", b"K\x01", b"U\x01a"):
        plain = read_pickle(target + b".").value
        built = read_pickle(target + b"N}U\x07__doc__K\x01s\x86b.").value
        assert type(built) is type(plain)
        assert str(built) == str(plain)


def test_the_state_of_an_ordered_dict_is_kept() -> None:
    model = OrderedDict(w=1)
    model._metadata = {"version": 1}  # type: ignore[attr-defined]
    value = read_pickle(pickle.dumps(model, 2)).value
    assert isinstance(value, Dict)
    assert value.strings() == {"w": 1}
    assert isinstance(value.state, Dict)
    assert isinstance(value.state.strings()["_metadata"], Dict)


# What the caller gives.


class Wrapper:
    """What a builder may return: it takes a state."""

    state: object = None

    def build(self, state: object) -> None:
        """Keep the state."""
        self.state = state


@pytest.mark.parametrize("opcode", [b"R", b"\x81"])
def test_a_builder_stands_in_for_the_global_and_gets_the_state(opcode: bytes) -> None:
    calls: list[object] = []

    def build(arguments: object) -> object:
        calls.append(arguments)
        return Wrapper()

    data = SYSTEM + b"K\x01\x85" + opcode + b"K\x05b."
    value = read_pickle(data, builders={"os.system": build}).value
    assert calls == [(1,)]
    assert isinstance(value, Wrapper)
    assert value.state == 5


def test_persistent_ids_are_resolved_by_the_caller() -> None:
    assert read_pickle(b"Pabc\n.", persistent=lambda pid: (pid, 1)).value == ("abc", 1)
    assert read_pickle(b"K\x01K\x02\x86Q.", persistent=identity).value == (1, 2)


def refuse(_argument: object) -> object:
    raise MalformedError("no such storage")


def break_down(_argument: object) -> object:
    raise KeyError(1)


def test_an_error_of_the_callers_functions_gets_the_offset() -> None:
    with pytest.raises(MalformedError, match=r"^no such storage \(offset 3\)$"):
        read_pickle(b"K\x01\x85Q.", persistent=refuse)
    with pytest.raises(MalformedError, match=r"^no such storage \(offset 12\)$"):
        read_pickle(SYSTEM + b")R.", builders={"os.system": refuse})


def test_a_bug_in_the_callers_functions_is_not_blamed_on_the_file() -> None:
    with pytest.raises(RuntimeError, match="broke down"):
        read_pickle(b"NQ.", persistent=break_down)
    with pytest.raises(RuntimeError, match="broke down"):
        read_pickle(SYSTEM + b")R.", builders={"os.system": break_down})


# Real files.


@pytest.mark.parametrize("protocol", PROTOCOLS[2:])
def test_the_pickle_of_torch_save_holds_names_shapes_and_storages(protocol: int) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()
    shapes = {"torch._utils._rebuild_tensor_v2": lambda arguments: arguments[2]}
    data = torch_pickle(model, pickle_protocol=protocol)
    read = read_pickle(data, builders=shapes, persistent=identity)
    assert isinstance(read.value, Dict)
    assert read.value.strings() == {name: tuple(tensor.shape) for name, tensor in model.items()}
    assert isinstance(read.value.state, Dict)
    assert list(read.value.state.strings()) == ["_metadata"]
    assert read.end == len(data)
    assert [str(found) for found in read.globals] == [
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor_v2",
        "torch.FloatStorage",
        "torch.LongStorage",
    ]


def test_a_persistent_id_of_torch_is_a_tuple_with_a_named_class() -> None:
    pids: list[Any] = []
    read_pickle(torch_pickle(torch.zeros(6)), persistent=pids.append)
    assert [(pid[0], str(pid[1]), *pid[2:]) for pid in pids] == [
        ("storage", "torch.FloatStorage", "0", "cpu", 6)
    ]


def test_a_whole_module_is_described_without_its_code() -> None:
    read = read_pickle(torch_pickle(torch.nn.Linear(2, 3)), persistent=identity)
    assert isinstance(read.value, Object)
    assert str(read.value.function) == "torch.nn.modules.linear.Linear"
    assert isinstance(read.value.state, Dict)
    parameters = read.value.state.strings()["_parameters"]
    assert isinstance(parameters, Dict)
    assert list(parameters.strings()) == ["weight", "bias"]


def test_the_five_pickles_of_a_legacy_file_follow_each_other_and_cut_ones_are_truncated() -> None:
    file = io.BytesIO()
    torch.save({"w": torch.zeros(3)}, file, _use_new_zipfile_serialization=False)
    data = file.getvalue()
    position = 0
    found: list[Any] = []
    for _ in range(5):
        read = read_pickle(data, position, persistent=identity)
        for length in range(position, read.end):
            with pytest.raises(TruncatedPickle):
                read_pickle(data[:length], position, persistent=identity)
        position = read.end
        found.append(read.value)
    assert found[:2] == [0x1950A86A20F9469CFC6C, 1001]
    assert len(data) - position == 8 + 3 * 4
    assert len(found[4]) == 1


# Hostile pickles; the rows are those of the list of hostile inputs.

FRAME = b"\x95"


def frame(size: int) -> bytes:
    return FRAME + size.to_bytes(8, "little")


Row = tuple[bytes, type[ParamctlError], str]

UNDERFLOWS: list[Row] = [
    (code, MalformedError, rf"{name}: too few values on the stack \(offset 0\)")
    for code, name in (
        (b".", "STOP"),
        (b"0", "POP"),
        (b"1", "POP_MARK"),
        (b"2", "DUP"),
        (b"a.", "APPEND"),
        (b"e.", "APPENDS"),
        (b"s.", "SETITEM"),
        (b"u.", "SETITEMS"),
        (b"d.", "DICT"),
        (b"l.", "LIST"),
        (b"t.", "TUPLE"),
        (b"\x85.", "TUPLE1"),
        (b"\x86.", "TUPLE2"),
        (b"\x87.", "TUPLE3"),
        (b"\x90.", "ADDITEMS"),
        (b"\x91.", "FROZENSET"),
        (b"\x93.", "STACK_GLOBAL"),
        (b"R.", "REDUCE"),
        (b"\x81.", "NEWOBJ"),
        (b"\x92.", "NEWOBJ_EX"),
        (b"b.", "BUILD"),
        (b"o.", "OBJ"),
        (b"ios\nsystem\n.", "INST"),
        (b"Q.", "BINPERSID"),
        (b"q\x00.", "BINPUT"),
        (b"p0\n.", "PUT"),
        (b"r\0\0\0\0.", "LONG_BINPUT"),
        (b"\x94.", "MEMOIZE"),
    )
]

ROWS: dict[str, list[Row]] = {
    "C01": [
        (b"", TruncatedPickle, r"ends before its STOP \(offset 0\)"),
        (b"\x80\x02", TruncatedPickle, r"ends before its STOP \(offset 2\)"),
        (b"\x80\x02]q\x00K\x01a", TruncatedPickle, r"before its STOP \(offset 8\)"),
        (b"\x80", TruncatedPickle, r"ends inside PROTO \(offset 0\)"),
        (b"K", TruncatedPickle, r"ends inside BININT1 \(offset 0\)"),
        (b"NK\x01h", TruncatedPickle, r"ends inside BINGET \(offset 3\)"),
        (b"Nq", TruncatedPickle, r"ends inside BINPUT \(offset 1\)"),
        (b"M\x01", TruncatedPickle, r"ends inside BININT2 \(offset 0\)"),
        (b"Nr\0\0\0", TruncatedPickle, r"ends inside LONG_BINPUT \(offset 1\)"),
        (b"Nj\0", TruncatedPickle, r"ends inside LONG_BINGET \(offset 1\)"),
        (b"U\x05abc", TruncatedPickle, r"ends inside SHORT_BINSTRING \(offset 0\)"),
        (b"cos\nsys", TruncatedPickle, r"ends inside GLOBAL \(offset 0\)"),
        (b"I12", TruncatedPickle, r"ends inside INT \(offset 0\)"),
        (b"S'a", TruncatedPickle, r"ends inside STRING \(offset 0\)"),
    ],
    "C02": [
        (b"\x80\x7fN.", MalformedError, r"PROTO: protocol 127, .* 5 \(offset 0\)"),
        (b"\x80\x06N.", MalformedError, r"PROTO: protocol 6, the highest is 5"),
        (b"\xffN.", MalformedError, r"0xff: no opcode of any protocol \(offset 0\)"),
    ],
    "C04": [
        *UNDERFLOWS,
        (b"N(a.", MalformedError, r"APPEND: too few values on the stack \(offset 2\)"),
        (b"]N(\x86.", MalformedError, r"TUPLE2: too few values .* \(offset 3\)"),
        (b"(o.", MalformedError, r"OBJ: too few values on the stack \(offset 1\)"),
        (b"NNa.", MalformedError, r"APPEND: elements for .* no list: NoneType \(offset 2"),
        (b"}Na.", MalformedError, r"APPEND: elements for what is no list: Dict"),
        (b"]NNs.", MalformedError, r"SETITEM: keys for what is no dictionary: list"),
        (b"](NNu.", MalformedError, r"SETITEMS: keys for what is no dictionary: list"),
        (b"}(Nu.", MalformedError, r"SETITEMS: a key without a value \(offset 3\)"),
        (b"(Nd.", MalformedError, r"DICT: a key without a value \(offset 2\)"),
    ],
    "C05": [
        (b"h\x05.", MalformedError, r"BINGET: nothing .* place 5 of the memo \(offset 0\)"),
        (b"j\5\0\0\0.", MalformedError, r"LONG_BINGET: nothing is stored in place 5 "),
        (b"g-1\n.", MalformedError, r"GET: nothing is stored in place -1 of the memo"),
    ],
    "C06": [
        (b"Nr\xff\xff\xff\x0f.", LimitError, r"LONG_BINPUT: place 268435455 of the memo"),
        (b"Np99999999999\n.", LimitError, r"PUT: place 99999999999 of the memo"),
        (b"Np-1\n.", LimitError, r"PUT: place -1 of the memo"),
    ],
    "C08": [
        (b"X\xfe\xff\xff\xff.", TruncatedPickle, r"ends inside BINUNICODE \(offset 0\)"),
        (b"\x8e" + bytes(7) + b"\x40.", TruncatedPickle, r"ends inside BINBYTES8"),
        (b"\x96" + b"\xff" * 8 + b".", TruncatedPickle, r"ends inside BYTEARRAY8"),
        (b"\x8b\xff\xff\xff\x7f.", TruncatedPickle, r"ends inside LONG4"),
        (b"\x8b\xff\xff\xff\xff.", MalformedError, r"LONG4: a length of -1 \(offset 0\)"),
        (b"T\xff\xff\xff\xff.", MalformedError, r"BINSTRING: a length of -1"),
        (b"X\x01\0\0\0\xff.", MalformedError, r"BINUNICODE: text that is not UTF-8"),
        (b"X\x03\0\0\0\xed\xa0\x80.", MalformedError, r"BINUNICODE: text that is not"),
        (b"V\\ud800\n.", MalformedError, r"UNICODE: text that is not UTF-8"),
        (b"V\\u12\n.", MalformedError, r"UNICODE: text that is not UTF-8"),
        (b"S'a\n.", MalformedError, r"STRING: a string without quotes"),
        (b"S'\n.", MalformedError, r"STRING: a string without quotes"),
        (b"S'\\0'\n.", MalformedError, r"STRING: the escape b'\\\\0' in a string"),
    ],
    "C09": [
        (b"I" + b"9" * 5_000_000, MalformedError, r"INT: an argument of more than 64 bytes"),
        (b"L" + b"9" * 65 + b"\n.", MalformedError, r"LONG: an argument of more than 64"),
        (b"F" + b"9" * 65 + b"\n.", MalformedError, r"FLOAT: an argument of more than 64"),
        (b"Np" + b"9" * 65 + b"\n.", MalformedError, r"PUT: an argument of more than 64"),
        (b"I" + b"9" * 65, MalformedError, r"INT: an argument of more than 64 bytes"),
        (b"I" + b"9" * 64, TruncatedPickle, r"ends inside INT"),
        (b"Ix\n.", MalformedError, r"INT: invalid literal for int"),
        (b"Fx\n.", MalformedError, r"FLOAT: could not convert string to float"),
    ],
    "C10": [
        (
            b"\x8b" + (1 << 20).to_bytes(4, "little") + bytes(1 << 20) + b".",
            LimitError,
            r"LONG4: a number of 1048576 bytes, more than 1024 \(offset 0\)",
        ),
        (b"\x8b\x01\x04\0\0" + bytes(1025) + b".", LimitError, r"LONG4: a number of 1025 bytes"),
    ],
    "C12": [
        (b"]" * 400_000, LimitError, r"more than 262144 values on its stack"),
        (b"(" * 400_000, LimitError, r"more than 262144 values on its stack"),
        (b"(]" * 200_000, LimitError, r"more than 262144 values on its stack"),
        (b"]" + b"2" * 400_000, LimitError, r"more than 262144 values on its stack"),
    ],
    "C14": [
        (
            b"c_codecs\nencode\nq\x00X\xe8\x03\0\0"
            + b"a" * 1000
            + b"U\x06latin1\x86q\x01"
            + b"h\x00h\x01R" * 500,
            LimitError,
            r"REDUCE: a small pickle that unfolds to very many values",
        ),
        (
            b"ccollections\nOrderedDict\nq\x00](" + b"NN\x86" * 500 + b"e\x85q\x01"
            b"h\x00h\x01R" + b"h\x00h\x01R" * 500,
            LimitError,
            r"REDUCE: a small pickle that unfolds to very many values",
        ),
    ],
    "C17": [
        (frame(2) + b"X\x01\0\0\0a.", MalformedError, r"frame .* inside an opcode .*11\)"),
        (frame(1) + b"K\x01.", MalformedError, r"frame of the pickle ends inside an op"),
        (frame(9) + b"N" + frame(1) + b".", MalformedError, r"FRAME: a frame inside a"),
        (frame(10) + b"N" + frame(1) + b".", MalformedError, r"FRAME: a frame inside a"),
        (frame(2) + b".N", MalformedError, r"STOP: the end of the pickle before that of"),
        (frame(1) + b"N", TruncatedPickle, r"ends before its STOP \(offset 10\)"),
        (FRAME + b"\x01", TruncatedPickle, r"ends inside FRAME \(offset 0\)"),
    ],
    "C18": [
        (frame(1 << 62) + b"N.", TruncatedPickle, r"ends inside FRAME \(offset 0\)"),
        (frame(3) + b"N.", TruncatedPickle, r"ends inside FRAME \(offset 0\)"),
    ],
    "C20": [
        (b"cos\nsy stem\n.", MalformedError, r"GLOBAL: the name 'sy stem', .* \(offset 0"),
        (b"c\x1b]0;x\x07\na\n.", MalformedError, "GLOBAL: the name '\x1b\\]0;x\x07'"),
        ("co\u202es\na\n.".encode(), MalformedError, "the name 'o\u202es'"),
        (b"c\n\n.", MalformedError, r"GLOBAL: the name ''"),
        (b"Ncos\n\xff\n.", MalformedError, r"GLOBAL: text that is not UTF-8 \(offset 1\)"),
        (b"c" + b"a" * 1_000_000 + b"\na\n.", MalformedError, r"more than 1024 bytes"),
        (b"ca\n" + b"a" * 1025 + b"\n.", MalformedError, r"more than 1024 bytes"),
        (
            b"U\x01aX\x01\x04\0\0" + b"a" * 1025 + b"\x93.",
            MalformedError,
            r"STACK_GLOBAL: a name of 1025 characters, more than 1024 \(offset 1033\)",
        ),
        (b"U\x01aN\x93.", MalformedError, r"STACK_GLOBAL: a module or a name that is no"),
        (b"K\x01U\x01a\x93.", MalformedError, r"STACK_GLOBAL: a module or a name that is"),
    ],
    "C21": [
        (b"N)R.", MalformedError, r"REDUCE: a call of what is no function \(offset 2\)"),
        (b"U\x09os.system)R.", MalformedError, r"REDUCE: a call of what is no function"),
        (b"])\x81.", MalformedError, r"NEWOBJ: a call of what is no function"),
        (b"(No.", MalformedError, r"OBJ: a call of what is no function"),
        (SYSTEM + b"NR.", MalformedError, r"REDUCE: arguments that are no tuple"),
        (SYSTEM + b"]\x81.", MalformedError, r"NEWOBJ: arguments that are no tuple"),
        (b"\x82\x01.", MalformedError, r"EXT1: a code of the reader's extension regis"),
        (b"\x83\1\0.", MalformedError, r"EXT2: a code of the reader's extension regis"),
        (b"\x84\1\0\0\0.", MalformedError, r"EXT4: a code of the reader's extension"),
        (b"\x97.", MalformedError, r"NEXT_BUFFER: a buffer outside of the file"),
        (b"N\x98.", MalformedError, r"READONLY_BUFFER: a buffer outside of the file"),
    ],
    "C24": [
        (b"NQ.", MalformedError, r"BINPERSID: a persistent id where there can be none"),
        (b"P1\n.", MalformedError, r"PERSID: a persistent id where there can be none"),
    ],
}


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        pytest.param(*row, id=f"{name}-{number}")
        for name, rows in ROWS.items()
        for number, row in enumerate(rows)
    ],
)
def test_a_hostile_pickle_is_refused_with_the_opcode_and_its_offset(
    data: bytes, error: type[ParamctlError], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        read_pickle(data)
    assert type(raised.value) is error


def test_what_just_keeps_within_the_limits_is_read() -> None:
    assert read_pickle(b"I" + b"9" * 64 + b"\n.").value == 10**64 - 1
    assert read_pickle(b"\x8b\0\x04\0\0" + b"\xff" * 1024 + b".").value == -1
    assert str(read_pickle(b"c" + b"a" * 1024 + b"\nb\n.").value) == "a" * 1024 + ".b"
    assert read_pickle(b"(" * 131_072 + b"N" * 131_072 + b".").value is None


def test_c12_lists_nested_200_000_deep_are_read_and_freed_without_recursion() -> None:
    depth = 200_000
    value: Any = read_pickle(b"]" * depth + b"a" * (depth - 1) + b".").value
    for _ in range(depth - 1):
        (value,) = value
    assert value == []


@pytest.mark.parametrize("opcodes", [b"\x85", b")R", b")N\x92"])
def test_c12_other_deep_values_are_read_and_freed_without_recursion(opcodes: bytes) -> None:
    data = SYSTEM + opcodes * 200_000 + b"."
    assert read_pickle(data).end == len(data)


def test_c12_states_nested_deep_are_read_and_freed_without_recursion() -> None:
    depth = 100_000
    data = SYSTEM + b")Rq\x00" + (SYSTEM + b")R") * depth + b"b" * depth + b"."
    value: Any = read_pickle(data).value
    for _ in range(depth):
        value = value.state
    assert value.state is None


def test_a_deep_tuple_as_a_key_is_not_hashed() -> None:
    value = read_pickle(b"}N" + b"\x85" * 200_000 + b"Ns.").value
    assert isinstance(value, Dict)
    assert value.strings() == {}
    assert len(value.pairs) == 1


def test_c13_a_list_and_a_dictionary_that_hold_themselves_are_read() -> None:
    items: Any = read_pickle(b"]q\x00h\x00a.").value
    assert items[0] is items
    pairs: Any = read_pickle(b"}q\x00K\x01h\x00s.").value
    assert pairs.pairs == [(1, pairs)]


def test_c14_a_list_that_unfolds_to_very_many_values_is_read_without_unfolding() -> None:
    value: Any = read_pickle(b"]q\x00" + b"](h\x00h\x00eq\x00" * 100 + b".").value
    for _ in range(100):
        assert value[0] is value[1]
        value = value[0]
    assert value == []


def test_c16_opcodes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "ROUND", 2)
    monkeypatch.setattr(pickles, "MAX_OPCODES", 8)
    assert read_pickle(b"N(1(12.").end == 7
    with pytest.raises(LimitError, match=r"a pickle of 8 opcodes or more \(offset 8\)"):
        read_pickle(b"N(1(122.")


def test_c20_a_dotted_name_is_an_inert_string() -> None:
    value = read_pickle(b"\x8c\x02os\x8c\x0bpath.system\x93.").value
    assert isinstance(value, Global)
    assert (value.module, value.name) == ("os", "path.system")


def test_c22_build_with_slot_state_sets_nothing_on_a_class() -> None:
    data = SYSTEM + b"N}U\x04nameU\x04evils\x86b."
    value = read_pickle(data).value
    assert isinstance(value, Global)
    assert str(value) == "os.system"
    assert value.name == "system"
    assert not hasattr(Global, "evil")


def test_c24_and_c25_arguments_reach_the_caller_whatever_they_are() -> None:
    asked: list[object] = []
    read_pickle(b"NQ0K\x01\x85Q.", persistent=asked.append)
    assert asked == [None, (1,)]
    name = "torch._utils._rebuild_tensor_v2"
    data = b"ctorch._utils\n_rebuild_tensor_v2\n(" + b"N" * 50 + b"tR."
    assert read_pickle(data, builders={name: identity}).value == (None,) * 50
    assert isinstance(read_pickle(data).value, Object)


def test_c26_the_end_tells_of_bytes_behind_stop() -> None:
    data = b"N." + SYSTEM + b")R."
    read = read_pickle(data)
    assert (read.value, read.end) == (None, 2)
    assert read.globals == ()


# Nothing is run.

WATCHED = """
import sys
from paramctl.formats.pickles import read_pickle
seen = []
sys.addaudithook(lambda event, args: seen.append(event))
value = read_pickle(bytes.fromhex(sys.argv[1])).value
events = list(seen)
print(type(value).__name__, value.function, events)
"""


class Canary:
    """An object whose unpickling runs a shell command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


def test_nothing_is_run_imported_or_opened(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = pickle.dumps(Canary(canary))
    seen = subprocess.run(
        [sys.executable, "-c", WATCHED, data.hex()], capture_output=True, text=True, check=True
    )
    assert seen.stdout == "Object posix.system []\n"
    assert not canary.exists()
    pickle.loads(data)
    assert canary.exists()


# Fuzzing.

SEEDS = [
    pickle.dumps(value, protocol)
    for value in (
        [1, -1, 1 << 40, 1.5, "a", "é\n", b"a", None, True, {"a": (1, 2, 3), 2: []}, {1}],
        OrderedDict(a=frozenset("ab"), b=bytearray(b"ab")),
        [Thing(a=[Thing()]), Thing],
    )
    for protocol in PROTOCOLS
]
SEEDS += [torch_pickle(torch.nn.Linear(2, 3)), torch_pickle({"w": torch.zeros(2)})]

edits = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 9), st.binary(max_size=9)), max_size=6
)


def check_only_known_errors(data: bytes) -> None:
    with suppress(MalformedError, LimitError):
        read = read_pickle(data, persistent=identity)
        assert data[read.end - 1 : read.end] == b"."


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_our_errors(data: bytes) -> None:
    check_only_known_errors(data)


@given(st.lists(st.sampled_from(sorted(OPCODES)) | st.binary(max_size=3), max_size=60))
def test_random_opcodes_raise_nothing_but_our_errors(opcodes: list[bytes]) -> None:
    check_only_known_errors(b"".join(opcodes))


@given(st.sampled_from(SEEDS), edits)
def test_mutated_pickles_raise_nothing_but_our_errors(
    seed: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    data = bytearray(seed)
    for place, removed, added in changes:
        at = place % (len(data) + 1)
        data[at : at + removed] = added
    check_only_known_errors(bytes(data))
