"""The second half of section C: torch's legacy files, tar archives, plain pickles."""

import io
import pickle
import struct
import tarfile

import torch
from hostile import Row
from pickle_bytes import (
    LONGS,
    NONE,
    dictionary,
    list_of,
    number,
    numbers,
    pickled,
    storage,
    tensor,
    text,
    tuple_of,
)
from pickle_rows import CYCLE, DEEP, DOUBLED
from tensor_rows import CANARY
from zip_bytes import replace, save

MODEL = save({"w": torch.arange(4.0)}, _use_new_zipfile_serialization=False)
MAGIC = MODEL[:15]
PROTOCOL = pickled(b"M\xe9\x03")
SYSTEM = pickled(dictionary(protocol_version=b"M\xe9\x03", little_endian=b"\x88"))
FOUR = struct.pack("<q", 4) + bytes(16)
SOUND = tensor(storage(view=NONE))
KEYS = list_of(text("0"))
SCRIPT = b"#!/bin/sh\necho CANARY\n"


def legacy(
    objects: bytes = b"",
    keys: bytes = KEYS,
    data: bytes = FOUR,
    protocol: bytes = PROTOCOL,
    system: bytes = SYSTEM,
) -> bytes:
    """Make a legacy file; of one sound tensor where nothing else is said."""
    pickles = (protocol, system, pickled(objects or dictionary(ok=SOUND)), pickled(keys))
    return MAGIC + b"".join(pickles) + data


def with_view(*view: bytes) -> bytes:
    """Make a legacy file whose storage is a view of another."""
    values = storage(numel=number(4), view=tuple_of(*view))
    return legacy(dictionary(w=tensor(values, size=numbers(2))))


