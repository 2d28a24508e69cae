"""What `torch.save` wrote at a place of a file: a chunk of a tensor, or what is no tensor."""

from paramctl.checkpoint import Storage
from paramctl.errors import MalformedError
from paramctl.formats.dcp.records import Place
from paramctl.formats.joined import Joined
from paramctl.formats.pickles import Pickle
from paramctl.formats.torch.archive import Archive
from paramctl.formats.torch.file import read_whole_pickle
from paramctl.sources import Source


def read_saved(name: str, place: Place, file: Source) -> Pickle:
    """Read the pickle of the archive at a place; `name` is what was saved.

    Raises:
        UsageError: its bytes were compressed or the like.
        MalformedError: it is no archive of torch's.
    """
    place.check_plain(name)
    archive = Archive(Joined(file.name, [Storage(file, place.offset, place.length)]))
    if "data.pkl" not in archive.members:
        raise MalformedError(f"'{name}' is an archive without data.pkl, not torch's")
    return read_whole_pickle(archive.pickle("data.pkl"), archive.typed_storage)
