"""The program: its verbs, loaded when asked for, and what becomes of errors."""

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from paramctl import __version__
from paramctl.cli.environment import PROGRAM, ClosedPipeError, Environment
from paramctl.cli.manual import ManualGroup
from paramctl.cli.verbs import HELP_NAMES, VERBS, load_verb
from paramctl.errors import (
    CLOSED_PIPE,
    INTERRUPTED,
    ExpressionError,
    LimitError,
    ParamctlError,
    UsageError,
)
from paramctl.views.escaping import escape

_OF_PYDANTIC = re.compile("Value error, |, unable to parse string as an? [a-z]+")
EXAMPLES = """
$ paramctl ls sample_models/mlp.pt
sample_models/mlp.pt  ·  torch zip  ·  a state dict
           shape   dtype    values   size
0                               40  160 B
├─ weight  [8, 4]  float32      32  128 B
└─ bias    [8]     float32       8   32 B
2                                9   36 B
├─ weight  [1, 8]  float32       8   32 B
└─ bias    [1]     float32       1    4 B
49 parameters in 4 tensors, 196 B

$ paramctl show sample_models/mlp.pt '2.weight[0,:5]'
2.weight[0, :5]  ·  [5] of [1, 8] float32  ·  grad: none stored
tensor([ 0.0186, -0.1813,  0.0598, -0.3301, -0.2555])

$ paramctl meta sample_models/training.pt epoch
1
"""


class VerbGroup(ManualGroup):
    """The verbs, each loaded when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (Typer's signature)
        """Return the verbs in the help's order."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (Typer's signature)
        """Import a verb and make it a command; None where there is no such verb."""
        if cmd_name in VERBS and cmd_name not in self.commands:
            self.commands[cmd_name] = load_verb(cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb that the arguments begin with.

        Raises:
            UsageError: there is none of this name; says the closest.
        """
        if args[0] not in VERBS and not args[0].startswith("-"):
            import shlex  # noqa: PLC0415 (only for the error)
            from difflib import get_close_matches  # noqa: PLC0415 (likewise)

            instead = get_close_matches(args[0], VERBS, n=1) or ["--help"]
            if os.path.lexists(args[0]):
                instead = ["ls", args[0]]
            raise UsageError(f"no verb '{args[0]}'", hint=f"try {shlex.join([PROGRAM, *instead])}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=VerbGroup,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
    context_settings=HELP_NAMES,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (Typer's callback)
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(epilog=EXAMPLES)
def paramctl(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Inspect, initialize and probe saved models, from the shell."""
    del version


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; only signals are raised.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    environment = Environment()
    try:
        code = _invoke(environment, arguments)
        environment.flush()
    except ClosedPipeError:
        environment.abandon_output()
        return CLOSED_PIPE
    except ParamctlError as error:
        return _report(environment, error)
    if code == INTERRUPTED:  # what Typer makes of a KeyboardInterrupt
        raise KeyboardInterrupt
    return code


def _invoke(environment: Environment, arguments: Sequence[str]) -> int:
    """Run one command line; whatever goes wrong becomes an error of ours."""
    command = typer.main.get_command(app)
    try:
        code = command.main(
            list(arguments), PROGRAM, complete_var="", standalone_mode=False, obj=environment
        )
    except (ParamctlError, ClosedPipeError):
        raise
    except typer.TyperException as error:
        if not error.format_message():  # no arguments: the help has been shown
            return error.exit_code
        raise _usage_error(error, arguments) from error
    except MemoryError as error:
        raise LimitError("out of memory") from error
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        raise _bug(error) from error
    return code if isinstance(code, int) else 0


def _usage_error(error: typer.TyperException, arguments: Sequence[str]) -> UsageError:
    message = " ".join(error.format_message().split())  # choices are told a line each
    message = _OF_PYDANTIC.sub("", message).rstrip(".")
    verb = [argument for argument in arguments[:1] if argument in VERBS]
    return UsageError(message, hint=f"see '{' '.join([PROGRAM, *verb])} --help'")


def _bug(error: Exception) -> ParamctlError:
    what = f"a bug in {PROGRAM}: {type(error).__name__}: {error}"
    return ParamctlError(what, hint="please report it; 'python -X dev' shows where")


def _report(environment: Environment, error: ParamctlError) -> int:
    """Say what went wrong, behind what had come out until then."""
    try:
        environment.flush()
    except (ParamctlError, ClosedPipeError):
        environment.abandon_output()
    pointer = _point(error, environment.err_width) if environment.err_is_terminal else ""
    environment.say(error.render(escape, "shell") + pointer)
    return error.exit_code


def _point(error: ParamctlError, width: int | None) -> str:
    """Return two lines that show the place in an expression, if they are not wider than that."""
    if not isinstance(error, ExpressionError) or not error.text.isprintable():
        return ""
    caret = f"  {' ' * error.column}^"
    fits = not width or max(len(error.text) + 2, len(caret)) <= width
    return f"\n  {error.text}\n{caret}" if fits else ""
