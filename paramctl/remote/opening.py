"""Where a URL leads: to a server of the web, to the Hugging Face Hub, or to a bucket."""

from paramctl.remote import Choose
from paramctl.sources import Source


def open_url(url: str, choose: Choose) -> Source:
    """Open a file at a URL; of a folder there, the file that `choose` returns.

    Raises:
        UsageError: it is no URL, or a package is missing.
        FileError: the server does not serve it in parts, or does not answer as it should.
        UnsafeError: it redirects to where no model is.
    """
    scheme = url.partition("://")[0]
    if scheme in ("http", "https"):
        from paramctl.remote.web import open_web  # noqa: PLC0415 (a remote file is seldom)

        return open_web(url)
    if scheme == "hf":
        from paramctl.remote.hub import open_hub  # noqa: PLC0415 (the same)

        return open_hub(url, choose)
    from paramctl.remote.buckets import open_bucket  # noqa: PLC0415 (the same)

    return open_bucket(url, choose)
