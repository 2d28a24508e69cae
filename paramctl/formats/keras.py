"""Keras's `.keras` files: a zip archive of an HDF5 file with the weights, and of JSON.

Source: keras/src/saving/saving_lib.py of Keras 3.
"""

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.hdf5.file import CONFIG, fill
from paramctl.formats.keras_config import read_config
from paramctl.formats.strict_json import load_json
from paramctl.formats.utf8 import decode_utf8
from paramctl.formats.zip_members import open_member, read_member
from paramctl.formats.zips import STORED, Member, read_directory
from paramctl.inputs import store
from paramctl.slices import MAX_EXPANDED, MAX_TIMES
from paramctl.sources import CHUNK, Source

WEIGHTS, CONFIG_FILE, METADATA_FILE = "model.weights.h5", "config.json", "metadata.json"
MAX_TEXT = 64 << 20  # bytes of a config; that of a large model takes 1 MB


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read the archive's directory, its texts, and of the weights where they lie.

    Raises:
        MalformedError: it has no weights, or is broken.
        LimitError: it inflates to far more than it holds.
        UsageError: h5py is not installed.
    """
    members = read_directory(source)
    if WEIGHTS not in members:
        raise MalformedError(f"a Keras archive without {WEIGHTS}; it holds {', '.join(members)}")
    config = _read_text(source, members, CONFIG_FILE)
    checkpoint = Checkpoint(source.name, "keras", {})
    fill(checkpoint, _open_weights(source, members[WEIGHTS]), options, read_config(config))
    told = load_json(_read_text(source, members, METADATA_FILE).encode(), METADATA_FILE)
    if not isinstance(told, dict):
        raise MalformedError(f"{METADATA_FILE} is no object")
    checkpoint.metadata |= {**told, CONFIG: config}
    return checkpoint


def _read_text(source: Source, members: dict[str, Member], name: str) -> str:
    if name not in members:
        raise MalformedError(f"a Keras archive without {name}")
    return decode_utf8(read_member(source, members[name], MAX_TEXT), name)


def _open_weights(source: Source, member: Member) -> Source:
    """Return the weights as a source for random access: where they are packed, unpacked."""
    weights = open_member(source, member)
    if member.method == STORED:
        return weights
    if member.size > max(MAX_EXPANDED, MAX_TIMES * member.packed):
        raise LimitError(f"{WEIGHTS} inflates from {member.packed} bytes to {member.size}")
    begins = range(0, member.size, CHUNK)
    chunks = (weights.read(begin, min(CHUNK, member.size - begin)) for begin in begins)
    return store(chunks, source.name)
