"""Text from a file, made safe to print: nothing in it can steer a terminal or split a line."""

MAX_CHARACTERS = 1_000


def escape(text: str) -> str:
    """Return `text` with everything that does not print as itself written as an escape.

    That is C0 and C1 controls, DEL, line separators, bidi controls, lone surrogates and unassigned
    characters. Beyond 1,000 characters it is cut and its length said.
    """
    if len(text) > MAX_CHARACTERS:
        return f"{escape(text[:MAX_CHARACTERS])}...({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
