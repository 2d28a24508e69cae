"""Labels of the tree, as text that is never markup."""

from rich.text import Text

from paramctl.browse.branches import Branch
from paramctl.browse.catalog import DIFFERENT, FIRST_ONLY, SECOND_ONLY, Catalog
from paramctl.views.clipping import clip
from paramctl.views.escaping import escape

MAX_LABEL = 60  # cells
RED, GREEN, YELLOW, BLUE, DIM = "#f07178", "#8fce7a", "#e5c07b", "#5cb8d6", "dim"
TIE, SHAPE, TYPE = YELLOW, GREEN, BLUE
MARKS = {FIRST_ONLY: RED, SECOND_ONLY: GREEN, DIFFERENT: YELLOW}


def label_of(branch: Branch, catalog: Catalog) -> Text:
    """Return a line of the tree: what it is called, then its shape, or its class and size."""
    label = clip(escape(branch.label) or "''", MAX_LABEL)
    name = branch.name
    if name is None:
        return Text.assemble((label, "italic"), "  ", (f"{len(branch.inside):,}", DIM))
    if catalog.is_parameter(name):
        return _parameter(label, name, catalog)
    differing = catalog.differing[name]
    return _spaced(
        (label, "bold"),
        (escape(catalog.types.get(name, "")), TYPE),
        (f"{catalog.numel(name):,}", DIM),
        (f"{differing:,} {DIFFERENT}" if differing else "", MARKS[DIFFERENT]),
    )


def _parameter(label: str, name: str, catalog: Catalog) -> Text:
    row, mark = catalog.row(name), catalog.marks.get(name, "")
    return _spaced(
        (mark, MARKS.get(mark, "")),
        (label, MARKS.get(mark, "")),
        ("" if row.shape is None else str(list(row.shape)), SHAPE),
        (f"= {clip(escape(row.tied), MAX_LABEL)}" if row.tied else "", TIE),
    )


def _spaced(*parts: tuple[str, str]) -> Text:
    return Text("  ", end="").join(Text(text, style) for text, style in parts if text)
