"""How `--help` looks: Typer's panels, less what says nothing, and examples as they are."""

from textwrap import indent
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    _Base = TyperCommand
else:
    _Base = object


class _Manual(_Base):
    """A command whose help it is; Typer's epilog holds its examples."""

    def __init__(self, *args: Any, epilog: str = "", **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.examples = epilog

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters; flags and arguments without what Typer says of their types."""
        params = super().get_params(ctx)
        for param in params:
            if not isinstance(param, TyperOption) or param.is_flag:
                vars(param)["display_type_rich"] = lambda ctx: None  # noqa: ARG005
            if isinstance(param, TyperArgument):
                usage = [param.metavar]  # as it stands, not in brackets
                vars(param)["get_usage_pieces"] = lambda ctx, usage=usage: usage  # noqa: ARG005
        return params

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; the examples line by line, never wrapped, nor read as markup."""
        super().format_help(ctx, formatter)
        typer.echo(f"\n Examples:\n\n{indent(self.examples.strip(), ' ')}")


class VerbCommand(_Manual, TyperCommand):
    """A verb."""


class ManualGroup(_Manual, TyperGroup):
    """The program."""
