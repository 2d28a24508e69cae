"""A model in several files of at most a size, as Hugging Face lays it out."""

from paramctl.checkpoint import Checkpoint
from paramctl.writer import metadata
from paramctl.writer.contents import choose
from paramctl.writer.layout import Files
from paramctl.writer.options import WriteOptions
from paramctl.writer.safetensors import lay_out
from paramctl.writer.shards import INDEX, PATTERN, SINGLE, divide, index_of, name_shards


def plan_shards(checkpoint: Checkpoint, options: WriteOptions) -> Files:
    """Plan files of at most the size that the options say, and their index.

    Raises:
        ParamctlError: the model cannot be written; the class says why.
    """
    contents = choose(checkpoint, options)
    shards = divide(contents.entries, options.max_shard_size or 0)
    named = dict(zip(name_shards(len(shards)), shards, strict=True))
    if len(named) == 1:
        texts = metadata.of_file(checkpoint, contents.aliases)
        notes = contents.notes + metadata.note_namesakes(checkpoint, texts)
        return Files({SINGLE: lay_out(shards[0], texts)}, {}, PATTERN, notes)
    total = sum(entry.nbytes for entry in contents.entries)
    told = metadata.of_index(checkpoint, contents.aliases, total)
    notes = contents.notes + metadata.note_namesakes(checkpoint, told)
    layouts = {name: lay_out(shard, metadata.of_shard(checkpoint)) for name, shard in named.items()}
    return Files(layouts, {INDEX: index_of(named, told)}, PATTERN, notes)
