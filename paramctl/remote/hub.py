"""Files of the Hugging Face Hub: `hf://ORGANISATION/REPOSITORY[@REVISION][/PATH]`.

Its own HfFileSystem moves 5 MB for each read, and asks three times before the first.
Source: https://huggingface.co/docs/hub/api, and of the environment's variables
https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
"""

import json
import os
import re
from urllib.parse import quote, unquote

from paramctl.errors import AbsentError, FileError, UsageError, blaming, find_closest
from paramctl.remote import Choose
from paramctl.remote.addresses import Address, parse
from paramctl.remote.connections import Connections
from paramctl.remote.web import Access, WebSource, read_document

ENDPOINT = "https://huggingface.co"
MAIN = "main"
MAX_TOKEN = 1 << 12
MAX_ANSWER = 25_000_000  # bytes: each file takes about 100 of them
DENIED = (
    "there is no such repository, or it is private: set HF_TOKEN, or run 'hf auth login'; of a "
    "gated one accept the terms first"
)
_URL = re.compile(
    r"hf://(?P<kind>(?:datasets/|spaces/)?)(?P<repository>[\w.-]+(?:/[\w.-]+)?)"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(?P<path>.*))?"
)


def open_hub(url: str, choose: Choose) -> WebSource:
    """Open a file of a repository, or the one that `choose` returns of a folder in it.

    It is read at the commit where the revision is now, whatever is pushed meanwhile.

    Raises:
        UsageError: it is no such URL.
        FileError: there is no such file, or it is not for us.
    """
    parts = _URL.fullmatch(url)
    if not parts:
        what = "names no repository of the Hugging Face Hub"
        raise UsageError(what, hint="hf://ORGANISATION/REPOSITORY@REVISION/FILE", file=url)
    kind, repository, revision, path = parts.groups(default="")
    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    access = Access(Connections(), DENIED)
    with blaming(url):
        revision = quote(unquote(revision or MAIN), safe="")
        listing = f"{endpoint}/api/{kind or 'models/'}{repository}/revision/{revision}"
        commit, names = _parse(read_document(_locate(listing), access, MAX_ANSWER))
        shown = url.removesuffix(f"/{path}").rstrip("/")
        name = _find(path.strip("/"), names, shown, choose)
    file = _locate(f"{endpoint}/{kind}{repository}/resolve/{commit}/{quote(name)}")
    return WebSource(file, access, f"{shown}/{name}")


def _locate(url: str) -> Address:
    token = _read_token()
    return parse(url)._replace(login=f"Bearer {token}" if token else "")


def _read_token() -> str:
    """Return the token of the environment, or that of `hf auth login`; "" where there is none."""
    if token := os.environ.get("HF_TOKEN"):
        return token.strip()
    home = os.environ.get("HF_HOME", os.path.expanduser("~/.cache/huggingface"))
    try:
        with open(os.environ.get("HF_TOKEN_PATH", os.path.join(home, "token"))) as file:
            return file.read(MAX_TOKEN).strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _parse(answer: bytes) -> tuple[str, list[str]]:
    """Return the commit and the names of the files that an answer of the Hub tells."""
    try:
        told = json.loads(answer)
        commit, names = str(told["sha"]), [str(file["rfilename"]) for file in told["siblings"]]
        "".join((commit, *names)).encode()  # lone surrogates make no address
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise FileError("the Hub's answer is not a list of a repository's files") from error
    return commit, names


def _find(path: str, names: list[str], shown: str, choose: Choose) -> str:
    """Return the name of a file in a repository: `path`, or a file in the folder of this name."""
    if path in names:
        return path
    folder = f"{path}/" if path else ""
    held = [name.removeprefix(folder) for name in names if name.startswith(folder)]
    if not held:
        close = find_closest(path, names)
        hint = f"closest: {', '.join(close)}" if close else ""
        raise AbsentError("there is no such file in the repository", hint=hint)
    return folder + choose([name for name in held if "/" not in name], f"{shown}/{path}")
