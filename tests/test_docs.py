"""The documentation is whole: every verb and every scheme has its example, and examples hold.

What the examples print is checked by `docs/check.py`.
"""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from paramctl.cli.verbs import VERBS
from paramctl.init import registry
from paramctl.init.distributions import Uniform
from paramctl.init.streams import Stream

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
COMMANDS = [
    line
    for page in PAGES
    for line in re.findall(r"^(?:\$ .*|eval .*|.*\| source.*)$", page.read_text(), re.MULTILINE)
]
SCHEMES = [scheme.name for scheme in registry.all_schemes()]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_examples(verb: str) -> None:
    assert any(f"paramctl {verb}" in command for command in COMMANDS)
    assert f"paramctl {verb}" in import_module(f"paramctl.cli.{verb}").EXAMPLES


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_an_example(scheme: str) -> None:
    use = re.compile(rf"paramctl init .*(?:-s|--scheme) '?{scheme}\b")
    assert any(use.search(command) for command in COMMANDS)


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert all(f"(docs/{page.name})" in readme for page in PAGES[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_numpy_draws_a_parameter_again() -> None:
    script = subprocess.run(
        [sys.executable, ROOT / "docs" / "redraw.py"], capture_output=True, check=True, text=True
    )
    redrawn = np.array(script.stdout.strip("[]\n").split(), np.float32)
    drawn = Uniform(-1.0, 1.0).sample(Stream(7, "0.weight"), 0, 4)
    assert redrawn.tobytes() == np.asarray(drawn).tobytes()
