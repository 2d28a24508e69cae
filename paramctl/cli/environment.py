"""The world as the program meets it: streams, terminal, colour. Nobody else touches `sys`."""

import io
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NoReturn

from paramctl.errors import FileError

if TYPE_CHECKING:
    from rich.console import Console

    from paramctl.views.strokes import Strokes
    from paramctl.views.tree import Guides

STDIN, STDOUT, STDERR = 0, 1, 2
PROGRAM = "paramctl"
BUFFER_BYTES = 1 << 16

Color = Literal["auto", "always", "never"]


class ClosedPipeError(Exception):
    """The reader of our output has gone; there is nobody left to tell."""


class _Output(io.FileIO):
    """Standard output: a closed pipe is its own error, since Typer exits 1 on EPIPE."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            raise ClosedPipeError from None
        except OSError as error:
            raise FileError.from_os(error, "standard output") from error


class _ClosedOutput(io.RawIOBase):
    """Standard output that was closed before we came."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:  # noqa: ARG002 (the signature of a raw stream)
        raise FileError("standard output is closed")


class Environment:
    """Standard streams and what they are connected to.

    `color` is what `--color` says; `quiet` keeps notes off standard error.
    """

    def __init__(self) -> None:
        self.color: Color = "auto"
        self.quiet = False
        self.out_is_terminal = _is_open(STDOUT) and os.isatty(STDOUT)
        self.out = self._take_stdout()
        self.err_is_terminal = _is_open(STDERR) and os.isatty(STDERR)
        self.stdin_is_terminal = _is_open(STDIN) and os.isatty(STDIN)
        self.stdin_offers_data = _is_open(STDIN) and _offers_data(STDIN)
        self.model_variable = os.environ.get("PARAMCTL_MODEL", "")

    def _take_stdout(self) -> io.TextIOWrapper:
        """Put our own standard output in the place of Python's, for Typer and Rich too."""
        raw = _Output(STDOUT, "wb", closefd=False) if _is_open(STDOUT) else _ClosedOutput()
        encoding = getattr(sys.stdout, "encoding", "utf-8")
        out = io.TextIOWrapper(
            io.BufferedWriter(raw, BUFFER_BYTES), encoding=encoding, errors="backslashreplace"
        )
        sys.stdout = out
        return out

    def write(self, text: str) -> None:
        """Write data to standard output.

        Raises:
            FileError: standard output is closed, or its disk is full.
            ClosedPipeError: nobody reads it any more.
        """
        self.out.write(text)

    def write_prose(self, text: str) -> None:
        """Write lines for people, on a terminal broken at blanks where they are too wide."""
        self.write(_fold(text, self.width))

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write data, one line each."""
        self.write("".join(f"{line}\n" for line in lines))

    def write_bytes(self, data: bytes) -> None:
        """Write binary data to standard output."""
        self.out.flush()
        self.out.buffer.write(data)

    def flush(self) -> None:
        """Bring everything out, so that a full disk is an error and not a loss."""
        self.out.flush()

    def say(self, message: str) -> None:
        """Write a line of talk to standard error; where that is closed, say nothing.

        On a terminal it is broken at blanks where it is too wide.
        """
        text = _fold(f"{PROGRAM}: {message}\n", self.err_width)
        if isinstance(sys.stderr, io.TextIOWrapper):
            sys.stderr.reconfigure(errors="backslashreplace")
            with suppress(OSError):
                sys.stderr.write(text)

    def note(self, message: str) -> None:
        """Say what is good to know; `--quiet` leaves it out."""
        if not self.quiet:
            self.say(message)

    def abandon_output(self) -> None:
        """Point standard output at nothing, so that the interpreter's last flush is silent."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
        sys.stdout = None

    @property
    def use_color(self) -> bool:
        """Whether output is coloured: `--color`, then NO_COLOR, then whether it is a terminal."""
        if self.color != "auto":
            return self.color == "always"
        return self.out_is_terminal and not os.environ.get("NO_COLOR")

    @property
    def width(self) -> int | None:
        """The terminal's width in cells; None in a pipe, where nothing is cut."""
        if not self.out_is_terminal:
            return None
        from shutil import get_terminal_size  # noqa: PLC0415 (only for terminals)

        return get_terminal_size().columns

    @property
    def err_width(self) -> int | None:
        """The width of the terminal that standard error is; None where it is none."""
        if not self.err_is_terminal:
            return None
        columns = os.environ.get("COLUMNS", "")
        return int(columns) if columns.isdecimal() else os.get_terminal_size(STDERR).columns

    @property
    def guides(self) -> "Guides":
        """The strokes of trees that the output's encoding has."""
        from paramctl.views.tree import ASCII_GUIDES, UNICODE_GUIDES  # noqa: PLC0415 (for trees)

        return UNICODE_GUIDES if self._is_unicode else ASCII_GUIDES

    @property
    def separator(self) -> str:
        """What stands between facts, in the output's encoding."""
        from paramctl.views.separators import (  # noqa: PLC0415 (only for people)
            ASCII_SEPARATOR,
            UNICODE_SEPARATOR,
        )

        return UNICODE_SEPARATOR if self._is_unicode else ASCII_SEPARATOR

    @property
    def arrow(self) -> str:
        """What leads from the old to the new, in the output's encoding."""
        from paramctl.views.separators import ASCII_ARROW, UNICODE_ARROW  # noqa: PLC0415 (the same)

        return UNICODE_ARROW if self._is_unicode else ASCII_ARROW

    @property
    def bars(self) -> str:
        """The bars of sparklines, in the output's encoding."""
        from paramctl.views.sparks import ASCII_BARS, UNICODE_BARS  # noqa: PLC0415 (rarely needed)

        return UNICODE_BARS if self._is_unicode else ASCII_BARS

    @property
    def strokes(self) -> "Strokes":
        """What charts are drawn with, in the output's encoding."""
        from paramctl.views.strokes import (  # noqa: PLC0415 (rarely needed)
            ASCII_STROKES,
            UNICODE_STROKES,
        )

        return UNICODE_STROKES if self._is_unicode else ASCII_STROKES

    @property
    def _is_unicode(self) -> bool:
        return self.out.encoding.lower().startswith("utf")

    def console(self) -> "Console":
        """Return a Rich console on standard output."""
        from rich.console import Console  # noqa: PLC0415 (only for terminals)

        return Console(
            file=self.out,
            width=self.width or 1_000_000,
            force_terminal=self.use_color or self.out_is_terminal,
            color_system="auto" if self.use_color else None,
            highlight=False,
            markup=False,
            emoji=False,
        )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _fold(text: str, width: int | None) -> str:
    if not width:  # a terminal that does not know its width says 0
        return text
    from paramctl.views.prose import fold  # noqa: PLC0415 (only for terminals)

    return "\n".join(fold(line, width) for line in text.split("\n"))


def _offers_data(descriptor: int) -> bool:
    """Whether a descriptor is a pipe, a socket or a file: /dev/null and a terminal offer none."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def die_of_signal(number: int) -> NoReturn:
    """End as the signal ends a program, so that a shell's loop around it stops too."""
    import signal  # noqa: PLC0415 (only for the end)

    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)
