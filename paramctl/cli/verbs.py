"""Verbs: each lives in a file of `paramctl.cli` that is imported when it is asked for.

A verb's file has EXAMPLES, and `run`, whose parameters are an Environment, the arguments, and the
options that are the verb's own. What several verbs share it takes as one value: a parameter
annotated with a NamedTuple of options, such as `reading: Reading`, is filled from them.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, NamedTuple, get_type_hints

import typer

from paramctl.cli.manual import VerbCommand
from paramctl.cli.options import Output

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class Verb(NamedTuple):
    """A verb: the panel of the help that it stands in, and its line there."""

    panel: str
    help: str


VERBS = {
    "ls": Verb("Look", "List a model's parameters: names, shapes, dtypes, sizes, ties."),
    "show": Verb("Look", "Show the values of a parameter, a slice of one, or a whole layer."),
    "meta": Verb("Look", "Show what a file says beside its tensors, or change it."),
    "diff": Verb("Look", "Compare two models: names, shapes, types, ties, values."),
    "print": Verb("Look", "Print the tree of modules, as Python's print(net) does."),
    "stats": Verb("Look", "Show what values come to: mean, spread, extremes, zeros, NaN."),
    "check": Verb("Look", "Find NaN, Inf, dead rows, duplicates, and what a spec has otherwise."),
    "plot": Verb("Look", "Draw histograms, heat maps, spectra (pictures in files: extra plot)."),
    "report": Verb("Look", "Make one page of a model: HTML that works offline (extra: report)."),
    "browse": Verb("Look", "Look through a model, or two, with the keyboard (extra: browse)."),
    "probe": Verb("Look", "Run a model: outputs, gradients, a few steps of training."),
    "init": Verb("Change", "Fill parameters with the values of a scheme."),
    "set": Verb("Change", "Change values: '0.weight += 1' '*.bias = 0'."),
    "tie": Verb("Change", "Make layers or parameters one."),
    "untie": Verb("Change", "Give tied parameters values of their own."),
    "convert": Verb("Change", "Write .safetensors, .pt, .npz, .dcp, .onnx; or other types."),
    "merge": Verb("Change", "Put the parameters of several models into one."),
    "rename": Verb("Change", "Rename layers and parameters: 's/^module\\.//' 'OLD -> NEW'."),
    "drop": Verb("Change", "Leave layers or parameters out."),
    "extract": Verb("Change", "Make a layer a model of its own, or keep some parameters alone."),
    "graft": Verb("Change", "Start a model from the values of another that fit."),
    "resize": Verb("Change", "Let parameters grow or shrink: a larger vocabulary."),
    "schemes": Verb("Look", "List the schemes that init knows, or explain one."),
    "schema": Verb("Shell", "Print the JSON Schema of specs, for editors."),
    "completion": Verb("Shell", "Print what makes a shell complete verbs, options and names."),
}


def load_verb(name: str) -> Any:
    """Import a verb and make it a command."""
    verb, module = VERBS[name], import_module(f"paramctl.cli.{name}")
    single = typer.Typer(add_completion=False)
    single.command(
        name,
        cls=VerbCommand,
        help=verb.help,
        context_settings=HELP_NAMES,
        rich_help_panel=verb.panel,
        epilog=module.EXAMPLES,
    )(spread_options(module.run))
    return typer.main.get_command(single)


def spread_options(run: Callable[..., None]) -> Callable[..., None]:
    """Return a verb as Typer reads one: with every shared option as a parameter of its own."""
    _, *own = signature(run).parameters.values()
    groups = {each.name: each.annotation for each in own if _is_group(each.annotation)}

    def command(ctx: typer.Context, **values: Any) -> None:
        ctx.obj.color, ctx.obj.quiet = _gather(Output, values)
        gathered = {name: _gather(group, values) for name, group in groups.items()}
        run(ctx.obj, **values, **gathered)

    single = [each for each in own if each.name not in groups]
    shared = [option for group in (Output, *groups.values()) for option in _options(group)]
    context = Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    vars(command)["__signature__"] = signature(run).replace(
        parameters=[context, *single, *shared], return_annotation=None
    )
    return command


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "_fields")


def _options(group: Any) -> Iterator[Parameter]:
    for name, annotation in get_type_hints(group, include_extras=True).items():
        default = group._field_defaults[name]
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _gather(group: Any, values: dict[str, Any]) -> Any:
    """Take the options of a group out of `values` and return them as one."""
    return group(*(values.pop(name) for name in group._fields))
