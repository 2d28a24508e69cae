"""The two doors, a shell and Python, and what each calls the same thing.

An error says what to do next in the words of the door that its reader came through: `--force` on
the command line is `force=True` in a program.
"""

from typing import Literal, NamedTuple

Door = Literal["shell", "python"]


class Spelling(NamedTuple):
    """What one thing is called at either door."""

    shell: str
    python: str


Words = str | Spelling | tuple[str | Spelling, ...]
"""A sentence, of parts where the doors' words for something differ."""


def option(name: str, value: str | int | None = None) -> Spelling:
    """Spell an option, and what it is to be."""
    words = f"--{name.replace('_', '-')}"
    if value is None:
        return Spelling(words, name)
    return Spelling(f"{words} {value}", f"{name}={value!r}")


def flag(name: str) -> Spelling:
    """Spell an option that is on or off, to be set."""
    return Spelling(f"--{name.replace('_', '-')}", f"{name}=True")


def verb(name: str) -> Spelling:
    """Spell a verb, which is a method of a model."""
    return Spelling(f"paramctl {name}", f"{name}()")


def spell(words: Words, door: Door) -> str:
    """Return words as they are said at a door."""
    if isinstance(words, str):
        return words
    if isinstance(words, Spelling):
        return words.shell if door == "shell" else words.python
    return "".join(spell(part, door) for part in words)
