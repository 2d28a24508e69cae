"""The names of files that are to be written."""

from paramctl.errors import UsageError
from paramctl.writer.formats import FORMATS, find_format
from paramctl.writer.options import SAFETENSORS


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
