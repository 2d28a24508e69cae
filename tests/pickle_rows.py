"""Section C of the hostile inputs: pickles in torch's archives."""

import struct

from hostile import Row
from pickle_bytes import (
    FALSE,
    NONE,
    called,
    dictionary,
    list_of,
    numbers,
    pickled,
    state,
    storage,
    tensor,
    text,
    tuple_of,
)
from tensor_rows import CANARY, SHELL_CANARY, one

REBUILD = ("torch._utils", "_rebuild_tensor_v2")
FROM_TYPE = ("torch._tensor", "_rebuild_from_type_v2")
WRAPPER = b"ctorch._utils\n_rebuild_wrapper_subclass\n"
COUNTER = b"ccollections\nCounter\n)R"
MINE = b"cmine\nTensor\n"

DEEP = b"]" * 3000 + b"a" * 2999
DOUBLED = b"]" + b"2\x86" * 81
CYCLE = b"]q\xffh\xffa"
"""A value that is nested deep, one of 2^81 values, and one that holds itself."""


def alone(value: bytes) -> bytes:
    """Make the archive of a pickle of one value."""
    return one(pickled(value))


def beside(value: bytes) -> bytes:
    """Make the archive of a dictionary of a value, `x`, and a sound tensor, `ok`."""
    return alone(dictionary(x=value, ok=tensor()))


def frame(size: int, opcodes: bytes) -> bytes:
    """Make the archive of a pickle in one frame of this size."""
    return one(b"\x80\x04\x95" + struct.pack("<Q", size) + opcodes)


def global_of(module: bytes, name: bytes) -> bytes:
    """Make the archive of a state dict with a global of these names in it."""
    return one(state(g=b"c" + module + b"\n" + name + b"\n"))


def stored(place: int, value: bytes) -> bytes:
    """Store a value in the memo, and push nothing."""
    return value + b"q" + bytes([place]) + b"0"


def repeated(value: bytes, *steps: bytes) -> bytes:
    """Push a value, then each value that a step pushes instead; the last one is in place 0."""
    return value + b"q\0" + b"".join(b"0" + step + b"q\0" for step in steps)


def wrapper(attributes: bytes) -> bytes:
    """Push a tensor of a class of its own that is made of its attributes."""
    one_size = numbers(1)
    arguments = (MINE, b"ctorch\nfloat32\n", one_size, one_size, NONE, NONE, NONE, FALSE)
    return called(*FROM_TYPE, WRAPPER, MINE, tuple_of(*arguments), attributes)


def nested_builders(times: int) -> bytes:
    """Push a tensor whose builder is to be given to a builder, that to another, and so on."""
    inner = f"(c{FROM_TYPE[0]}\n{FROM_TYPE[1]}\n".encode() + MINE
    return inner[1 : -len(MINE)] + inner * times + numbers() + b"}t" * times + b"R"


DOUBLING = dictionary(a=b"h\0", b=b"h\0")

