"""Schemes as people read them: a table of all, or a page about one."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from paramctl.init.scheme import Scheme
from paramctl.views.escaping import escape

GAP = "  "
NARROW = 79


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


def table_lines(schemes: Iterable[Scheme], width: int | None) -> Iterator[str]:
    """Yield each scheme as it is called, with its aliases; under it its formula and its source."""
    for scheme in schemes:
        also = f"  (also {', '.join(scheme.aliases)})" if scheme.aliases else ""
        yield escape(call(scheme)) + also
        for text in (scheme.formula, scheme.source):
            for line in wrap(escape(text), (width or NARROW) - 4):
                yield f"    {line}"


def page(scheme: Scheme) -> Iterator[str]:
    """Yield what there is to know about one scheme."""
    yield escape(call(scheme))
    yield ""
    yield from escape_lines(scheme.summary)
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
            yield f"{heading:8}{escape(text)}"


def call(scheme: Scheme) -> str:
    """Return how a scheme is called, with its defaults."""
    parts = ["weight: scheme, ..."] if scheme.takes_parts else []
    parts += map(str, scheme.parameters)
    return f"{scheme.name}({', '.join(parts)})" if parts else scheme.name


def escape_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, each safe to print."""
    return map(escape, text.splitlines())
