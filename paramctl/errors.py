"""Everything that can go wrong, and the exit code each of it owns.

* ParamctlError               70  a bug of ours
  + UsageError                 2  options and arguments
    - AddressError             2  an address that does not parse or names nothing
      + NoMatchError           2  one that parses, and names nothing
      + NameUnknownError       2  a name that a checkpoint has not; a KeyError too
    - ExpressionError          2  an expression or a scheme that does not parse or has no value
    - ArgumentError            2  an argument of a scheme that no parameter of a model can do with
    - TargetError              2  a parameter that a scheme cannot fill
  + MalformedError             3  the file is not what its format says
  + UnsafeError                4  refused: reading on could do harm
  + LimitError                 5  over a resource limit
  + FileError                  6  the operating system said no
    - AbsentError              6  there is no such file on a server
    - DeniedError              6  there may be one, for others
    - UnconfirmedError         1  written, but perhaps not yet on the disk

Codes beside these: 0 ok, 1 the answer is no, 129/130/143 signals, 141 closed pipe.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import ClassVar

from paramctl.doors import Door, Words, spell

NO = 1
INTERRUPTED = 130
CLOSED_PIPE = 141
AGAIN = "copy or download the file again"  # what to do about one that ends too early
MAX_CANDIDATES = 2_000  # names whose characters are counted, to find those like a misspelt one
MAX_COMPARED = 50  # of them, that it is compared with in full, which takes up to 5 ms each
MAX_TEXT = 128  # characters of a name that count: its first and its last
MAX_TOLD = 3  # names that stand for all where none is close
MIN_NEAR = 0.65  # the same of two files in one folder
MIN_RATIO = 0.5  # of the characters that two names share in this order

_URL = re.compile(  # user and password, what is shown, query and fragment
    r"((?:https?|s3|gs)://)(?:[^/?#\s]*@)?([^?#\s'\"]*)(?:[?#][^\s'\"]*)?", re.IGNORECASE
)


class ParamctlError(Exception):
    """What is wrong, in which file, where in it, and what to do next."""

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, where: str = "", hint: Words = "", file: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.file = file

    def __str__(self) -> str:
        return self.render(str, "python")

    def render(self, clean: Callable[[str], str], door: Door) -> str:
        """Return the whole message in one line, each part of it passed through `clean`.

        What to do is said in the words of a door.

        Of a URL nothing is in it that gives access: no user, no password, no query.
        """
        parts = (self.file, self.what, self.where, spell(self.hint, door))
        file, what, where, hint = (clean(hide_secrets(part)) for part in parts)
        return (
            (f"{file}: " if file else "")
            + what
            + (f" ({where})" if where else "")
            + (f"; {hint}" if hint else "")
        )


class UsageError(ParamctlError):
    """An option, an argument or a combination of them that makes no sense."""

    exit_code = 2


class AddressError(UsageError):
    """An address that does not parse, or that names nothing in the model."""


class NoMatchError(AddressError):
    """An address that parses, and that names nothing in the model."""


class NameUnknownError(AddressError, KeyError):
    """A key that a checkpoint has not: what any mapping raises, with the closest names."""


class ExpressionError(UsageError):
    """An expression or a scheme that does not parse, or that has no value.

    `column` counts from 0 in `text`, which is what the user typed.
    """

    def __init__(self, what: str, column: int, *, hint: Words = "") -> None:
        super().__init__(what, where=f"column {column + 1}", hint=hint)
        self.column = column
        self.text = ""


class ArgumentError(UsageError):
    """An argument of a scheme that is out of its range; `names` are the parameters it may be of."""

    def __init__(self, what: str, *names: str, hint: Words = "") -> None:
        super().__init__(what, hint=hint)
        self.names = names


class TargetError(UsageError):
    """A parameter that a scheme cannot fill: it has no fans, or nobody knows what it is for.

    `reason` is what the message says of it, a predicate.
    """

    def __init__(self, subject: str, reason: str, *, hint: Words = "") -> None:
        super().__init__(f"{subject} {reason}", hint=hint)
        self.reason = reason


class MalformedError(ParamctlError):
    """A file that breaks its format's rules, or no format that paramctl knows."""

    exit_code = 3


class UnsafeError(ParamctlError):
    """A file that asks for something a reader must not do."""

    exit_code = 4


class LimitError(ParamctlError):
    """A file that needs more memory or time than a reader should give it."""

    exit_code = 5


class FileError(ParamctlError):
    """A file that cannot be opened or read, or that changed meanwhile."""

    exit_code = 6

    @classmethod
    def from_os(cls, error: OSError, file: str) -> "FileError":
        """Wrap what the operating system said about `file`."""
        return cls(error.strerror or str(error), hint=_advise(error, file), file=file)


class AbsentError(FileError):
    """A file that a server does not have."""


class DeniedError(FileError):
    """A file that a server gives to others, or to nobody."""


class UnconfirmedError(FileError):
    """A file that is complete and in its place, but a power cut could still undo it."""

    exit_code = 1


class Interruption(BaseException):
    """A signal that asks the program to end: it cleans up, and then dies of it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def blaming(file: str) -> Iterator[None]:
    """Name `file` in any error that passes through and names none yet."""
    try:
        yield
    except ParamctlError as error:
        error.file = error.file or file
        raise


def hide_secrets(text: str) -> str:
    """Return a text without what may be secret in the web addresses that it holds."""
    return _URL.sub(r"\1\2", text) if "://" in text else text


def find_closest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that a misspelt one may stand for, the likeliest first."""
    from difflib import SequenceMatcher  # noqa: PLC0415 (only for the error)
    from heapq import nlargest  # noqa: PLC0415 (likewise)

    matcher = SequenceMatcher(b=_ends(name), autojunk=False)

    def rate(candidate: str, by: Callable[[], float]) -> float:
        matcher.set_seq1(_ends(candidate))
        return by()

    pool = islice(known, MAX_CANDIDATES)
    likely = nlargest(MAX_COMPARED, pool, key=lambda each: rate(each, matcher.quick_ratio))
    closest = nlargest(3, likely, key=lambda each: rate(each, matcher.ratio))
    return [each for each in closest if rate(each, matcher.ratio) >= MIN_RATIO]


def find_near(path: str) -> str:
    """Return what to say of a path that leads to nothing: the closest name, if there is one."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder or os.curdir):
        return f"there is no folder '{folder}'"
    from difflib import get_close_matches  # noqa: PLC0415 (only for the error)

    with suppress(OSError):
        there = islice(os.listdir(folder or os.curdir), MAX_CANDIDATES)
        for close in get_close_matches(name, there, n=1, cutoff=MIN_NEAR):
            return f"closest: {os.path.join(folder, close)}"
    return ""


def _advise(error: OSError, file: str) -> str:
    """Return what to do about what the operating system said."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return find_near(file)
    return "'ls -l' shows who may" if isinstance(error, PermissionError) else ""


def tell_some(names: Collection[str]) -> str:
    """Return what to say of a model's names where none is like the one asked for."""
    if not names:
        return "the model has no parameters"
    few, more = ", ".join(islice(names, MAX_TOLD)), ", ..." if len(names) > MAX_TOLD else ""
    return f"names are {few}{more}"


def _ends(name: str) -> str:
    half = MAX_TEXT // 2
    return name if len(name) <= MAX_TEXT else name[:half] + name[-half:]