REFUSED = [
    Row("C01", one(b""), 3, "the pickle ends before its STOP (offset 0)"),
    Row("C01-proto", one(b"\x80\x02"), 3, "the pickle ends before its STOP (offset 2)"),
    Row("C01-no-stop", one(state()[:-1]), 3, "the pickle ends before its STOP"),
    Row("C01-cut", one(state()[:40]), 3, "the pickle ends inside"),
    Row("C02", one(b"\x80\x7f}."), 3, "PROTO: protocol 127"),
    Row("C03", alone(b"\xff"), 3, "0xff: no opcode of any protocol (offset 2)"),
    *(
        Row(f"C04-{name}", alone(code), 3, f"{name}: too few values on the stack")
        for name, code in (
            ("POP_MARK", b"1"),
            ("APPEND", b"a"),
            ("SETITEM", b"s"),
            ("BUILD", b"b"),
            ("REDUCE", b"R"),
            ("STOP", b""),
        )
    ),
    Row("C04-target", alone(b"NNa"), 3, "APPEND: elements for what is no list: NoneType"),
    Row("C05", alone(b"h\5"), 3, "BINGET: nothing is stored in place 5 of the memo"),
    Row("C06", alone(b"}r\xff\xff\xff\x0f"), 5, "LONG_BINPUT: place 268435455 of the memo"),
    Row("C07", alone(b"\x82\1"), 3, "EXT1: a code of the reader's extension registry"),
    Row("C07-buffer", alone(b"\x97"), 3, "NEXT_BUFFER: a buffer outside of the file"),
    Row("C08", alone(b"X\xfe\xff\xff\xff"), 3, "ends inside BINUNICODE"),
    Row("C08-bytes", alone(b"\x8e" + bytes(7) + b"\x40"), 3, "ends inside BINBYTES8"),
    Row("C08-long", alone(b"\x8b\xff\xff\xff\x7f"), 3, "ends inside LONG4"),
    Row("C08-negative", alone(b"\x8b\xff\xff\xff\xff"), 3, "LONG4: a length of -1"),
    Row("C08-surrogate", alone(b"X\3\0\0\0\xed\xa0\x80"), 3, "text that is not UTF-8"),
    Row("C09", alone(b"I" + b"9" * 5_000_000), 3, "INT: an argument of more than 64 bytes"),
    Row("C10", alone(b"\x8b\0\0\x10\0" + bytes(1 << 20)), 5, "LONG4: a number of 1048576 bytes"),
    Row("C12", beside(b"]" * 200_000 + b"a" * 199_999), 5, "nested more than 256 deep"),
    Row("C12-model", alone(b"}X\1\0\0\0k" * 300 + tensor() + b"s" * 300), 5, "more than 256 deep"),
    Row("C12-stack", alone(b"]" * 400_000), 5, "more than 262144 values on its stack"),
    Row("C12-tuples", beside(b")" + b"\x85" * 200_000), 5, "nested more than 256 deep"),
    Row("C12-states", beside(COUNTER * 30_000 + b"b" * 29_999), 5, "nested more than 256 deep"),
    Row("C14", alone(DOUBLED), 5, "a small file that unfolds"),
    Row("C14-metadata", beside(DOUBLED), 5, "a small file that unfolds"),
    Row(
        "C14-memo",
        beside(repeated(b"]", *[list_of(b"h\0", b"h\0")] * 80)),
        5,
        "a small file that unfolds",
    ),
    Row("C14-dicts", alone(repeated(tensor(), *[DOUBLING] * 60)), 5, "a small file that unfolds"),
    Row(
        "C14-text",
        beside(stored(0, text("x" * 500_000)) + list_of(b"h\0" * 100_000)),
        5,
        "very much text",
    ),
    Row(
        "C14-names",
        alone(stored(0, text("x" * 9000)) + stored(1, tensor()) + list_of(b"}h\0h\1s" * 20_000)),
        5,
        "very much text",
    ),
    Row(
        "C15",
        beside(stored(0, numbers(*range(1000))) + list_of(b"h\0" * 300_000)),
        5,
        "very many values",
    ),
    Row("C17", frame(2, b"X\1\0\0\0a."), 3, "a frame of the pickle ends inside an opcode"),
    Row(
        "C17-nested", frame(9, b"N\x95" + struct.pack("<Q", 1) + b"."), 3, "a frame inside a frame"
    ),
    Row("C18", frame(1 << 62, b"}."), 3, "ends inside FRAME"),
    Row("C20", global_of(b"o s", b"system"), 3, "the name 'o s', which no class"),
    Row("C20-line", one(b"\x80\x02cos"), 3, "ends inside GLOBAL"),
    Row("C20-utf8", global_of(b"o\xff", b"s"), 3, "GLOBAL: text that is not UTF-8"),
    Row("C20-long", global_of(b"o" * 1_000_000, b"s"), 3, "an argument of more than 1024 bytes"),
    Row("C20-escape", global_of(b"\x1b[2J", b"s"), 3, "the name '\\x1b[2J'"),
    Row("C24", alone(NONE + b"Q"), 3, "a persistent id is not ('storage', class, key"),
    Row("C24-four", alone(tuple_of(*map(text, "abcd")) + b"Q"), 3, "a persistent id is not"),
    Row(
        "C24-other",
        alone(tuple_of(text("module"), *map(text, "abcd")) + b"Q"),
        3,
        "is not ('storage'",
    ),
    Row("C24-text", alone(b"Pstorage\n"), 3, "a persistent id is not"),
    Row("C24-class", alone(storage(storage_class=text("FloatStorage"))), 3, "is no class"),
    Row(
        "C24-list",
        alone(storage(storage_class=b"cbuiltins\nlist\n")),
        3,
        "'builtins.list' is no storage class",
    ),
    Row("C24-deep", alone(storage(key=DEEP)), 3, "storage <list> of 4 elements"),
    Row("C25", one(state(w=called(*REBUILD, NONE, NONE))), 3, "_rebuild_tensor_v2 has 2 arguments"),
    Row("C25-fifty", one(state(w=called(*REBUILD, NONE * 50))), 3, "has 50 arguments"),
    Row("C25-kinds", one(state(w=called(*REBUILD, NONE * 6))), 3, "of the wrong kind"),
    Row("C25-type", one(state(w=called(*FROM_TYPE, DOUBLED, NONE * 3))), 3, "built by <tuple>"),
    Row(
        "C25-parts",
        alone(repeated(tensor(), *[wrapper(DOUBLING)] * 40)),
        5,
        "a tensor made of 128 values",
    ),
    Row("C25-nested", one(state(w=nested_builders(5000))), 3, "which is none of torch's"),
    Row("C25-attributes", one(state(w=wrapper(b"}(" + b"NN" * 65 + b"u"))), 5, "made of 65 values"),
    Row("C26", one(state() + b"N."), 3, "2 bytes after the end of the pickle"),
    Row("C26-pickle", one(state() + pickled(SHELL_CANARY)), 3, "bytes after the end of the pickle"),
    Row(
        "C28",
        one(state(**{"a.b": tensor(), "a": dictionary(b=tensor())})),
        3,
        "two tensors have the name 'a.b'",
    ),
    Row(
        "C28-number",
        alone(b"}(K\1" + tensor() + text("1") + tensor() + b"u"),
        3,
        "two tensors have the name '1'",
    ),
    Row(
        "C28-twice",
        alone(dictionary(ok=tensor())[:-1] + text("ok") + tensor() + b"u"),
        3,
        "name 'ok'",
    ),
]

