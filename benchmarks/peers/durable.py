"""What save_file leaves out, and paramctl does: to wait until a file is on the disk."""

import os


def sync(path: str) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
