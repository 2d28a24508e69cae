"""`--type CLASS`: every verb that takes addresses keeps to what is in layers of the class."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from forks import Forks
from safetensors.torch import load_file
from specs import built, described
from torch import nn

import paramctl as package
from paramctl.errors import UsageError
from paramctl.layer_types import keep_types

SAMPLES = Path(__file__).parents[1] / "sample_models"
SPEC = """
layers:
  - {name: emb, Embedding: [6, 4]}
  - name: body
    residual: [{LayerNorm: 4}, {Linear: [4, 4]}, {layers: [{Linear: [4, 4]}, ReLU]}]
  - {name: head, Linear: {in_features: 4, out_features: 6, bias: false}}
tie: {head.weight: emb.weight}
"""
LINEAR = ["body.1.bias", "body.1.weight", "body.2.0.bias", "body.2.0.weight", "head.weight"]
NAMES = ["body.0.bias", "body.0.weight", *LINEAR[:-1], "emb.weight", "head.weight"]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A file whose head is tied to its embedding, and that knows its layers."""
    (tmp_path / "net.yaml").write_text(SPEC)
    package.open(tmp_path / "net.yaml").init("normal", seed=0, bias="normal").save(tmp_path / "net")
    return tmp_path / "net"


def state_of(path: Path) -> dict[str, torch.Tensor]:
    """Return every name's values, those of aliases too."""
    aliases = package.open(path).aliases
    state = load_file(path)
    return state | {alias: state[stored] for alias, stored in aliases.items()}


def changed(before: Path, after: Path) -> list[str]:
    old, new = state_of(before), state_of(after)
    assert old.keys() == new.keys()
    return sorted(name for name in old if not torch.equal(old[name], new[name]))


def expected(module: nn.Module, class_name: str) -> set[str]:
    """Return what torch saves of all modules of a class, under its names in the whole."""
    return {
        ".".join(filter(None, (path, name)))
        for path, part in module.named_modules(remove_duplicate=False)
        if type(part).__name__ == class_name
        for name in part.state_dict()
    }


@pytest.mark.parametrize(
    "text", [SPEC, *((SAMPLES / f"{n}.yaml").read_text() for n in ("gpt", "cnn"))]
)
def test_what_is_kept_is_what_torch_has_in_modules_of_the_class(text: str) -> None:
    checkpoint, module = described(text), built(text)
    tested = 0
    for class_name in {type(part).__name__ for part in module.modules()}:
        if names := expected(module, class_name):
            kept = keep_types(checkpoint, checkpoint.entries, [class_name])
            assert kept == [name for name in checkpoint if name in names]
            tested += len(names) < len(checkpoint)
        else:
            with pytest.raises(
                UsageError, match=f"no parameter is in a layer of class '{class_name}'"
            ):
                keep_types(checkpoint, checkpoint.entries, [class_name])
    assert tested


def test_layers_within_layers_of_the_class_and_names_alike_are_kept_apart() -> None:
    text = (
        "layers: [{name: a, layers: [{layers: [{Linear: [1, 1]}]}]}, {name: a b, Linear: [1, 1]}]"
    )
    checkpoint = described(text)
    checkpoint.types |= {"a": "Box", "a.0": "Box"}
    assert keep_types(checkpoint, checkpoint.entries, ["Box"]) == ["a.0.0.weight", "a.0.0.bias"]
    assert keep_types(checkpoint, checkpoint.entries, ["Box", "Linear"]) == list(checkpoint)


def test_several_classes_are_either_and_none_is_all(net: Path) -> None:
    model = package.open(net)
    assert keep_types(model, list(model), []) == list(model)
    either = keep_types(model, list(model), ["LayerNorm", "Embedding"])
    assert sorted(either) == ["body.0.bias", "body.0.weight", "emb.weight"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--type", "Linear"], LINEAR),
        (["--type", "Residual"], NAMES[:-2]),
        (["--type", "Sequential"], NAMES),
        (["--type", "Linear", "--type", "Embedding"], NAMES[2:]),
        (["**.bias", "--type", "Linear"], ["body.1.bias", "body.2.0.bias"]),
        (["[1]", "[0]", "--type=LayerNorm"], ["body.0.bias", "body.0.weight"]),
        (["--ties", "--type", "Linear"], ["emb.weight", "head.weight"]),
    ],
)
def test_ls_lists_what_is_in_the_layers(
    arguments: list[str], names: list[str], net: Path, forks: Forks
) -> None:
    run = forks.run("ls", net, *arguments, "--format", "names")
    assert (run.code, sorted(run.out.splitlines()), run.err) == (0, names, "")


