"""What stands between the facts of a line."""

UNICODE_SEPARATOR = "  ·  "
ASCII_SEPARATOR = "  -  "  # where the output's encoding lacks the dot

UNICODE_ARROW = "→"
ASCII_ARROW = "->"
