"""The rooms of the package: imports point one way, and start-up loads only what it needs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from program import PARAMCTL
from safetensors_rows import header, tensor

from paramctl.layer_types import KEY
from paramctl.models.spec import KEY as SPEC

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "paramctl"
FLOORS = [
    ["paramctl.doors"],
    ["paramctl", "paramctl.descriptors", "paramctl.errors", "paramctl.dtypes"],
    [
        "paramctl.allocation",
        "paramctl.few",
        "paramctl.grids",
        "paramctl.groups",
        "paramctl.layers",
        "paramctl.lists",
        "paramctl.outline",
        "paramctl.sources",
    ],
    [
        "paramctl.checkpoint",
        "paramctl.derived",
        "paramctl.inputs",
        "paramctl.remote",
        "paramctl.widening",
    ],
    ["paramctl.layer_types", "paramctl.patterns", "paramctl.slices", "paramctl.ties"],
    ["paramctl.quantized", "paramctl.walks"],
    ["paramctl.addresses", "paramctl.arrays", "paramctl.expressions", "paramctl.narrowing"],
    [
        "paramctl.contents",
        "paramctl.conversion",
        "paramctl.documents",
        "paramctl.runs",
        "paramctl.user_code",
    ],
    ["paramctl.passes"],
    ["paramctl.diff", "paramctl.stats"],
    ["paramctl.init", "paramctl.models"],
    ["paramctl.formats"],
    ["paramctl.edits", "paramctl.writer"],
    ["paramctl.check", "paramctl.probe"],
    ["paramctl.export", "paramctl.signatures", "paramctl.views"],
    ["paramctl.report"],
    ["paramctl.inspected"],
    ["paramctl.model"],
    ["paramctl.opening"],
    ["paramctl.browse"],
    ["paramctl.cli"],
    ["paramctl.__main__"],
]
"""From the ground up: a module may import from its own floor's room and from below."""

HEAVY = {
    "torch",
    "numpy",
    "yaml",
    "fsspec",
    "importlib.metadata",
    "pickle",
    "zipfile",
    "safetensors",
}
HELLO = """
import typer
app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)
@app.command()
def main(name: str) -> None:
    print(name)
app(["x"], standalone_mode=False)
"""
REPORT = "\nimport json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Return the package's modules that a file imports anywhere, type checking apart."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) not in skipped:
            found |= imported_by(node)
    return {name for name in found if name.split(".")[0] == "paramctl"}


def imported_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {f"{node.module}.{alias.name}" for alias in node.names} & KNOWN or {node.module}
    return set()


def floor_of(module: str) -> int:
    return max(
        floor
        for floor, rooms in enumerate(FLOORS)
        for room in rooms
        if module == room or (module.startswith(f"{room}.") and room != "paramctl")
    )


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
KNOWN = set(FILES)


@pytest.mark.parametrize(
    ("code", "imported"),
    [
        ("import paramctl.ties", {"paramctl.ties"}),
        ("def f():\n import os, paramctl.ties as t", {"paramctl.ties"}),
        ("from paramctl import ties", {"paramctl.ties"}),
        ("from paramctl.ties import NO_ALIAS", {"paramctl.ties"}),
        ("if TYPE_CHECKING:\n import paramctl.cli\n from paramctl import views", set()),
        ("if TYPE_CHECKING:\n pass\nelse:\n from paramctl import ties", {"paramctl.ties"}),
    ],
)
def test_every_way_to_import_is_seen(code: str, imported: set[str], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(code)
    assert imports_of(tmp_path / "module.py") == imported


@pytest.mark.parametrize("module", FILES)
def test_imports_point_down_or_stay_in_the_room(module: str) -> None:
    for imported in imports_of(FILES[module]) - {module}:
        if module == "paramctl":  # the door opens lazily on what stands above it
            continue
        same_room = module.split(".")[:2] == imported.split(".")[:2]
        assert floor_of(imported) < floor_of(module) or same_room, f"{module} imports {imported}"


def test_imports_have_no_cycle() -> None:
    graph = {module: imports_of(path) - {module, "paramctl"} for module, path in FILES.items()}
    graph["paramctl"] = set()
    while leaves := [module for module, below in graph.items() if not below & graph.keys()]:
        for module in leaves:
            del graph[module]
    assert not graph, f"these import one another: {sorted(graph)}"


def loaded_modules(code: str) -> set[str]:
    run = subprocess.run([sys.executable, "-c", code + REPORT], capture_output=True, check=True)
    return set(json.loads(run.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "sample", ["mlp.safetensors", "mlp.pt", "gpt2", "legacy.pt", "mlp.npz", "llama.gguf"]
)
def test_a_piped_ls_loads_nothing_heavy_that_typer_does_not(sample: str) -> None:
    assert not heavy_modules_of_ls(ROOT / "sample_models" / sample)


def test_nor_does_one_of_a_file_that_tells_its_layers_and_its_spec(tmp_path: Path) -> None:
    metadata = json.dumps({KEY: '{"0":"Linear"}', SPEC: '{"layers": [{"Linear": [1, 1]}]}'})
    text = f'{{"__metadata__":{metadata},"0.weight":{tensor("F32", "[1,1]", 0, 4)}}}'
    (tmp_path / "x").write_bytes(header(text, bytes(4)))
    assert not heavy_modules_of_ls(tmp_path / "x")


def heavy_modules_of_ls(path: Path) -> set[str]:
    """Return the heavy modules that a piped listing loads and that Typer by itself does not."""
    listing = f"from paramctl.cli.app import run\nassert run(['ls', {str(path)!r}]) == 0\n"
    heavy = loaded_modules(listing) - loaded_modules(HELLO)
    return {name for name in heavy if name in HEAVY or name.split(".")[0] in HEAVY | {"rich"}}


def test_version_loads_no_reader() -> None:
    code = "from paramctl.cli.app import run\nassert run(['--version']) == 0\n"
    assert not {name for name in loaded_modules(code) if name.startswith("paramctl.formats")}


def test_the_program_is_installed() -> None:
    assert Path(PARAMCTL).exists()
