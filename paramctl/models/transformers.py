"""The library transformers: imported when it is needed, offline, and without its talk."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from threading import RLock
from typing import Any

from paramctl.errors import ParamctlError, UsageError

OLDEST = 5  # its major version: those before name and tie weights in other ways
MAX_MESSAGE = 300  # characters of an error of its
INSTALL = "pip install 'paramctl[hf]'"

_one_at_a_time = RLock()  # standard output, logging and warnings are one for all


def load_transformers() -> Any:
    """Import the library.

    Raises:
        UsageError: it is not installed, or too old.
    """
    try:
        import transformers  # noqa: PLC0415 (an extra, and slow)
    except ImportError as error:
        raise UsageError("a Hugging Face config needs transformers", hint=INSTALL) from error
    if int(transformers.__version__.partition(".")[0]) < OLDEST:
        what = f"transformers {transformers.__version__} is too old"
        raise UsageError(what, hint=INSTALL)
    return transformers


@contextmanager
def blaming_transformers(what: str) -> Iterator[None]:
    """Make an error of ours of whatever the library raises; it says nothing and fetches nothing."""
    try:
        with _one_at_a_time, _silence(), _offline():
            yield
    except (ParamctlError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"transformers {what}: {message[:MAX_MESSAGE]}") from error


@contextmanager
def _silence() -> Iterator[None]:
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            stack.enter_context(redirect_stdout(io.StringIO()))
            stack.enter_context(redirect_stderr(io.StringIO()))
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the library from the network, and from asking whether to run code that is not its own.

    These are switches of its own: HF_HUB_OFFLINE, and the time in which a question is answered.
    """
    load_transformers()
    from huggingface_hub import constants  # noqa: PLC0415 (comes with transformers)
    from transformers import dynamic_module_utils  # noqa: PLC0415 (the same)

    before = constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE
    constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE = True, 0
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, dynamic_module_utils.TIME_OUT_REMOTE_CODE = before
