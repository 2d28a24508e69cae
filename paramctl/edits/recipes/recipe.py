"""A recipe: a document of variables and rules.

    source: where its formulas come from
    vars:
      n_layer: count("h.*")
    rules:
      - "**.c_attn.weight": xavier_uniform
        layout: in_out
        split: 3
      - "**.weight": normal(std=0.02 / sqrt(2 * n_layer))
      - "**.mask": keep

A rule has an address with its scheme, and maybe `fan`, `layout` and `split`.
"""

from collections.abc import Mapping
from contextlib import suppress

import yaml

from paramctl.addresses import find_nodes
from paramctl.checkpoint import Checkpoint
from paramctl.documents import (
    error_at,
    placing,
    read_document,
    read_list,
    read_mapping,
    read_text,
)
from paramctl.doors import Spelling
from paramctl.edits.recipes.variables import read_variables
from paramctl.edits.rules import WEIGHTS_OF_LAYERS, Rule, parse_or_keep
from paramctl.errors import ExpressionError, NoMatchError
from paramctl.expressions.evaluation import CONSTANTS, evaluate_number
from paramctl.expressions.parser import parse
from paramctl.expressions.quoting import closest, quoting
from paramctl.init.language import BoundScheme, names_a_file
from paramctl.init.targets import Layout

PARTS = ("source", "vars", "rules")
MAX_NODES = 2_000  # hundreds of rules, parsed in a fraction of a second
OPTIONS = ("fan", "layout", "split")
LAYOUTS: Mapping[str, Layout] = {"out_in": "out_in", "in_out": "in_out"}

Variables = dict[str, float]


def read_rules(data: bytes, name: str, checkpoint: Checkpoint) -> list[Rule]:
    """Return the rules of the recipe in `data` for a model, in their order.

    Raises:
        UsageError: something in it is wrong; says at which line and column.
    """
    root = read_document(data, MAX_NODES)
    parts = read_mapping(root, "a recipe", PARTS)
    if "source" in parts:
        read_text(parts["source"], "the source")
    if "rules" not in parts:
        raise error_at(root, "a recipe without rules")
    variables = read_variables(parts["vars"], checkpoint) if "vars" in parts else {}
    rules = []
    for node in read_list(parts["rules"], "rules"):
        rules.append(_read_rule(node, name, variables))
        _check_address(node, rules[-1].address, checkpoint)
    return rules


def _read_rule(node: yaml.Node, recipe: str, variables: Variables) -> Rule:
    members = read_mapping(node, "a rule")
    addresses = [key for key in members if key not in OPTIONS]
    if len(addresses) != 1:
        listed = ", ".join(f"'{address}'" for address in addresses[:3])
        what = f"a rule with more than one address: {listed}" if listed else "a rule for nothing"
        raise error_at(node, what, hint=f"its options are {', '.join(OPTIONS)}")
    address = addresses[0]
    return Rule(
        f"{recipe}: {address}",
        address.strip(),
        _read_scheme(members[address], variables),
        WEIGHTS_OF_LAYERS,
        _read_layout(members.get("layout")),
        _read_fans(members.get("fan"), variables),
        _read_whole(members["split"], "split", variables) if "split" in members else 1,
        is_optional=True,
    )


def _check_address(node: yaml.Node, address: str, checkpoint: Checkpoint) -> None:
    """Refuse what is no address, while it can be told where; only brackets can be wrong."""
    if "[" in address:
        with placing(node), suppress(NoMatchError):
            find_nodes(checkpoint.entries, address)


def _read_scheme(node: yaml.Node, variables: Variables) -> BoundScheme | None:
    text = read_text(node, "a scheme")
    if names_a_file(text):
        hint = ("give it ", Spelling("a --rule", "an init()"), " of its own")
        raise error_at(node, "a recipe runs no Python file", hint=hint)
    with placing(node, _hint(variables)):
        return parse_or_keep(text, CONSTANTS | variables)


def _read_layout(node: yaml.Node | None) -> Layout:
    if node is None:
        return ""
    text = read_text(node, "layout")
    if text not in LAYOUTS:
        raise error_at(node, f"no layout '{text}'", hint=closest(text, LAYOUTS))
    return LAYOUTS[text]


def _read_fans(node: yaml.Node | None, variables: Variables) -> tuple[int, int] | None:
    if node is None:
        return None
    items = read_list(node, "fan")
    if len(items) != 2:
        raise error_at(node, "fan is no pair", hint="write [fan_in, fan_out]")
    fan_in, fan_out = (_read_whole(item, "a fan", variables) for item in items)
    return fan_in, fan_out


def _read_whole(node: yaml.Node, what: str, variables: Variables) -> int:
    """Return a whole number above 0, given as an expression."""
    text = read_text(node, what)
    with placing(node, _hint(variables)), quoting(text):
        value = evaluate_number(parse(text), CONSTANTS | variables)
        if value < 1 or value != int(value):
            raise ExpressionError(f"{what} is a whole number above 0", 0)
    return int(value)


def _hint(variables: Variables) -> str:
    """Return what the variables are, for an error in an expression."""
    return ", ".join(f"{name} = {value:g}" for name, value in variables.items())
