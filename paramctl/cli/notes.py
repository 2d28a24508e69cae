"""What verbs that change parameters have to say about it."""

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.models.spec import KEY as SPEC
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun

MAX_NAMED = 5  # parameters that a note names


def notes_on_spec(old: Checkpoint, new: Checkpoint) -> tuple[str, ...]:
    """Return what is to be said where the spec that came with a model describes it no more."""
    if SPEC in old.metadata and SPEC not in new.metadata:
        return ("the spec that came with it is left out: it describes other parameters",)
    return ()


def note_overflows(environment: Environment, converted: Checkpoint, dtype: str) -> None:
    """Say how many values their new type had no place for, and of which parameters."""
    from paramctl.edits.casting import count_overflows  # noqa: PLC0415 (loads numpy)

    counts = count_overflows(converted)
    if counts:
        named = ", ".join(f"{count:,} of '{name}'" for name, count in [*counts.items()][:MAX_NAMED])
        more = f", and of {len(counts) - MAX_NAMED} more" if len(counts) > MAX_NAMED else ""
        total = count_noun(sum(counts.values()), "value")
        environment.note(escape(f"{total} too large for {dtype}: {named}{more}"))
