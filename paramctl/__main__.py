"""The entry point of the `paramctl` command."""

import gc
import sys

from paramctl.errors import Interruption


def main() -> int:
    """Run the command line and return the exit code."""
    # A listing is many small objects that all live to the end: looking for garbage among them
    # again and again takes half of its time.
    gc.disable()
    try:
        from paramctl.cli.app import run  # noqa: PLC0415 (so that Ctrl-C while importing is quiet)

        return run(sys.argv[1:])
    except (KeyboardInterrupt, Interruption) as end:
        from signal import SIGINT  # noqa: PLC0415 (only for the end)

        from paramctl.cli.environment import die_of_signal  # noqa: PLC0415

        die_of_signal(end.number if isinstance(end, Interruption) else SIGINT)


if __name__ == "__main__":
    sys.exit(main())
