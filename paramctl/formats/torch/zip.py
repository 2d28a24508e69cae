"""Torch's zip archives: `torch.save` since 1.6, TorchScript, torch.export.

A `torch.save` archive is `<root>/data.pkl`, which describes, and `<root>/data/<key>`, one record
for each storage. Source: pytorch, docs/source/notes/serialization.rst.
"""

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError
from paramctl.formats.torch.archive import Archive
from paramctl.formats.torch.file import list_model, read_whole_pickle
from paramctl.sources import Source


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read the archive's directory and its pickle; no storage is touched.

    Raises:
        MalformedError: neither torch's archive nor a sound one.
    """
    archive = Archive(source)
    if archive.text("archive_format") == "pt2":
        from paramctl.formats.torch import export  # noqa: PLC0415 (rarely needed)

        return export.read(archive)
    if "data.pkl" not in archive.members:
        names = ", ".join(list(archive.members)[:3]) or "nothing in a folder"
        raise MalformedError(f"a zip archive without data.pkl, not torch's; it holds {names}")
    pickle = read_whole_pickle(archive.pickle("data.pkl"), archive.typed_storage)
    if "constants.pkl" in archive.members:
        from paramctl.formats.torch import script  # noqa: PLC0415 (rarely needed)

        return script.read(archive, pickle)
    return list_model(source, "torch zip", pickle, options)
