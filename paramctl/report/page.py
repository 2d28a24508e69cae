"""The page: one HTML file with all that it needs in it, which loads nothing and runs nothing else.

Only the two scripts with these digests run (Content Security Policy, level 3); what comes from a
file is data in JSON, which becomes text nodes.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape as escape_html
from importlib.resources import files
from json import dumps
from typing import Any

from paramctl.errors import UsageError

INSTALL = "pip install 'paramctl[report]'"
SCRIPTS = ("page", "tree", "table", "details", "pictures", "sections", "start")
"""The files that are our script, in order."""
MARK = re.compile(r"\{\{(\w+)\}\}")
"""Where a part goes, once: what looks so in a part stays as it is."""
MARKUP = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&"})


def load_plotly() -> str:
    """Return the source of plotly.js, which plotly's package carries.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise UsageError("a report needs plotly", hint=INSTALL) from error
    source: str = get_plotlyjs()
    return source


def make_page(document: dict[str, Any], plotly: str) -> bytes:
    """Return the page of a document; the same bytes for the same one."""
    script = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    parts = {
        "policy": _policy(script, plotly),
        "title": escape_html(document["model"]["title"]),
        "style": _read("style.css"),
        "document": embed(document),
        "plotly": plotly,
        "script": script,
    }
    pieces = MARK.split(_read("page.html"))
    pieces[1::2] = [parts[name] for name in pieces[1::2]]
    return "".join(pieces).encode()


def embed(document: dict[str, Any]) -> str:
    """Return JSON that no HTML parser takes for anything else.

    Raises:
        ValueError: there is a number in it that is not finite.
    """
    return dumps(document, separators=(",", ":"), allow_nan=False).translate(MARKUP)


def _policy(*scripts: str) -> str:
    """Return what the page may do: run these scripts, and style its parts, as plotly does."""
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
