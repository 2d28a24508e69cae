"""Which model the user means: the first argument, standard input, or $PARAMCTL_MODEL."""

import os
from collections.abc import Callable, Sequence

from paramctl.addresses import resolve
from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.cli.environment import STDIN, Environment
from paramctl.cli.options import Reading
from paramctl.errors import (
    FileError,
    MalformedError,
    ParamctlError,
    UnsafeError,
    UsageError,
    blaming,
    find_near,
)
from paramctl.few import list_few
from paramctl.formats import names_factory, open_checkpoint, read_checkpoint
from paramctl.inputs import open_descriptor
from paramctl.sources import URL_SCHEMES

MODEL_SUFFIXES = (
    *(".safetensors", ".pt", ".pt2", ".pth", ".bin", ".ckpt", ".json", ".gguf", ".npz", ".msgpack"),
    *(".h5", ".hdf5", ".keras", ".onnx", ".dcp"),
    *(".yaml", ".yml"),
)
STDIN_ARGUMENT, STDIN_NAME = "-", "<stdin>"
EMPTY = "an empty argument"
MAX_GLOBALS = 8
MAX_COMPLAINTS = 5


def open_model(
    environment: Environment,
    arguments: list[str] | None,
    reading: Reading,
    *,
    nested: bool = False,
    is_own: Callable[[str], bool] = lambda _: False,
    to_write: bool = False,
) -> tuple[Checkpoint, list[str]]:
    """Open the model that the arguments or the environment name; return it and the addresses.

    `nested` is that of `ReadOptions`: the arguments behind the model are keys, not addresses.
    `is_own` tells the arguments that are something else: one is no file that is not there, no URL.
    Of code that the file names nothing is said where the model is `to_write`: no file has it then.

    Raises:
        UsageError: no model is named in any of the four ways.
        UnsafeError: it names code, and `--fail-on-globals` is given.
        ParamctlError: it cannot be read.
    """
    options = reading.options._replace(nested=nested)
    if arguments and is_own(arguments[0]) and not _is_place(arguments[0]):
        checkpoint, addresses = _read_given(environment, arguments[0], options), arguments
    else:
        checkpoint, addresses = _find_model(environment, arguments or [], options)
    _report_globals(environment, checkpoint, reading, to_write=to_write)
    return checkpoint, addresses


def refuse_complaints(checkpoint: Checkpoint) -> None:
    """Say what is wrong with a file, once all that can be told of it is told.

    Raises:
        MalformedError: there is something.
    """
    if checkpoint.complaints:
        what = "; ".join(checkpoint.complaints[:MAX_COMPLAINTS])
        raise MalformedError(what, file=checkpoint.file)


def open_named(
    environment: Environment, name: str, reading: Reading, *, to_write: bool = False
) -> Checkpoint:
    """Open the model of this name, `-` for standard input; `to_write` is that of `open_model`.

    Raises:
        ParamctlError: as `open_model`.
    """
    if not name:
        raise UsageError(EMPTY, hint="name a file, or '-' for standard input")
    checkpoint = _open_named(environment, name, reading.options)
    _report_globals(environment, checkpoint, reading, to_write=to_write)
    return checkpoint


def open_all(environment: Environment, names: Sequence[str], reading: Reading) -> list[Checkpoint]:
    """Open several models that are written as one.

    Raises:
        UsageError: more than one of them is standard input.
        ParamctlError: as `open_model`.
    """
    check_stdin(names)
    return [open_named(environment, name, reading, to_write=True) for name in names]


def check_stdin(names: Sequence[str]) -> None:
    """Make sure that one model at most is to come from standard input.

    Raises:
        UsageError: several are.
    """
    if names.count(STDIN_ARGUMENT) > 1:
        raise UsageError("standard input holds one model", hint="name a file for the other")


def _open_named(environment: Environment, name: str, options: ReadOptions) -> Checkpoint:
    if name == STDIN_ARGUMENT:
        return read_stdin(environment, options)
    return open_checkpoint(name, options)


def _find_model(
    environment: Environment, arguments: list[str], options: ReadOptions
) -> tuple[Checkpoint, list[str]]:
    first, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if arguments and not first:
        raise UsageError(EMPTY, hint="name a file, '-' or an address")
    if first and (first == STDIN_ARGUMENT or _is_place(first) or names_factory(first)):
        return _open_named(environment, first, options), rest
    if os.sep in first or first.endswith(MODEL_SUFFIXES):
        return _read_for(first, environment, options), arguments
    return _read_given(environment, first, options), arguments


def _is_place(text: str) -> bool:
    """Whether a model could be read from there: a path to something, or a URL."""
    return os.path.lexists(text) or text.startswith(URL_SCHEMES)


def _read_for(name: str, environment: Environment, options: ReadOptions) -> Checkpoint:
    """Read the model that is no argument, for a name in it that could be a file's.

    Raises:
        FileError: it is a file's that is not there.
    """
    if not (environment.stdin_offers_data or environment.model_variable):
        return open_checkpoint(name, options)
    try:
        checkpoint = _read_given(environment, name, options)
        with blaming(checkpoint.file):
            _look_up(checkpoint, name, options)
    except ParamctlError as error:
        hint = _add_near(name, error.render(str, "shell"))
        raise FileError("no such file", file=name, hint=hint) from error
    return checkpoint


def _look_up(checkpoint: Checkpoint, name: str, options: ReadOptions) -> None:
    """Make sure that an argument names something in the model.

    Raises:
        AddressError: it does not.
    """
    if options.nested:
        from paramctl.views.metadata import find_value, read_metadata  # noqa: PLC0415 (for `meta`)

        find_value(read_metadata(checkpoint.metadata), [name])
    else:
        resolve(checkpoint.entries, name)


def _read_given(environment: Environment, first: str, options: ReadOptions) -> Checkpoint:
    if environment.stdin_offers_data:
        return read_stdin(environment, options)
    if environment.model_variable:
        return open_checkpoint(environment.model_variable, options)
    what = f"no model: there is no file '{first}'" if first else "no model"
    ways = "name a file first, or '-', or pipe one in, or set $PARAMCTL_MODEL"
    raise UsageError(what, hint=_add_near(first, ways) if first else ways)


def _add_near(name: str, hint: str) -> str:
    """Say the closest file first where a name may be that of one."""
    near = find_near(name)
    return f"{near}; {hint}" if near else hint


def read_stdin(environment: Environment, options: ReadOptions) -> Checkpoint:
    """Read the model that comes through a pipe, or from a file that is redirected.

    Raises:
        UsageError: nothing does.
    """
    if environment.stdin_is_terminal:
        raise UsageError("standard input is a terminal", hint="pipe a model in, or name a file")
    return read_checkpoint(open_descriptor(STDIN, STDIN_NAME), options)


def _report_globals(
    environment: Environment, checkpoint: Checkpoint, reading: Reading, *, to_write: bool
) -> None:
    """Say which code the file names beside tensors; none of it has been run."""
    if not checkpoint.foreign or (to_write and not reading.fail_on_globals):
        return
    what = f"names code that loading it would run: {list_few(checkpoint.foreign, MAX_GLOBALS)}"
    if reading.fail_on_globals:
        raise UnsafeError(what, file=checkpoint.file)
    environment.note(f"{checkpoint.file}: {what}; nothing was run")
