"""Files in buckets, `s3://BUCKET/KEY` and `gs://BUCKET/KEY`, by fsspec's file systems."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paramctl.errors import AbsentError, DeniedError, FileError, ParamctlError, UsageError
from paramctl.remote import Choose
from paramctl.remote.windows import WINDOW, FarSource

PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}  # each is an extra of ours by the scheme's name
LOG_IN = {
    "s3": "set AWS_PROFILE or AWS_ACCESS_KEY_ID; a public bucket needs FSSPEC_S3_ANON=true",
    "gs": "run 'gcloud auth application-default login'; a public bucket needs FSSPEC_GS_TOKEN=anon",
}
VERSIONS = ("ETag", "etag", "VersionId", "generation")  # what changes when an object does


def open_bucket(url: str, choose: Choose) -> "BucketSource":
    """Open an object, or the one that `choose` returns of those below a prefix.

    Raises:
        UsageError: the file system of its scheme is not installed.
        FileError: it is not there, or not for us.
    """
    scheme, _, path = url.partition("://")
    with _explaining(url):
        system = _open_system(scheme)
        facts = system.info(path)
        if facts["type"] == "directory":
            names = [posixpath.basename(each) for each in system.ls(path, detail=False)]
            url = f"{url.rstrip('/')}/{choose(names, url)}"
            facts = system.info(url.partition("://")[2])
    return BucketSource(system, url, facts)


def _open_system(scheme: str) -> Any:
    import fsspec  # noqa: PLC0415 (takes 0.1 s)

    try:
        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        what = f"{scheme}:// needs {PACKAGES[scheme]}"
        raise UsageError(what, hint=f"pip install 'paramctl[{scheme}]'") from error


class BucketSource(FarSource):
    """An object in a bucket."""

    def __init__(self, system: Any, url: str, facts: dict[str, Any]) -> None:
        self._system = system
        self._path = url.partition("://")[2]
        self._version = _version_of(facts)
        self.name = url
        size = facts["size"]
        super().__init__(url, size, self._fetch(0, min(size, WINDOW)))

    def beside(self, name: str, *, follow: bool = True) -> "BucketSource | None":  # noqa: ARG002 (there are no links)
        """Return the object of this name at the same prefix; None where there is none."""
        url = f"{self.name.rpartition('/')[0]}/{name}"
        try:
            with _explaining(url):
                facts = self._system.info(url.partition("://")[2])
        except AbsentError:
            return None
        return BucketSource(self._system, url, facts)

    def _fetch(self, begin: int, end: int) -> bytes:
        if begin == end:
            return b""
        with _explaining(self.name):
            data: bytes = self._system.cat_file(self._path, start=begin, end=end)
        if len(data) != end - begin:
            what = f"{len(data)} bytes came of the {end - begin} that were asked for; try again"
            raise FileError(what, file=self.name)
        return data

    def check_unchanged(self) -> None:
        """Raise FileError if the object is not the one that was opened."""
        with _explaining(self.name):
            facts = self._system.info(self._path)
        if _version_of(facts) != self._version:
            raise FileError("file changed while it was read; try again", file=self.name)


def _version_of(facts: dict[str, Any]) -> tuple[Any, ...]:
    return facts["size"], *(facts.get(key) for key in VERSIONS)


@contextmanager
def _explaining(url: str) -> Iterator[None]:
    """Turn whatever a file system raises into an error of ours."""
    log_in = LOG_IN[url.partition("://")[0]]
    try:
        yield
    except ParamctlError:
        raise
    except FileNotFoundError as error:
        raise AbsentError("there is no such object", file=url) from error
    except PermissionError as error:
        raise DeniedError("access is denied", hint=log_in, file=url) from error
    except Exception as error:
        raise FileError(f"{type(error).__name__}: {error}", hint=log_in, file=url) from error
