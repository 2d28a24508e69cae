"""UTF-8, strictly."""

from paramctl.errors import MalformedError


def decode_utf8(data: bytes, what: str) -> str:
    """Decode strictly: `json.loads` would guess UTF-16 and take a byte order mark.

    Raises:
        MalformedError: `data` is not UTF-8; names the first wrong byte.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"{what} is not UTF-8: byte 0x{data[error.start]:02x}", where=f"offset {error.start}"
        ) from error
