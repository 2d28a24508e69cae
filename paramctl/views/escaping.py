"""Text from a file, made safe to print: nothing in it can steer a terminal or split a line."""

MAX_CHARACTERS = 1_000


def escape(text: str) -> str:
    r"""Return `text` in a line that stands for no other text: what does not print, as escapes.

    That is C0 and C1 controls, DEL, line separators, bidi controls, lone surrogates and unassigned
    characters; a backslash is written `\\`. Beyond 1,000 characters it is cut and its length said.
    """
    return _escape(text, "\\")


def escape_json(text: str) -> str:
    """Return JSON as `escape` does, save its backslashes: those begin escapes already."""
    return _escape(text, "")


def _escape(text: str, mark: str) -> str:
    if len(text) > MAX_CHARACTERS:
        return f"{_escape(text[:MAX_CHARACTERS], mark)}...({len(text)} characters)"
    if text.isprintable() and (not mark or mark not in text):
        return text
    return "".join(
        c if c.isprintable() and c != mark else c.encode("unicode_escape").decode() for c in text
    )
