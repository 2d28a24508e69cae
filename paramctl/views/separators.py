"""What stands between the facts of a line, and for what is left out."""

UNICODE_SEPARATOR = "  ·  "
ASCII_SEPARATOR = "  -  "  # where the output's encoding lacks the dot

UNICODE_ARROW = "→"
ASCII_ARROW = "->"

UNICODE_ELLIPSIS = "…"
ASCII_ELLIPSIS = "..."
