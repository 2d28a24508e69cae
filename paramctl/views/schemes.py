"""Schemes as people read them: a list of all, or a page about one."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from paramctl.init.scheme import Scheme
from paramctl.views.escaping import escape

INDENT = "    "
NARROW = 79
HEADING = 8  # characters of what stands before a fact, with its blanks


def tsv_lines(schemes: Iterable[Scheme]) -> Iterator[str]:
    """Yield name, aliases, parameters, formula and source between tabs."""
    for scheme in schemes:
        cells = (
            scheme.name,
            ", ".join(scheme.aliases),
            call(scheme),
            scheme.formula,
            scheme.source,
        )
        yield "\t".join(escape(cell) or "-" for cell in cells)


def list_lines(schemes: Iterable[Scheme], width: int | None) -> Iterator[tuple[str, bool]]:
    """Yield lines and whether each is a heading: how a scheme is called, above what it is."""
    for scheme in schemes:
        yield escape(call(scheme)), True
        also = f"also {', '.join(scheme.aliases)}" if scheme.aliases else ""
        for text in filter(None, (also, scheme.formula, scheme.source)):
            for line in _fit(INDENT + escape(text), width or NARROW, INDENT):
                yield line, False


def page(scheme: Scheme, width: int | None) -> Iterator[str]:
    """Yield what there is to know about one scheme, in lines of at most `width` cells."""
    yield from _fit(escape(call(scheme)), width, INDENT)
    yield ""
    for line in scheme.summary.splitlines():
        yield from _fit(escape(line), width)
    yield ""
    facts = {
        "formula": scheme.formula,
        "mean": scheme.mean,
        "std": scheme.std,
        "source": scheme.source,
        "aliases": ", ".join(scheme.aliases),
        "from": scheme.origin,
    }
    for heading, text in facts.items():
        if text:
            yield from _fit(f"{heading:{HEADING}}{escape(text)}", width, " " * HEADING)


def _fit(line: str, width: int | None, indent: str = "") -> list[str]:
    """Return a line as it is where it fits, else in several, the further ones indented."""
    if width is None or len(line) <= width:
        return [line]
    return wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)


def call(scheme: Scheme) -> str:
    """Return how a scheme is called, with its defaults."""
    parts = ["weight: scheme, ..."] if scheme.takes_parts else []
    parts += map(str, scheme.parameters)
    return f"{scheme.name}({', '.join(parts)})" if parts else scheme.name
