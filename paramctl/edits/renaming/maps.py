"""Maps: the new names of layers and parameters, as a table of two columns or a dictionary."""

from collections.abc import Mapping, Sequence

from paramctl.addresses import unescape
from paramctl.edits.renaming.substitutions import fits_nothing
from paramctl.errors import FileError, NoMatchError, UsageError
from paramctl.layers import prefixes


class Map:
    """Old name -> new name, of layers or parameters; the longest that fits a name counts.

    All of them are the names before the map is applied, so two may change places. A new name that
    is empty takes a layer off the names below it.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def apply(self, names: Sequence[str]) -> list[str]:
        """Return the names as the map has them; those that are not in it stay.

        Raises:
            NoMatchError: one of the map's is no name of a layer or a parameter; says the closest.
        """
        used: set[str] = set()
        renamed = [self._rename(name, used) for name in names]
        for old in self._names:
            if old not in used:
                raise self._has_no_use(old, names)
        return renamed

    def _rename(self, name: str, used: set[str]) -> str:
        for old in prefixes(name):
            if old in self._names:
                used.add(old)
                new = self._names[old]
                return new + name[len(old) :] if new else name[len(old) + 1 :]
        return name

    def _has_no_use(self, old: str, names: Sequence[str]) -> NoMatchError:
        if any(old in prefixes(name) for name in names):
            return NoMatchError(f"'{old}' renames nothing: longer names of the map take all of it")
        return fits_nothing(old, old, names)


def read_map(path: str) -> Map:
    r"""Read lines of an old name, a tab and a new name, what does not print in them as `\n`.

    Raises:
        UsageError: a line is none; says which.
        FileError: there is no such file, or it cannot be read.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(_read_lines(path), 1):
        cells = line.split("\t")
        where = f"line {number}"
        if len(cells) != 2 or not all(cells):
            what = "no pair of an old and a new name with a tab between"
            raise UsageError(what, where=where, file=path)
        old, new = map(unescape, cells)
        if old in names:
            raise UsageError(f"'{old}' is there twice", where=where, file=path)
        names[old] = new
    if not names:
        raise UsageError("no names", file=path)
    return Map(names)


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError("no text in UTF-8", hint="save it as UTF-8", file=path) from error
    except OSError as error:
        raise FileError.from_os(error, path) from error
