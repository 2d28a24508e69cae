"""The second half of section B: sound archives with odd tensors, odd storages and odd code."""

import warnings

from hostile import Row
from nets import STATES
from pickle_bytes import (
    LONGS,
    NONE,
    called,
    dictionary,
    number,
    numbers,
    pickled,
    state,
    storage,
    tensor,
    text,
    tuple_of,
)
from zip_bytes import save, torch_zip

FOUR = bytes(16)
BIG = 2**63
SHAPE = "shape is not a tuple of at most 64 whole numbers"
STRIDES = "strides is not a tuple of at most 64 whole numbers"


def one(pickle: bytes, **other: bytes) -> bytes:
    """Make the archive of a pickle whose tensors lie in one storage of four floats."""
    return torch_zip(pickle, {"0": FOUR}, other)


def odd(**parts: bytes) -> bytes:
    """Make the archive of a state dict with an odd tensor."""
    return one(state(w=tensor(**parts)))


def kind(name: str) -> bytes:
    """Return what torch writes of a kind of tensor, whatever it thinks of that kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return save(STATES[name]())


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """Make the archive of a state dict with a call in it."""
    return one(state(c=called(module, name, *arguments)))


CANARY = called("builtins", "print", text("THE CANARY SANG"))
SHELL_CANARY = called("os", "system", text("echo THE CANARY SANG >&2"))

REFUSED = [
    Row("B25", torch_zip(state(), {"0": bytes(15)}), 3, "does not fit its record of 15 bytes"),
    Row("B25-empty", torch_zip(state(), {"0": b""}), 3, "does not fit its record of 0 bytes"),
    Row("B26", torch_zip(state(), {"0": bytes(17)}), 3, "does not fit its record of 17 bytes"),
    Row("B27", torch_zip(state(), {}), 3, "has no record 'data/0'"),
    *(
        Row(f"B28-{name}", odd(values=storage(key)), 3, message)
        for name, key, message in (
            ("up", text("../data/0"), "no record 'data/../data/0'"),
            ("absolute", text("/etc/passwd"), "no record 'data//etc/passwd'"),
            ("nul", text("0\0"), "no record 'data/0\\x00'"),
            ("empty", text(""), "no record 'data/'"),
            ("number", number(0), "not a name and a count"),
            ("none", NONE, "not a name and a count"),
            ("tuple", numbers(0), "not a name and a count"),
        )
    ),
    Row("B29", odd(values=storage(numel=number(-1))), 3, "not a name and a count"),
    Row("B29-big", odd(values=storage(numel=number(BIG))), 3, "does not fit its record"),
    Row("B29-text", odd(values=storage(numel=text("4"))), 3, "not a name and a count"),
    Row("B29-bool", odd(values=storage(numel=b"\x88")), 3, "not a name and a count"),
    Row("B30", odd(offset=number(-1)), 3, "its offset is of the wrong kind"),
    Row("B30-past", odd(offset=number(1)), 3, "reaches past its storage"),
    Row("B30-big", odd(offset=number(BIG)), 3, "reaches past its storage"),
    Row("B31", odd(size=numbers(-4)), 3, SHAPE),
    Row("B31-stride", odd(stride=numbers(-1)), 3, STRIDES),
    Row("B31-bool", odd(size=tuple_of(b"\x88")), 3, SHAPE),
    Row("B31-float", odd(size=tuple_of(b"F4.0\n")), 3, SHAPE),
    Row("B31-list", odd(size=b"](K\x04e"), 3, SHAPE),
    Row("B32", odd(size=numbers(2, 2)), 3, "2 sizes and 1 strides"),
    Row("B34", odd(size=numbers(2**32, 2**31), stride=numbers(0, 0)), 3, "more than 2^63 - 1"),
    Row("B34-wraps", odd(size=numbers(2**32, 2**32, 4), stride=numbers(0, 0, 1)), 3, "2^63 - 1"),
    Row("B34-zero", odd(size=numbers(0, 2**64), stride=numbers(1, 1)), 3, SHAPE),
    Row("B35", odd(size=tuple_of(number(2**62) * 60_000), stride=tuple_of(NONE)), 3, SHAPE),
    Row("B42", one(state(), byteorder=b"middle"), 3, "byteorder is 'middle'"),
    Row("B42-escape", one(state(), byteorder=b"\x1b[2J"), 3, "byteorder is '\\x1b[2J'"),
    Row("B42-long", one(state(), byteorder=bytes(17 << 20)), 5, "of 17825792 bytes, over"),
    Row("B43", one(state(), **{"constants.pkl": b"."}), 3, "not a TorchScript module"),
]

LISTED = [
    Row("B27-unused", torch_zip(state(), {"0": FOUR, "1": FOUR}), 0, "ok\t[4]"),
    Row("B28-odd", torch_zip(state(), {"0": FOUR, "../\x1b": FOUR}), 0, "ok\t[4]"),
    Row(
        "B33",
        odd(size=numbers(2**40, 2**20), stride=numbers(0, 0)),
        0,
        f"w\t[{2**40}, {2**20}]\tfloat32\t{2**60}\t{2**62}\t-\t-\t-\t"
        "overlaps ok, expanded from 4 bytes",
    ),
    Row("B36", one(state(w=tensor())), 0, "w\t[4]\tfloat32\t4\t16\t-\t-\tok\t"),
    Row("B36-view", odd(offset=number(1), size=numbers(2)), 0, "8\t-\t-\t-\toverlaps ok"),
    Row(
        "B36-dtype",
        odd(values=storage(storage_class=LONGS, numel=number(2)), size=numbers(2)),
        0,
        "w\t[2]\tint64\t2\t16\t-\t-\t-\toverlaps ok",
    ),
    Row("B41-coo", kind("sparse coo"), 0, "s\t[3, 3]\tfloat32\t9\t60\t-\t-\t-\tsparse_coo"),
    Row("B41-csr", kind("sparse csr"), 0, "s\t[3, 3]\tfloat32\t9\t68\t-\t-\t-\tsparse_csr"),
    Row("B41-quantized", kind("qint8"), 0, "q\t[2, 3]\tqint8\t6\t6\t-\t-\t-\tquantized"),
    Row("B41-nested", kind("nested tensor"), 0, "n\t[5]\tfloat32\t5\t68\t-\t-\t-\tnested"),
    Row("B41-meta", kind("meta tensor"), 0, "m\t[3, 4]\tfloat32\t12\t0\t-\t-\t-\tmeta"),
    Row("B42-big", one(state(), byteorder=b"big"), 0, "ok\t[4]"),
]

NAMING_CODE = [
    Row("B37", call("mmengine.logging.history_buffer", "HistoryBuffer"), 4, "HistoryBuffer"),
    Row("B38", one(state(c=CANARY)), 4, "run: builtins.print"),
    Row("B38-system", one(state(c=SHELL_CANARY)), 4, "run: os.system"),
    Row("B38-key", one(pickled(dictionary(ok=tensor())[:-1] + CANARY + NONE + b"u")), 4, "print"),
    Row("B40", call("_codecs", "encode", text("x"), text("rot13")), 4, "run: _codecs.encode"),
    Row("B40-counter", call("collections", "Counter", text("x" * 500_000)), 4, "Counter"),
    Row("B40-bytearray", call("builtins", "bytearray", number(3 << 30)), 4, "builtins.bytearray"),
    Row("B40-range", call("builtins", "range", number(BIG)), 4, "run: builtins.range"),
]
"""What is listed with a note that names the code, and refused with `--fail-on-globals`."""
