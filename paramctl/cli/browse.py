"""`paramctl browse`: a model looked through with the keyboard."""

import gc
from signal import SIGTERM
from typing import TYPE_CHECKING

from paramctl.cli.environment import Environment
from paramctl.cli.models import STDIN_ARGUMENT, open_model, open_named
from paramctl.cli.options import ModelAndOther, Reading
from paramctl.errors import Interruption, UsageError

if TYPE_CHECKING:
    from paramctl.browse.app import Browser

EXAMPLES = """
$ paramctl browse sample_models/mlp.pt | cat
paramctl: browse needs a terminal; without one: paramctl ls sample_models/mlp.pt
"""
INSTALL = "pip install 'paramctl[browse]'"


def run(environment: Environment, reading: Reading, arguments: ModelAndOther = None) -> None:
    """Look through a model, or two side by side."""
    _check_terminal(environment, arguments or [])
    browser_class = _load_browser()
    first, rest = open_model(environment, arguments, reading)
    if len(rest) > 1:
        raise UsageError(f"two models at most, not '{rest[1]}' too", hint="leave it out")
    second = open_named(environment, rest[0], reading) if rest else None
    browser = browser_class(first, second)
    gc.freeze()  # the models stay to the end
    gc.enable()  # what is drawn meanwhile does not
    browser.run()
    _check_end(browser.return_code or 0)


def _check_terminal(environment: Environment, arguments: list[str]) -> None:
    if STDIN_ARGUMENT in arguments:
        raise UsageError(
            "standard input is the keyboard here, and no model can come from it",
            hint="write the model to a file first: -o FILE",
        )
    if not (
        environment.stdin_is_terminal
        and environment.out_is_terminal
        and environment.err_is_terminal
    ):
        import shlex  # noqa: PLC0415 (only for the error)

        listing = shlex.join(["paramctl", "ls", *arguments[:1]])
        raise UsageError("browse needs a terminal", hint=f"without one: {listing}")


def _load_browser() -> "type[Browser]":
    """Import the browser.

    Raises:
        UsageError: Textual is not installed.
    """
    try:
        import textual  # noqa: F401, PLC0415 (an extra)
    except ImportError as error:
        raise UsageError("browse needs textual", hint=INSTALL) from error
    from paramctl.browse.app import Browser  # noqa: PLC0415 (loads textual)

    return Browser


def _check_end(code: int) -> None:
    """Pass on how the browser ended; of a bug it has said all itself."""
    from paramctl.browse.app import KILLED  # noqa: PLC0415 (loads textual)

    if code == KILLED:
        raise Interruption(SIGTERM)
    if code:
        raise RuntimeError("the browser broke down")
