"""The entry point of the `paramctl` command."""

import sys


def main() -> int:
    """Run the command line and return the exit code."""
    try:
        from paramctl.cli.app import run  # noqa: PLC0415 (so that Ctrl-C while importing is quiet)

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        from signal import SIGINT  # noqa: PLC0415 (only for the end)

        from paramctl.cli.environment import die_of_signal  # noqa: PLC0415

        die_of_signal(SIGINT)


if __name__ == "__main__":
    sys.exit(main())
