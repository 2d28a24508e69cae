"""`paramctl schema`: print the JSON Schema of specs."""

from paramctl.cli.environment import Environment

EXAMPLES = """
$ paramctl schema | python -c "import json, sys; print(json.load(sys.stdin)['title'])"
paramctl spec
"""


def run(environment: Environment) -> None:
    """Print what a spec may hold, as JSON Schema: editors complete and check specs with it."""
    import json  # noqa: PLC0415 (only here)

    from paramctl.models.schema import make_schema  # noqa: PLC0415 (loads torch)

    environment.write(json.dumps(make_schema(), indent=2) + "\n")
