"""The places of files that are to be written: whether one can be, and under that name."""

import os

from paramctl.errors import FileError, UsageError
from paramctl.writer.files import refuse_url
from paramctl.writer.formats import FORMATS, find_format
from paramctl.writer.options import SAFETENSORS


def check_place(path: str, *, force: bool) -> None:
    """Make sure that there is a folder for a file, and no file in its way.

    It is better known now than when all is computed.

    Raises:
        UsageError: a file is in the way, or it would be written to a server.
        FileError: there is no such folder.
    """
    refuse_url(path)
    if os.path.isfile(path) and not force:
        raise UsageError("the file is there already", hint="--force replaces it", file=path)
    if not os.path.isdir(os.path.dirname(path) or os.curdir):
        raise FileError("there is no such folder", hint="'mkdir -p' makes one", file=path)


def check_suffix(path: str) -> None:
    """Refuse a name under which other tools would expect another format, or none.

    Raises:
        UsageError: it ends as those of another format do, or of no format.
    """
    named = find_format(path)
    if named != SAFETENSORS:
        convert = ", or pipe it into 'paramctl convert -o FILE'" if named in FORMATS else ""
        hint = f"name it .safetensors{convert}"
        raise UsageError("what is written is safetensors", hint=hint, file=path)
