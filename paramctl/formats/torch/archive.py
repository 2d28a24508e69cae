"""The records of one of torch's zip archives, and the storages among them."""

from paramctl.checkpoint import Storage
from paramctl.errors import MalformedError
from paramctl.formats.torch.storages import TypedStorage, count_bytes, read_storage_id
from paramctl.formats.zip_members import open_member, read_member
from paramctl.formats.zips import read_directory
from paramctl.sources import Source

MAX_PICKLE = 256 << 20  # the pickle of a 100,000-tensor state dict takes 10 MB
MIN_PICKLE = 1 << 20  # a pickle of this size is read whatever the archive's
MAX_TEXT = 16 << 20  # of all records that are read as text: byteorder, TorchScript's source files


class Archive:
    """The records of a torch archive, by their names below its root."""

    def __init__(self, source: Source) -> None:
        self.source = source
        members = read_directory(source)
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) > 1:
            raise MalformedError(f"ambiguous: {pickles[0]} and {pickles[1]} in one archive")
        root = next(iter(pickles or members), "").partition("/")[0] + "/"
        self.members = {
            name[len(root) :]: member for name, member in members.items() if name.startswith(root)
        }
        self._storages: dict[str, Storage] = {}
        self._text_left = MAX_TEXT
        order = self.text("byteorder", "little")
        if order not in ("little", "big"):
            raise MalformedError(f"byteorder is '{order}', neither little nor big")
        self.big_endian = order == "big"

    def text(self, name: str, default: str = "") -> str:
        """Return a small record as text, `default` where there is none.

        Raises:
            LimitError: all texts together are too long.
        """
        if name not in self.members:
            return default
        record = read_member(self.source, self.members[name], self._text_left)
        self._text_left -= len(record)
        return record.decode("utf-8", "backslashreplace").strip()

    def pickle(self, name: str) -> bytes:
        """Return a whole pickle.

        Raises:
            LimitError: it inflates to more than the whole archive, whose size bounds our memory.
        """
        limit = min(MAX_PICKLE, max(MIN_PICKLE, self.source.size))
        return read_member(self.source, self.members[name], limit)

    def storage(self, record: str) -> Storage:
        """Return where a record's bytes lie; the same storage whenever it is asked for.

        Raises:
            MalformedError: there is no such record.
        """
        storage = self._storages.get(record)
        if storage is None:
            member = self.members.get(record)
            if member is None:
                raise MalformedError(f"the archive has no record '{record}'")
            bytes_ = open_member(self.source, member)
            storage = Storage(bytes_, 0, member.size, record, self.big_endian)
            self._storages[record] = storage
        return storage

    def typed_storage(self, pid: object) -> TypedStorage:
        """Return the storage that a persistent id names.

        Raises:
            MalformedError: there is no such record, or it has another size.
        """
        dtype, key, numel, _ = read_storage_id(pid)
        storage = self.storage(f"data/{key}")
        if count_bytes(numel, dtype) != storage.nbytes:
            raise MalformedError(
                f"storage '{key}' of {numel} {dtype.name} does not fit its record of "
                f"{storage.nbytes} bytes"
            )
        return TypedStorage(storage, dtype)
