"""What may stand where the cursor is: verbs, options, their choices, names in the model."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import typer

from paramctl.cli.app import app
from paramctl.cli.verbs import VERBS, load_verb


class Candidate(NamedTuple):
    """A word that may stand at the cursor, and what it means."""

    word: str
    help: str = ""


def find_candidates(words: list[str]) -> Iterator[Candidate]:
    """Yield what may stand for the last of the words behind the program's name.

    Where nothing is offered, the shell completes files.
    """
    verb, *before, typed = words if len(words) > 1 else ["", *words]
    if verb in VERBS:
        yield from _complete_verb(load_verb(verb), before, typed)
    elif not verb and typed.startswith("-"):
        yield from _complete_options(typer.main.get_command(app), [], typed)
    elif not verb:
        names = (name for name in VERBS if name.startswith(typed))
        yield from (Candidate(name, VERBS[name].help) for name in names)


def _complete_verb(verb: Any, before: list[str], typed: str) -> Iterator[Candidate]:
    options = {name: param for param in verb.params for name in param.opts}
    given, equals, value = typed.partition("=")
    last = options.get(before[-1]) if before else None
    if equals and given in options and given.startswith("--"):
        choices = options[given].shell_complete(_context(verb, before), value)
        yield from (Candidate(f"{given}={choice.value}") for choice in choices)
    elif last and before[-1].startswith("-") and not last.is_flag:
        choices = last.shell_complete(_context(verb, before[:-1]), typed)
        yield from (Candidate(choice.value) for choice in choices)
    elif typed.startswith("-") and "--" not in before:
        yield from _complete_options(verb, before, typed)
    else:
        yield from _complete_arguments(verb, before, typed)


def _complete_options(command: Any, before: list[str], typed: str) -> Iterator[Candidate]:
    for option in command.shell_complete(_context(command, before), typed):
        yield Candidate(option.value, option.help)


def _complete_arguments(verb: Any, before: list[str], typed: str) -> Iterator[Candidate]:
    """Yield what the first argument offers that still takes a word."""
    context = _context(verb, before)
    for param in verb.params:
        is_open = param.nargs == -1 or not context.params[param.name]
        if param.param_type_name == "argument" and is_open:
            yield from (Candidate(each.value) for each in param.shell_complete(context, typed))
            return


def _context(command: Any, before: list[str]) -> Any:
    """Return what the words say so far, however wrong they are."""
    return command.make_context(command.name, before, resilient_parsing=True)