def make_tar(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Make a tar archive of torch's oldest kind, and more members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            info = tarfile.TarInfo(name)
            info.size = len(SCRIPT)
            archive.addfile(info, io.BytesIO(SCRIPT))
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def kind_of(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return a member that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


TWO = dictionary(v=tensor(storage(text("1"), view=NONE)), w=SOUND)

REFUSED = [
    Row(
        "C29",
        replace(MODEL, MAGIC, b"\x80\x02\x8a\x0a" + bytes(10) + b"."),
        3,
        "not a torch checkpoint",
    ),
    Row("C29-alone", MAGIC, 3, "the pickle ends before its STOP (offset 15)"),
    Row(
        "C30", replace(MODEL, PROTOCOL, pickled(b"M\xe8\x03")), 3, "protocol 1000 of torch's legacy"
    ),
    Row("C30-list", legacy(protocol=pickled(DEEP)), 3, "protocol <list> of torch's legacy"),
    Row("C30-cycle", legacy(protocol=pickled(CYCLE)), 3, "protocol <list> of torch's legacy"),
    *(
        Row(f"C31-{part}", MODEL[: part * len(MODEL) // 8], 3, "the pickle ends")
        for part in range(1, 6)
    ),
    Row("C31-data", MODEL[:-1], 3, "the file has"),
    Row(
        "C31-objects",
        replace(MODEL, b"q\x00(X", b"q\x00X("),
        3,
        "the pickle ends inside BINUNICODE",
    ),
    Row("C32", legacy(keys=list_of(text("1"))), 3, "list of storages is not that of the objects"),
    Row("C32-twice", legacy(keys=list_of(text("0"), text("0"))), 3, "list of storages is not"),
    Row("C32-none", legacy(keys=list_of()), 3, "list of storages is not that of the objects"),
    Row("C32-more", legacy(keys=list_of(text("0"), text("1"))), 3, "list of storages is not"),
    Row("C32-fewer", legacy(TWO), 3, "list of storages is not that of the objects"),
    Row("C32-kind", legacy(keys=list_of(number(0))), 3, "list of storages is not that of the"),
    Row("C32-tuple", legacy(keys=tuple_of(text("0"))), 3, "list of storages is not that of the"),
    Row("C32-deep", legacy(keys=list_of(DEEP)), 3, "list of storages is not that of the objects"),
    Row("C32-doubled", legacy(keys=list_of(DOUBLED)), 3, "list of storages is not that of the"),
    Row(
        "C32-sizes",
        legacy(dictionary(w=SOUND, v=tensor(storage(numel=number(5), view=NONE)))),
        3,
        "two sizes or two types",
    ),
    Row(
        "C32-types",
        legacy(dictionary(w=SOUND, v=tensor(storage(storage_class=LONGS, view=NONE)))),
        3,
        "two sizes or two types",
    ),
    Row(
        "C33",
        legacy(data=struct.pack("<q", -4) + bytes(16)),
        3,
        "has -4 elements, the objects say 4",
    ),
    Row(
        "C33-other", legacy(data=struct.pack("<q", 5) + bytes(20)), 3, "has 5 elements, the objects"
    ),
    Row("C33-big", legacy(data=struct.pack("<q", 2**62)), 3, "has 4611686018427387904 elements"),
    Row("C33-end", legacy(data=FOUR[:-1]), 3, "truncated: the storages need"),
    Row("C33-none", legacy(data=b""), 3, "truncated"),
    Row(
        "C33-claimed",
        legacy(
            dictionary(w=tensor(storage(numel=number(2**61), view=NONE))),
            data=struct.pack("<q", 2**61),
        ),
        3,
        "truncated: the storages need",
    ),
    Row("C34", with_view(text("v"), number(3), number(2)), 3, "view 'v' reaches past the end"),
    Row("C34-negative", with_view(text("v"), number(-1), number(2)), 3, "not two whole numbers"),
    Row("C34-big", with_view(text("v"), number(2**63), number(2**63)), 3, "reaches past the end"),
    Row("C34-short", with_view(text("v"), number(0), number(1)), 3, "reaches past its storage"),
    Row("C34-two", with_view(text("v"), number(0)), 3, "is not (key, offset, numel)"),
    Row("C34-deep", with_view(DEEP, number(0), number(2)), 3, "view <list> of storage '0'"),
    Row("C35", MODEL + b"\0", 3, "the file has"),
    Row("C35-pickle", legacy(data=FOUR + pickled(CANARY)), 3, "the file has"),
    Row("C36", make_tar(tarfile.TarInfo("../x")), 3, "a tar archive"),
    Row(
        "C36-link",
        make_tar(kind_of("storages", tarfile.SYMTYPE, "/etc/passwd")),
        3,
        "a tar archive",
    ),
    Row(
        "C36-sparse",
        make_tar(kind_of("x", tarfile.GNUTYPE_SPARSE), form=tarfile.GNU_FORMAT),
        3,
        "a tar archive",
    ),
    Row(
        "C36-folder",  # whose zeros behind the name are no length of a safetensors header
        b"./".ljust(257, b"\0") + b"ustar".ljust(255, b"\0"),
        3,
        "a tar archive (torch before 0.1.10, or a package: unpack that first)",
    ),
    Row("C36-many", make_tar(*[tarfile.TarInfo(str(n)) for n in range(1900)]), 3, "a tar archive"),
    Row(
        "C37",
        pickle.dumps({"a": [1, 2, {"b": None}]}, 2),
        3,
        "a pickle, but not a torch checkpoint",
    ),
    Row("C37-5", pickle.dumps({"a": [1, 2]}, 5), 3, "a pickle, but not a torch checkpoint"),
    Row("C37-0", pickle.dumps({"a": [1, 2]}, 0), 3, "in no format that paramctl reads"),
    Row("C37-canary", pickled(CANARY), 3, "a pickle, but not a torch checkpoint"),
    Row("C37-torch", save([1, 2, {"a": 3}]), 3, "a pickle without tensors"),
    Row("C37-legacy", save("text", _use_new_zipfile_serialization=False), 3, "without tensors"),
]

LISTED = [
    Row("C29-sound", legacy(), 0, "ok\t[4]\tfloat32\t4\t16"),
    Row(
        "C29-big",
        legacy(
            system=pickled(dictionary(little_endian=b"\x89")), data=struct.pack(">q", 4) + bytes(16)
        ),
        0,
        "ok\t[4]",
    ),
    Row("C29-system", legacy(system=pickled(DOUBLED)), 0, "ok\t[4]"),
    Row("C32-order", legacy(TWO, list_of(text("1"), text("0")), FOUR + FOUR), 0, "v\t[4]\tfloat32"),
    Row("C34-view", with_view(text("v"), number(2), number(2)), 0, "w\t[2]\tfloat32\t2\t8"),
]

SOURCE_NOTE = tuple_of(text("module"), b"cmine\nNet\n", text("x.py"), text("echo CANARY")) + b"Q"

NAMING_CODE = [
    Row("C34-module", legacy(dictionary(ok=SOURCE_NOTE + b"0" + SOUND)), 4, "run: mine.Net"),
    Row("C38", legacy(dictionary(c=CANARY, ok=SOUND)), 4, "run: builtins.print"),
    Row("C38-keys", legacy(keys=CANARY + b"0" + KEYS), 4, "run: builtins.print"),
    Row("C38-system", legacy(system=pickled(CANARY)), 4, "run: builtins.print"),
]
