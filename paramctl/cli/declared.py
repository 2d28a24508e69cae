"""A listing that says how a model's files differ from what the config beside them declares."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.errors import AbsentError, UsageError
from paramctl.formats import open_checkpoint
from paramctl.formats.folders import CONFIG
from paramctl.models.declared import Declared, compare, with_declared
from paramctl.models.huggingface import FORMAT
from paramctl.sources import URL_SCHEMES
from paramctl.views.declared import lines_of, notes_of, with_notes
from paramctl.views.rows import Row


class Declaration(NamedTuple):
    """What a config declares, and how the files differ from it."""

    config: str
    found: Declared
    checkpoint: Checkpoint

    def annotate(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows with what is to be said of each."""
        return with_notes(rows, notes_of(self.found))

    def report(self, environment: Environment, *, for_people: bool) -> None:
        """Say it as a whole: below a listing for people, beside one for programs."""
        lines = lines_of(self.found, self.config)
        if for_people:
            environment.write_lines(lines)
        else:
            for line in lines:
                environment.note(line)


def read_declaration(checkpoint: Checkpoint) -> Declaration:
    """Compare a model with the `config.json` that stands beside its file.

    Raises:
        UsageError: there is none, or the model is one and has no weights.
        ParamctlError: it cannot be read.
    """
    config = os.path.join(os.path.dirname(checkpoint.file), CONFIG)
    if checkpoint.format == FORMAT:
        what = "there are no weights beside this config"
        raise UsageError(what, hint="name a file of weights", file=checkpoint.file)
    what = f"no {CONFIG} beside it, so nothing is declared"
    undeclared = UsageError(what, hint="put it there", file=checkpoint.file)
    is_far = checkpoint.file.startswith(URL_SCHEMES)
    if not (is_far or (os.path.lexists(checkpoint.file) and os.path.lexists(config))):
        raise undeclared
    try:
        declared = open_checkpoint(config)
    except AbsentError as error:
        raise undeclared from error
    found = compare(checkpoint, declared)
    return Declaration(config, found, with_declared(checkpoint, found))
