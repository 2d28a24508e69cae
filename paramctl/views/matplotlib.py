"""The library matplotlib: imported when it is needed, without its talk, in a style of our own."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paramctl.errors import UsageError

INSTALL = "pip install 'paramctl[plot]'"
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 8,
    "text.parse_math": False,  # names may have dollars
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 5),
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.color": "#888888",
    "ytick.color": "#888888",
    "xtick.labelcolor": "#444444",
    "ytick.labelcolor": "#444444",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.frameon": False,
    "svg.hashsalt": "paramctl",  # ids are the same in every run
}


def load_matplotlib() -> Any:
    """Import the library.

    Raises:
        UsageError: it is not installed.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells when it looks for fonts
    try:
        import matplotlib.style  # noqa: PLC0415 (an extra, and slow)
    except ImportError as error:
        raise UsageError("a picture needs matplotlib", hint=INSTALL) from error
    return matplotlib


@contextmanager
def our_style() -> Iterator[None]:
    """Draw in our own style, whatever the user's own settings of matplotlib.

    Raises:
        UsageError: matplotlib is not installed.
    """
    matplotlib = load_matplotlib()
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
