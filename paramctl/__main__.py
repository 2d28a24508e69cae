"""The entry point of the `paramctl` command."""

import gc
import sys

from paramctl.errors import Interruption


def main() -> int:
    """Run the command line and return the exit code."""
    # A listing is many small objects that all live to the end: looking for garbage among them
    # again and again takes half of its time, and once more at the end a quarter of a short one's.
    gc.disable()
    try:
        from paramctl.cli.app import run  # noqa: PLC0415 (so that Ctrl-C while importing is quiet)

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        from signal import SIGINT  # noqa: PLC0415 (only for the end)

        number: int = SIGINT
    except Interruption as end:
        number = end.number
    else:
        gc.freeze()
        return code
    # The error is gone here, and with it what its frames held: a draft whose context was about to
    # be entered or left is discarded.
    from paramctl.cli.environment import die_of_signal  # noqa: PLC0415 (only for the end)

    return die_of_signal(number)


if __name__ == "__main__":
    sys.exit(main())