def test_show_shows_what_is_in_the_layers(net: Path, forks: Forks) -> None:
    run = forks.run("show", net, "**.bias", "body.1.weight[0]", "emb", "--type", "Linear")
    heads = [line.split("  ")[0] for line in run.out.splitlines() if "  ·  " in line]
    assert heads == ["body.1.bias", "body.2.0.bias", "body.1.weight[0]"]
    assert forks.run("show", net, "--type", "LayerNorm").out.count("grad: none stored") == 2


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--type", "Linear", "-s", "constant(7)"], ["emb.weight", *LINEAR]),
        (["--type", "LayerNorm", "-s", "constant(7)", "--norm", "zeros"], NAMES[:2]),
        (["--type", "Linear", "body", "-s", "ones"], LINEAR[:-1]),
        (["--type", "Linear", "--rule", "**.bias=ones"], ["body.1.bias", "body.2.0.bias"]),
    ],
)
def test_init_fills_what_is_in_the_layers(
    arguments: list[str], names: list[str], net: Path, forks: Forks
) -> None:
    out = net.with_name("out")
    run = forks.run("init", net, *arguments, "-o", out)
    assert (run.code, "kept" in run.err) == (0, "--rule" in arguments)
    assert changed(net, out) == sorted(names)


def test_init_of_a_spec_gives_the_other_layers_pytorch_s_own(net: Path, forks: Forks) -> None:
    spec, out, own = net.with_name("net.yaml"), net.with_name("out"), net.with_name("own")
    run = forks.run("init", spec, "--type", "LayerNorm", "-s", "ones", "--norm", "constant(7)",
                    "--seed", "0", "-o", out)  # fmt: skip
    assert run.code == 0
    assert forks.run("init", spec, "--seed", "0", "-o", own).code == 0
    assert changed(own, out) == ["body.0.weight"]  # a LayerNorm's bias is zero in either case


def test_set_changes_what_is_in_the_layers_and_what_is_tied_to_it(net: Path, forks: Forks) -> None:
    out = net.with_name("out")
    run = forks.run("set", net, "**.weight += 1", "body.[0-1].bias = 0.weight", "-o", out)
    assert run.code == 2  # the right side is not looked up in the layers alone
    statements = ("**.weight += 1", "**.bias = body.0.bias")
    assert forks.run("set", net, *statements, "--type", "Linear", "-o", out).code == 0
    assert changed(net, out) == sorted(["emb.weight", *LINEAR])
    old, new = state_of(net), state_of(out)
    assert torch.equal(new["emb.weight"], old["emb.weight"] + 1)
    assert torch.equal(new["body.1.bias"], old["body.0.bias"])
    plan = forks.run("set", net, *statements, "--type", "LayerNorm", "--dry-run").out
    assert [line.split("\t")[0] for line in plan.splitlines()] == NAMES[:2]


def test_tie_equal_ties_what_is_in_the_layers(net: Path, forks: Forks) -> None:
    same = net.with_name("same")
    copy = ("body.2.0.weight = body.1.weight", "body.0.bias = body.1.bias")
    assert forks.run("set", net, *copy, "-o", same).code == 0
    tied = partial(tied_by, forks, same, "tie", "--equal")
    assert tied() == {"body.1.weight", "body.2.0.weight", "body.0.bias", "body.1.bias"}
    assert tied("--type", "Linear") == {"body.1.weight", "body.2.0.weight"}
    assert tied("--type", "LayerNorm") == set()