LISTED = [
    Row("C13", beside(CYCLE), 0, "ok\t[4]"),
    Row("C13-dict", alone(b"}q\0(U\4selfh\0U\2ok" + tensor() + b"u"), 0, "ok\t[4]"),
    Row("C13-model", alone(b"}q\0(U\5modelh\0U\2ok" + tensor() + b"u"), 0, "ok\t[4]"),
    Row("C13-list", alone(b"]q\0(h\0" + tensor() + b"e"), 0, "1\t[4]"),
    Row("C16", one(b"\x80\x02" + b"(1" * 500_000 + state()[2:]), 0, "ok\t[4]"),
    Row("C16-lists", one(b"\x80\x02" + b"]0" * 500_000 + state()[2:]), 0, "ok\t[4]"),
    Row("C16-memo", one(b"\x80\x04" + b"]\x940" * 330_000 + state()[2:]), 0, "ok\t[4]"),
    Row(
        "C19-key",
        alone(b"}(" + b")" + b"\x85" * 200_000 + b"NU\2ok" + tensor() + b"u"),
        0,
        "ok\t[4]",
    ),
    Row(
        "C19-keys",
        alone(
            b"}("
            + b"".join(
                b"\x8a\x0b" + (n * (2**61 - 1)).to_bytes(11, "little") + b"N" for n in range(20_000)
            )
            + b"U\2ok"
            + tensor()
            + b"u"
        ),
        0,
        "ok\t[4]",
    ),
    Row("C27", alone(b"}(U\3a\x1b\n" + tensor() + b"U\0" + tensor() + b"u"), 0, "a\\x1b\\n\t[4]"),
]

NAMING_CODE = [
    Row("C20-dotted", one(state(g=b"\x8c\2os\x8c\x0bpath.system\x93")), 4, "run: os.path.system"),
    Row(
        "C21-inst", one(state(c=b"(" + text("echo CANARY") + b"ios\nsystem\n")), 4, "run: os.system"
    ),
    Row(
        "C21-obj", one(state(c=b"(cos\nsystem\n" + text("echo CANARY") + b"o")), 4, "run: os.system"
    ),
    Row(
        "C21-newobj",
        one(state(c=b"cos\nsystem\n" + tuple_of(text("echo CANARY")) + b"\x81")),
        4,
        "os.system",
    ),
    Row("C21-keywords", one(state(c=b"cos\nsystem\n)}\x92")), 4, "run: os.system"),
    Row("C21-opaque", one(state(c=CANARY + b")R")), 4, "run: builtins.print"),
    Row("C21-popped", one(b"\x80\x02" + SHELL_CANARY + b"0" + state()[2:]), 4, "run: os.system"),
    Row("C22", one(state(c=b"cos\nsystem\nN}U\4nameU\4evils\x86b")), 4, "run: os.system"),
    Row(
        "C23",
        one(state(c=b"cbuiltins\ngetattr\n" + tuple_of(b"cos\npath\n", text("join")) + b"R")),
        4,
        "builtins.getattr, os.path",
    ),
]
