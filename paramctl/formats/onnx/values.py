"""Where the values of a tensor are: in the model as they are or packed, or in a file beside it."""

from paramctl.checkpoint import MISSING, Entry, ReadOptions, Storage
from paramctl.dtypes import DType
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.indexes import MAX_SHARDS
from paramctl.formats.joined import Joined
from paramctl.formats.onnx.protos import (
    DOUBLES,
    FLOATS,
    INT32S,
    INT64S,
    RAW,
    UINT64S,
    Place,
    Proto,
)
from paramctl.formats.protobuf import BYTES, FIXED32, FIXED64, MAX_VARINT, Field
from paramctl.formats.varints import Varints
from paramctl.sources import Source

OWN_FIELDS = {
    "float32": FLOATS,
    "complex64": FLOATS,
    "float64": DOUBLES,
    "complex128": DOUBLES,
    "uint32": UINT64S,
    "uint64": UINT64S,
    "int64": INT64S,
    "float6_e2m3fn": RAW,
    "float6_e3m2fn": RAW,
}
"""Where values are that are not raw; those of all other types are `int32_data`."""
VARINTS = (INT32S, INT64S, UINT64S)
FIXED = {FLOATS: FIXED32, DOUBLES: FIXED64}


class Values:
    """The values of a model's tensors; `missing` are the files that are not there."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._files: dict[str, Source | None] = {}

    @property
    def missing(self) -> list[str]:
        """The names of the files that are not there."""
        return [name for name, file in self._files.items() if file is None]

    def entry(self, proto: Proto, dtype: DType) -> Entry:
        """Describe a tensor of numbers.

        Raises:
            MalformedError: it has more values than its shape, fewer, or twice.
        """
        entry = Entry(proto.name, dtype, proto.shape, None)
        if isinstance(proto.data, Place):
            storage = self._outside(entry, proto.data)
            return entry._replace(storage=storage, layout="strided" if storage else MISSING)
        return entry._replace(storage=self._inside(entry, proto.data))

    def _inside(self, entry: Entry, fields: list[Field]) -> Storage:
        kinds = {field.number for field in fields}
        if len(kinds) > 1 or (len(fields) > 1 and RAW in kinds):
            raise MalformedError(f"'{entry.name}' has its values twice")
        own = OWN_FIELDS.get(entry.dtype.name, INT32S)
        if not kinds <= {RAW, own}:
            raise MalformedError(
                f"'{entry.name}' of {entry.dtype.name} has its values in field {kinds.pop()}"
            )
        if any(field.wire not in (BYTES, FIXED.get(field.number)) for field in fields):
            raise MalformedError(f"the values of '{entry.name}' are not packed")
        pieces = [Storage(self._source, field.offset, field.nbytes) for field in fields]
        joined = Joined(self._source.name, pieces)
        if own in VARINTS and RAW not in kinds:
            return _unpacked(entry, joined)
        return _exactly(entry, pieces[0] if len(pieces) == 1 else Storage.whole(joined))

    def _outside(self, entry: Entry, place: Place) -> Storage | None:
        file = self._open(place.file)
        if file is None:
            return None
        nbytes = entry.nbytes if place.length is None else place.length
        if place.offset + nbytes > file.size:
            raise MalformedError(
                f"'{entry.name}' is bytes {place.offset} to {place.offset + nbytes} of "
                f"'{place.file}', which has {file.size}"
            )
        return _exactly(entry, Storage(file, place.offset, nbytes))

    def _open(self, name: str) -> Source | None:
        if name not in self._files:
            if len(self._files) >= MAX_SHARDS:
                raise LimitError(f"the model names more than {MAX_SHARDS} files")
            self._files[name] = self._source.beside(name, follow=self._options.follow)
        return self._files[name]


def _exactly(entry: Entry, storage: Storage) -> Storage:
    if storage.nbytes != entry.nbytes:
        raise MalformedError(
            f"'{entry.name}' of {entry.summary} takes {entry.nbytes} bytes, not {storage.nbytes}"
        )
    return storage


def _unpacked(entry: Entry, packed: Source) -> Storage:
    """Return the storage of packed numbers; where elements share bytes, one is a byte of them."""
    dtype = entry.dtype
    width = max(1, dtype.bits // 8)
    count = entry.nbytes // width
    if not count <= packed.size <= count * MAX_VARINT:
        raise MalformedError(
            f"'{entry.name}' of {entry.summary} is no {count} numbers in {packed.size} bytes"
        )
    is_signed = dtype.numpy[1:2] == "i"
    numbers = Varints(packed, count, f"<{'i' if is_signed else 'u'}{width}")
    return Storage.whole(numbers)