@pytest.mark.parametrize("class_name", ["Linear", "Embedding"])
def test_untie_parts_a_tie_by_the_class_of_any_of_its_names(
    class_name: str, net: Path, forks: Forks
) -> None:
    out = net.with_name("out")
    assert forks.run("untie", net, "--type", class_name, "-o", out).code == 0
    assert (package.open(net).aliases, package.open(out).aliases) == (
        {"head.weight": "emb.weight"},
        {},
    )
    assert changed(net, out) == []
    refused = forks.run("untie", net, "--type", "LayerNorm", "-o", out, "--force")
    assert (refused.code, "nothing to untie" in refused.err) == (2, True)


def tied_by(forks: Forks, model: Path, *arguments: str) -> set[str]:
    """Return the names that a verb has tied, beside what was tied before."""
    out = model.with_name("tied")
    run = forks.run(arguments[0], model, *arguments[1:], "-o", out, "--force")
    assert run.code == 0
    ties = package.open(out).aliases.items()
    return {name for tie in ties for name in tie} - {"emb.weight", "head.weight"}


CALLS: dict[str, Callable[[Path], list[str | Path]]] = {
    "ls": lambda net: ["ls", net],
    "show": lambda net: ["show", net],
    "init": lambda net: ["init", net, "-s", "ones", "-n"],
    "set": lambda net: ["set", net, "** = 0", "-n"],
    "tie": lambda net: ["tie", net, "--equal", "-n"],
    "untie": lambda net: ["untie", net, "-n"],
}


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize(
    ("class_name", "message"),
    [
        ("Linera", "no parameter is in a layer of class 'Linera'; closest: Linear"),
        ("linear", "no parameter is in a layer of class 'linear'; closest: Linear"),
        ("", "there is: Embedding, LayerNorm, Linear, Residual, Sequential"),
        ("ReLU", "no parameter is in a layer of class 'ReLU'; there is: Embedding"),
        ("\x1b[31m", "no parameter is in a layer of class '\\x1b[31m'"),
    ],
)
def test_a_class_that_no_layer_has_is_an_error(
    class_name: str, message: str, verb: str, net: Path, forks: Forks
) -> None:
    run = forks.run(*CALLS[verb](net), "--type", "Linear", "--type", class_name)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert run.err.startswith(f"paramctl: {net}: ")
    assert message in run.err


@pytest.mark.parametrize("verb", CALLS)
def test_a_file_that_knows_no_classes_says_so_and_what_to_do(verb: str, forks: Forks) -> None:
    path = SAMPLES / "shared.safetensors"
    run = forks.run(*CALLS[verb](path), "--type", "Linear")
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        f"paramctl: {path}: nothing says of what class its layers are; "
        "a file that paramctl wrote from a spec, or a whole module, knows them\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "{}", "emb"],
        ["show", "{}", "emb", "body.0.bias[0]"],
        ["init", "{}", "emb", "-s", "ones", "-n"],
        ["set", "{}", "**.weight = 0", "emb.weight = 0", "-n"],
        ["tie", "{}", "emb", "body.0", "--equal", "-n"],
        ["untie", "{}", "emb", "-n"],
    ],
)
def test_addresses_of_nothing_in_the_layers_are_an_error(
    arguments: list[str], net: Path, forks: Forks
) -> None:
    run = forks.run(*(each.format(net) for each in arguments), "--type", "Linear")
    assert (run.code, run.out) == (2, "")
    assert run.err == f"paramctl: {net}: nothing that is named is in a layer of class 'Linear'\n"


def test_a_tie_of_named_layers_takes_no_class(net: Path, forks: Forks) -> None:
    run = forks.run("tie", net, "body.1", "body.2.0", "--type", "Linear", "-n")
    assert (run.code, "--type goes with --equal" in run.err) == (2, True)


def test_a_hostile_pickle_s_classes_are_matched_but_not_named() -> None:
    net = package.open(SAMPLES / "fancy_module.pt")
    net.types = {"linear": "x" * 100_000, "": "a\nb"}
    with pytest.raises(UsageError, match="nothing says of what class its layers are"):
        keep_types(net, list(net), ["Linear"])
    assert keep_types(net, list(net), ["a\nb"]) == list(net)
